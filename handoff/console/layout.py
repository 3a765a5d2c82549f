"""What every page of the desk has around it: the bar on top, the notice of trouble, the keys; and lists that stay."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

from markupsafe import Markup
from nicegui import ui

from handoff.console.icons import icon, logo
from handoff.console.markup import NOTHING, classes, join, tag
from handoff.console.sign_in import sign_out_form
from handoff.console.visit import BASE, Visit
from handoff.console.words import ROLES
from handoff.roles import Caller, Right

PAGES = (
    ("", "Queue", "queue", Right.READ),
    ("overview", "Overview", "chart", Right.READ),
    ("team", "Team", "people", Right.ADMINISTER),
)
KEYS = (
    ("j  k", "next, previous conversation in a list"),
    ("Enter", "open it; in the reply box: send"),
    ("Shift Enter", "a new line in the reply box"),
    ("c", "claim"),
    ("t", "take over from the bot"),
    ("h", "hand on to a colleague"),
    ("r", "write a reply"),
    ("n", "write an internal note"),
    ("e", "show or hide the evidence on a narrow screen"),
    ("/", "search"),
    ("?", "this list"),
)


def may_open(caller: Caller, page: str) -> bool:
    """Say whether a caller may open one of PAGES, by its path."""
    return any(caller.may(right) for path, _, _, right in PAGES if path == page)


@contextmanager
def frame(visit: Visit, page: str, title: str) -> Iterator[None]:
    """Put what is made inside into the main part of the page; `page` is the path of the entry that is marked."""
    ui.page_title(f"{title} · Frontdesk")
    visit.client.on_connect(lambda: visit.script("Desk.clock", visit.desk.now().isoformat()))
    with ui.element("div").classes("desk"):
        html(_bar(visit, page), "header").classes("top")
        with ui.element("div"):
            html(_trouble())
        with ui.element("main").props(f'aria-label="{title}"').style("min-height:0;min-width:0"):
            yield
    html(_keys())


@contextmanager
def sheet(visit: Visit, page: str, title: str) -> Iterator[None]:
    """Put what is made inside onto a page that scrolls as a whole; else as `frame`."""
    with (
        frame(visit, page, title),
        ui.element("div").classes("page").style("height:100%"),
        ui.element("div").classes("page-inner"),
    ):
        yield


def html(content: Markup = NOTHING, kind: str = "div") -> ui.html:
    """Return an element with markup that handoff.console.markup made, and that is therefore escaped already."""
    return ui.html(content, sanitize=False, tag=kind)


def button(
    label: str, on_click: Callable[[], Awaitable[None] | None] | None = None, kind: str = "", symbol: str = ""
) -> ui.html:
    """Return a button that does something on the server; for dialogs, where there is no list to act on."""
    content = join([icon(symbol) if symbol else None, tag("span", label)])
    made = html(content, "button").classes(classes("btn", kind)).props("type=button")
    if on_click is not None:
        made.on("click", on_click, args=[])
    return made


def act(label: str, name: str, /, kind: str = "", symbol: str = "", id_: str | None = None, **values: object) -> Markup:
    """Return a button that makes the page do one of its acts (see Visit.on)."""
    data = {f"data_{key}": value for key, value in values.items()}
    return tag(
        "button",
        icon(symbol) if symbol else None,
        tag("span", label),
        type="button",
        class_=classes("btn", kind),
        id=id_,
        data_act=name,
        **data,
    )


def local(name: str, content: object, kind: str = "btn quiet square", **attributes: object) -> Markup:
    """Return a button that does something in the browser only (see desk.js)."""
    return tag("button", content, type="button", class_=kind, data_local=name, **attributes)


def empty(symbol: str, title: str, text: str) -> Markup:
    """Return what stands where a list has nothing to show."""
    return tag("div", icon(symbol), tag("strong", title), tag("p", text), class_="empty")


class Keyed:
    """A list whose items keep their place and focus when the list changes: only what differs is written anew.

    Args:
        kind: tag of the list.
        item: tag of its items.
    """

    def __init__(self, kind: str = "ul", item: str = "li") -> None:
        self.element = ui.element(kind)
        self._item = item
        self._items: dict[str, ui.html] = {}

    def show(self, wanted: Iterable[tuple[str, Markup]]) -> None:
        """Show these items, each with a key of its own."""
        content = dict(wanted)
        for key in [key for key in self._items if key not in content]:
            self._items.pop(key).delete()
        order = list(self._items)
        for place, (key, text) in enumerate(content.items()):
            known = self._items.get(key)
            if known is None:
                with self.element:
                    known = html(text, self._item)
                self._items[key] = known
                order.append(key)
            elif known.content != text:
                known.set_content(text)
            if order[place] != key:
                known.move(target_index=place)
                order.remove(key)
                order.insert(place, key)
        self._items = {key: self._items[key] for key in order}


def face(name: str) -> str:
    """Return the initials of a name."""
    parts = name.split()
    return ("".join(part[0] for part in (parts[0], parts[-1]) if part) if len(parts) > 1 else name[:2]).upper()


def _bar(visit: Visit, page: str) -> Markup:
    caller = visit.caller
    links = [
        tag(
            "a",
            icon(symbol),
            tag("span", label),
            href=f"{BASE}/{path}",
            aria_current="page" if path == page else None,
        )
        for path, label, symbol, right in PAGES
        if caller.may(right)
    ]
    bell = join([tag("span", icon("bell"), class_="on", hidden=True), tag("span", icon("bell-off"), class_="off")])
    return join(
        [
            tag("a", logo(), tag("span", "Frontdesk"), href=f"{BASE}/", class_="brand"),
            tag("nav", *links, aria_label="Desk"),
            tag("div", class_="spring"),
            local("bell", bell, aria_label="Sound for new tickets", aria_pressed="false"),
            local("theme", icon("theme"), aria_label="Light or dark", title="Light or dark"),
            tag(
                "details",
                tag(
                    "summary",
                    tag("span", face(caller.display_name), class_="face", aria_hidden="true"),
                    aria_label=f"Menu of {caller.display_name}",
                ),
                _menu(visit),
                class_="who",
            ),
        ]
    )


def _menu(visit: Visit) -> Markup:
    caller = visit.caller
    return tag(
        "div",
        tag("p", tag("strong", caller.display_name), tag("br"), tag("span", ROLES[caller.role], class_="muted")),
        tag("hr"),
        tag("a", "My account", href=f"{BASE}/account"),
        local("keys", "Keyboard shortcuts", kind=""),
        tag("hr"),
        sign_out_form(visit.csrf),
        class_="menu",
    )


def _trouble() -> Markup:
    text = "The desk can't reach its data right now. What you see may be old; it goes on by itself."
    return tag("div", icon("alert"), tag("span", text), class_="banner", id="trouble", role="alert", hidden=True)


def _keys() -> Markup:
    rows = [
        tag("tr", tag("td", join((tag("kbd", one) for one in keys.split("  ")), " ")), tag("td", meaning))
        for keys, meaning in KEYS
    ]
    return tag(
        "dialog",
        tag(
            "form",
            tag("h2", "Keyboard shortcuts", id="keys-title"),
            tag("table", tag("tbody", *rows), class_="table"),
            tag("div", tag("button", "Close", class_="btn", value="close"), class_="box-actions"),
            method="dialog",
            class_="box",
        ),
        id="keys",
        aria_labelledby="keys-title",
    )
