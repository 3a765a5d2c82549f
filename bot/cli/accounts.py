"""`frontdesk user …` and `frontdesk token …`: accounts of a running installation."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from rich.table import Table

from bot.cli import process
from bot.cli.tables import print_table
from bot.conversation.ids import AgentId
from bot.settings import Settings
from handoff.accounts import Accounts, NewUser
from handoff.tables import Role

Result = TypeVar("Result")


def add_user(settings: Settings, name: str, role: str, display_name: str) -> None:
    """Add a user and print the one-time password on the last line."""
    _show_password(_with_accounts(settings, lambda accounts: accounts.add_user(name, Role(role), display_name)))


def reset_password(settings: Settings, name: str) -> None:
    """Give a user a new one-time password and print it on the last line."""
    _show_password(_with_accounts(settings, lambda accounts: accounts.reset_password(name)))


def set_active(settings: Settings, name: str, active: bool) -> None:
    """Let a user sign in, or not."""
    _with_accounts(settings, lambda accounts: accounts.set_active(name, active))
    print(f"{name} can sign in again" if active else f"{name} is signed out and can't sign in")


def list_users(settings: Settings) -> None:
    """Print all users."""
    rows = [
        (user.name, user.display_name, user.role, _state(user.active, user.must_change), _day(user.signed_in_at))
        for user in _with_accounts(settings, lambda accounts: accounts.users())
    ]
    _table(("name", "shown as", "role", "state", "last sign-in"), rows)


def create_token(settings: Settings, name: str, role: str) -> None:
    """Make an API token and print it alone on the last line."""
    made = _with_accounts(settings, lambda accounts: accounts.create_token(name, Role(role)))
    print(f"token {made.id} with the role {made.role}; it is shown only now:", file=sys.stderr)
    print(made.token)


def list_tokens(settings: Settings) -> None:
    """Print all tokens, without what they are."""
    rows = [
        (token.id, token.name, f"{token.hint}…", token.role, "ended" if token.revoked_at else "", _day(token.used_at))
        for token in _with_accounts(settings, lambda accounts: accounts.tokens())
    ]
    _table(("id", "name", "begins", "role", "state", "last used"), rows)


def revoke_token(settings: Settings, token: str) -> None:
    """End a token."""
    _with_accounts(settings, lambda accounts: accounts.revoke_token(AgentId(token)))
    print(f"token {token} is ended")


def _with_accounts(settings: Settings, work: Callable[[Accounts], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with process.desk_database(settings) as database:
            return await work(Accounts(database))

    return asyncio.run(run())


def _show_password(user: NewUser) -> None:
    print(f"{user.name} ({user.role}) signs in once with this password and then chooses another:", file=sys.stderr)
    print(user.password)


def _state(active: bool, must_change: bool) -> str:
    return "disabled" if not active else "has a one-time password" if must_change else "active"


def _day(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    print_table(table)
