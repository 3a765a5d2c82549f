"""The team: who may sign in and with which role, and the tokens of integrations. For administrators."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from markupsafe import Markup
from nicegui import ui

from bot.conversation.errors import BadInput
from bot.conversation.ids import AgentId
from handoff.accounts import TokenView, UserView
from handoff.console.layout import act, button, face, html, sheet
from handoff.console.markup import NOTHING, join, tag
from handoff.console.visit import Visit
from handoff.console.words import ROLES, date
from handoff.roles import Right
from handoff.tables import Role

_ROLE_OPTIONS = {str(role): words for role, words in ROLES.items()}


_Row = tuple[list[Markup | str], dict[str, str]]
"""The cells of a row, the buttons last, and the row's own attributes."""


class TeamPage:
    """One browser tab on the team."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.accounts = visit.console.accounts
        self._asked: Any = None

    def build(self) -> None:
        """Make the page."""
        acts = {
            "add-user": self._ask_user,
            "role": self._set_role,
            "lock": self._lock,
            "unlock": self._unlock,
            "reset": self._ask_reset,
            "add-token": self._ask_token,
            "revoke": self._ask_revoke,
        }
        for name, handler in acts.items():
            self.visit.on(name, handler, Right.ADMINISTER)
        with sheet(self.visit, "team", "Team"):
            add = act("Add a person", "add-user", "primary", "person")
            html(join([tag("h1", "Team"), add]), "header").classes("page-head")
            self._users = html(tag("div", class_="skeleton")).classes("card scroll-x")
            token = act("New token", "add-token", "", "key")
            html(join([tag("h1", "API tokens"), token]), "header").classes("page-head").style("margin-top:2rem")
            self._tokens = html(tag("div", class_="skeleton")).classes("card scroll-x")
        self._build_dialogs()
        self.visit.every(self._show_once)

    async def _show_once(self) -> None:
        await self.visit.attempt(self.show, Right.ADMINISTER)

    async def show(self) -> None:
        """Read users and tokens again."""
        users, tokens = await self.accounts.users(), await self.accounts.tokens()
        names = {one.id: one.display_name for one in users}
        with self.visit.client:
            self._users.set_content(self._user_table(users))
            self._tokens.set_content(self._token_table(tokens, names))

    def _user_table(self, users: list[UserView]) -> Markup:
        heads = ("Person", "Signs in as", "Role", "State", "Last signed in")
        return _table(heads, [(self._user_cells(one), {"data_user": one.name}) for one in users])

    def _user_cells(self, user: UserView) -> list[Markup | str]:
        me = user.id == self.visit.caller.id
        state = ("good", "Active") if user.active else ("bad", "Locked")
        if user.active and user.must_change:
            state = ("warn", "One-time password")
        signed_in = date(user.signed_in_at, self.visit.zone) if user.signed_in_at else "never"
        who = f"{user.display_name} (you)" if me else user.display_name
        name = tag("span", tag("span", face(user.display_name), class_="face", aria_hidden="true"), who, class_="named")
        acts = [act("Reset password", "reset", "quiet", user=user.id, name=user.name)]
        lock = ("Lock", "lock") if user.active else ("Unlock", "unlock")
        acts.append(NOTHING if me else act(lock[0], lock[1], "quiet", user=user.id))
        chip = tag("span", state[1], class_=f"chip {state[0]}")
        return [name, user.name, self._role(user, me), chip, signed_in, join(acts)]

    def _role(self, user: UserView, me: bool) -> Markup:
        if me:
            return tag("span", ROLES[user.role])
        options = [tag("option", words, value=role, selected=role == user.role) for role, words in ROLES.items()]
        label = f"Role of {user.display_name}"
        return tag("select", *options, class_="select", aria_label=label, data_change="role", data_user=user.id)

    def _token_table(self, tokens: list[TokenView], names: Mapping[AgentId, str]) -> Markup:
        if not tokens:
            text = "No token yet. An integration needs one to use the API."
            return tag("p", text, class_="muted", style="padding:1rem")
        heads = ("Name", "Begins with", "Role", "Made", "Last used")
        rows: list[_Row] = []
        for one in tokens:
            used = date(one.used_at, self.visit.zone) if one.used_at else "never"
            made = f"{date(one.created_at, self.visit.zone)} by {names.get(AgentId(one.created_by), one.created_by)}"
            end = (
                tag("span", "Revoked", class_="chip")
                if one.revoked_at
                else act("Revoke", "revoke", "quiet danger", token=one.id, name=one.name)
            )
            rows.append(([one.name, tag("code", f"{one.hint}…"), ROLES[one.role], made, used, end], {}))
        return _table(heads, rows)

    # -- dialogs

    def _build_dialogs(self) -> None:
        with ui.dialog() as self._adding, ui.element("div").classes("box"):
            html(Markup("Add a person"), "h2")
            self._name = ui.input("Sign-in name").props("outlined dense autocomplete=off autocapitalize=none")
            self._shown = ui.input("Name that customers see").props("outlined dense autocomplete=off")
            self._new_role = ui.select(_ROLE_OPTIONS, label="Role", value=str(Role.AGENT)).props("outlined dense")
            self._actions(self._adding, "Add", self._add_user)
        with ui.dialog() as self._token_dialog, ui.element("div").classes("box"):
            html(Markup("New API token"), "h2")
            self._token_name = ui.input("Name, shown to customers when it replies").props("outlined dense")
            self._token_role = ui.select(_ROLE_OPTIONS, label="Role", value=str(Role.AGENT)).props("outlined dense")
            self._actions(self._token_dialog, "Create", self._add_token)
        with ui.dialog() as self._sure, ui.element("div").classes("box"):
            self._question = html()
            self._actions(self._sure, "Yes", self._confirmed)
        with ui.dialog().props("persistent") as self._secret, ui.element("div").classes("box"):
            self._secret_text = html()
            with ui.element("div").classes("box-actions"):
                button("I have noted it", self._forget_secret, "primary")
        titles = (
            (self._adding, "Add a person"),
            (self._token_dialog, "New API token"),
            (self._sure, "Are you sure?"),
            (self._secret, "Shown once"),
        )
        for dialog, title in titles:
            dialog.props(f'aria-label="{title}"')

    def _actions(self, dialog: ui.dialog, label: str, do: Any) -> None:
        with ui.element("div").classes("box-actions"):
            button("Cancel", dialog.close)
            button(label, do, "primary")

    def _reveal(self, title: str, text: str, secret: str) -> None:
        copy = tag("button", "Copy", type="button", class_="btn", data_copy=secret)
        parts = [
            tag("h2", title),
            tag("p", text, class_="muted"),
            tag("div", tag("code", secret), copy, class_="secret"),
        ]
        with self.visit.client:
            self._secret_text.set_content(tag("div", *parts, style="display:grid;gap:0.9rem"))
            self._secret.open()

    def _forget_secret(self) -> None:
        self._secret.close()
        self._secret_text.set_content("")

    # -- what administrators do

    async def _ask_user(self, _: Mapping[str, Any]) -> None:
        self._name.set_value("")
        self._shown.set_value("")
        self._adding.open()

    async def _add_user(self) -> None:
        async def do() -> None:
            role = Role(self._new_role.value)
            made = await self.accounts.add_user(self._name.value, role, self._shown.value, self.visit.caller.id)
            self._adding.close()
            await self.show()
            text = "The one-time password; it is shown now and never again, and must be changed at the first sign-in."
            self._reveal(f"{made.name} can sign in", text, made.password)

        await self.visit.attempt(do, Right.ADMINISTER)

    async def _set_role(self, said: Mapping[str, Any]) -> None:
        if said.get("value") not in set(Role):
            raise BadInput("choose a role")
        try:
            await self.accounts.set_role(str(said.get("user", "")), Role(said["value"]), self.visit.caller.id)
            self.visit.notify("The role was changed.", good=True)
        finally:
            await self.show()

    async def _lock(self, said: Mapping[str, Any]) -> None:
        await self.accounts.set_active(str(said.get("user", "")), False, self.visit.caller.id)
        await self.show()

    async def _unlock(self, said: Mapping[str, Any]) -> None:
        await self.accounts.set_active(str(said.get("user", "")), True, self.visit.caller.id)
        await self.show()

    async def _ask_reset(self, said: Mapping[str, Any]) -> None:
        self._ask(f"Give {said.get('name')} a new one-time password? All their browsers are signed out.", said)

    async def _ask_token(self, _: Mapping[str, Any]) -> None:
        self._token_name.set_value("")
        self._token_dialog.open()

    async def _add_token(self) -> None:
        async def do() -> None:
            role = Role(self._token_role.value)
            made = await self.accounts.create_token(self._token_name.value, role, self.visit.caller.id)
            self._token_dialog.close()
            await self.show()
            self._reveal(f"Token {made.name}", "It is shown now and never again.", made.token)

        await self.visit.attempt(do, Right.ADMINISTER)

    async def _ask_revoke(self, said: Mapping[str, Any]) -> None:
        self._ask(f"Revoke the token {said.get('name')}? Whoever uses it is refused from now on.", said)

    def _ask(self, question: str, said: Mapping[str, Any]) -> None:
        self._asked = dict(said)
        self._question.set_content(tag("p", question))
        self._sure.open()

    async def _confirmed(self) -> None:
        async def do() -> None:
            asked, actor = self._asked or {}, self.visit.caller.id
            self._asked = None
            self._sure.close()
            if asked.get("act") == "revoke":
                await self.accounts.revoke_token(AgentId(str(asked.get("token", ""))), actor)
            elif asked.get("act") == "reset":
                made = await self.accounts.reset_password(str(asked.get("user", "")), actor)
                text = "Shown now and never again; it must be changed at the next sign-in."
                self._reveal(f"New one-time password of {made.name}", text, made.password)
            await self.show()

        await self.visit.attempt(do, Right.ADMINISTER)


async def build(visit: Visit, _: Request) -> None:
    """Make the page for a request."""
    TeamPage(visit).build()


def _table(heads: tuple[str, ...], rows: list[_Row]) -> Markup:
    """Return a table whose last column holds buttons; on a phone each row is a list of its own.

    The roles are told, since a browser forgets them where rows are no longer laid out as a table.
    """
    head = [tag("th", name, scope="col", role="columnheader") for name in (*heads, "")]
    body = [
        tag(
            "tr",
            *[tag("td", cell, role="cell", data_label=name) for name, cell in zip(heads, cells, strict=False)],
            tag("td", cells[-1], role="cell", class_="acts-cell"),
            role="row",
            **about,
        )
        for cells, about in rows
    ]
    return tag(
        "table",
        tag("thead", tag("tr", *head, role="row"), role="rowgroup"),
        tag("tbody", *body, role="rowgroup"),
        class_="table stacked",
        role="table",
    )
