"""Signing in, and what stands against guessing."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.conversation.errors import BadInput, Conflict, Forbidden, NotFound, NotSignedIn
from handoff.auth import TOKEN_TRUSTED, Attempt, locked_until
from handoff.credentials import MIN_CHARS, Passwords
from handoff.database import Database
from handoff.roles import RIGHTS, Right
from handoff.tables import ApiTokenRow, Role, SessionRow, SignInAttemptRow, UserRow

GOOD = "correct horse battery"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
async def anna(accounts, auth):
    """An agent who has changed the one-time password."""
    user = await accounts.add_user("Anna", Role.AGENT)
    first = await auth.sign_in("anna", user.password)
    await auth.change_password(first.token, user.password, GOOD)
    return user


async def test_a_one_time_password_opens_nothing_until_it_is_changed(accounts, auth) -> None:
    user = await accounts.add_user("anna", Role.AGENT)
    signed_in = await auth.sign_in("Anna ", user.password)
    caller = await auth.session(signed_in.token)
    assert caller.must_change
    with pytest.raises(Forbidden, match="one-time"):
        caller.require(Right.READ)
    changed = await auth.change_password(signed_in.token, user.password, GOOD)
    caller = await auth.session(changed.token)
    caller.require(Right.SERVE)
    assert (caller.name, caller.display_name, caller.role) == ("anna", "Anna", Role.AGENT)
    with pytest.raises(NotSignedIn):
        await auth.session(signed_in.token)
    with pytest.raises(NotSignedIn):
        await auth.sign_in("anna", user.password)


@pytest.mark.parametrize("new", ["short", "anna1234567", "aaaaaaaaaaaaaa", "x" * 201])
async def test_a_weak_password_is_refused(accounts, auth, new) -> None:
    user = await accounts.add_user("anna", Role.AGENT)
    signed_in = await auth.sign_in("anna", user.password)
    with pytest.raises(BadInput):
        await auth.change_password(signed_in.token, user.password, new)
    with pytest.raises(BadInput, match="old"):
        await auth.change_password(signed_in.token, user.password, user.password)
    with pytest.raises(BadInput, match="old password is wrong"):
        await auth.change_password(signed_in.token, "wrong", GOOD)


async def test_an_account_is_locked_after_failures_and_opens_again(anna, auth, clock) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            await auth.sign_in("anna", "wrong")
    with pytest.raises(NotSignedIn):
        await auth.sign_in("anna", GOOD)
    clock.forward(minutes=14.9)
    with pytest.raises(NotSignedIn):
        await auth.sign_in("anna", GOOD)
    clock.forward(minutes=0.2)
    await auth.sign_in("anna", GOOD)


async def test_a_success_forgets_the_failures_before_it(anna, auth) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(NotSignedIn):
                await auth.sign_in("anna", "wrong")
        await auth.sign_in("anna", GOOD)


async def test_guesses_that_come_at_once_are_counted(anna, auth, database, monkeypatch) -> None:
    tried = []
    fits = Passwords.fits

    async def counted(self: Passwords, password_hash: str | None, password: str) -> bool:
        tried.append(password_hash)
        return await fits(self, password_hash, password)

    monkeypatch.setattr(Passwords, "fits", counted)
    await asyncio.gather(*[auth.sign_in("anna", f"guess {n}") for n in range(12)], return_exceptions=True)
    assert len(tried) == 12
    assert sum(one is not None for one in tried) == 5


async def test_an_unknown_name_is_told_the_same_and_locked_the_same(anna, auth, database) -> None:
    said = set()
    for name in ("anna", "nobody", "\0nobody\0", ""):
        for _ in range(7):
            with pytest.raises(NotSignedIn) as refused:
                await auth.sign_in(name, "wrong")
            said.add(str(refused.value))
    assert len(said) == 1
    async with database.session() as session:
        rows = (await session.scalars(select(SignInAttemptRow))).all()
    outcomes: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        outcomes.setdefault(row.name, []).append(row.outcome)
    counts = [(names.count("failed"), names.count("locked")) for names in outcomes.values()]
    assert sorted(counts) == [(5, 2), (5, 2), (5, 2 + 7)]  # the name with NULs is the one without
    assert not any("nobody" in row.name for row in rows)


@pytest.mark.parametrize(
    ("minutes", "until"),
    [
        ([], None),
        ([0, 1, 2, 3], None),
        ([0, 1, 2, 3, 4], 19),
        ([0, 1, 2, 3, 4, 20], None),
        ([0, 1, 2, -3, 4, 5, 6, 7], None),
        ([0, 1, 2, 3, 4, 20, 21, 22, 23, 24], 39),
    ],
)
def test_when_an_account_is_locked(minutes: list[int], until: int | None) -> None:
    attempts = [Attempt(NOON + timedelta(minutes=abs(minute)), minute < 0) for minute in minutes]
    expected = None if until is None else NOON + timedelta(minutes=until)
    assert locked_until(attempts, 5, timedelta(minutes=15)) == expected


async def test_a_session_ends_after_its_hours(anna, auth, clock) -> None:
    signed_in = await auth.sign_in("anna", GOOD)
    clock.forward(hours=11.9)
    await auth.session(signed_in.token)
    clock.forward(hours=0.2)
    with pytest.raises(NotSignedIn):
        await auth.session(signed_in.token)


async def test_signing_out_ends_one_session_or_all(anna, auth) -> None:
    one, two, three = [await auth.sign_in("anna", GOOD) for _ in range(3)]
    await auth.sign_out(one.token)
    await auth.sign_out(one.token)
    with pytest.raises(NotSignedIn):
        await auth.session(one.token)
    caller = await auth.session(two.token)
    assert await auth.sign_out_everywhere(caller.id) >= 2
    for token in (two.token, three.token):
        with pytest.raises(NotSignedIn):
            await auth.session(token)


async def test_a_csrf_token_fits_one_session_only(anna, auth) -> None:
    one, two = [await auth.sign_in("anna", GOOD) for _ in range(2)]
    auth.check_csrf(one.token, one.csrf)
    assert auth.csrf(one.token) == one.csrf
    for forged in (two.csrf, "", one.csrf.upper(), "ü"):
        with pytest.raises(Forbidden):
            auth.check_csrf(one.token, forged)


async def test_nothing_secret_is_stored_in_clear(anna, accounts, auth, database) -> None:
    signed_in = await auth.sign_in("anna", GOOD)
    token = await accounts.create_token("shop", Role.AGENT)
    async with database.session() as session:
        user = await session.get_one(UserRow, anna.id)
        assert user.password_hash.startswith("$argon2id$")
        assert signed_in.token not in {row.token_hash for row in await session.scalars(select(SessionRow))}
        row = await session.get_one(ApiTokenRow, token.id)
        assert token.token not in (row.token_hash, row.hint)


async def test_a_token_works_until_it_is_revoked(accounts, auth, clock) -> None:
    made = await accounts.create_token("shop", Role.SUPERVISOR)
    assert made.token.startswith("fd_")
    caller = await auth.bearer(made.token)
    assert (caller.id, caller.name, caller.kind) == (made.id, "shop", "token")
    assert (await accounts.tokens())[0].used_at is not None
    await accounts.revoke_token(made.id)
    clock.time += TOKEN_TRUSTED
    for token in (made.token, "fd_", "fd_unknown", "", "nonsense"):
        with pytest.raises(NotSignedIn):
            await auth.bearer(token)
    with pytest.raises(NotFound):
        await accounts.revoke_token("k0")


async def test_the_first_start_makes_one_admin(accounts, auth) -> None:
    made = await asyncio.gather(*[accounts.ensure_admin() for _ in range(3)])
    (admin,) = [one for one in made if one]
    assert (await auth.sign_in("admin", admin.password)).caller.role == Role.ADMIN
    assert await accounts.ensure_admin() is None


async def test_names_are_unique_and_checked(accounts) -> None:
    await accounts.add_user("anna.lee", Role.AGENT)
    with pytest.raises(Conflict):
        await accounts.add_user("Anna.Lee", Role.DESIGNER)
    for name in ("", "a", "-x-", "a b", "x" * 65, "anna\0"):
        with pytest.raises(BadInput):
            await accounts.add_user(name, Role.AGENT)
    assert [(one.name, one.display_name) for one in await accounts.users()] == [("anna.lee", "Anna Lee")]


async def test_roles_change_at_once_and_one_admin_stays(anna, accounts, auth) -> None:
    signed_in = await auth.sign_in("anna", GOOD)
    await accounts.set_role("anna", Role.ADMIN, actor="a0")
    caller = await auth.session(signed_in.token)
    assert caller.may(Right.ADMINISTER)
    with pytest.raises(Conflict, match="only administrator"):
        await accounts.set_role("anna", Role.AGENT)
    with pytest.raises(Conflict, match="only administrator"):
        await accounts.set_active("anna", False)
    await accounts.add_user("boss", Role.ADMIN)
    await accounts.set_active("anna", False)
    with pytest.raises(NotSignedIn):
        await auth.session(signed_in.token)
    with pytest.raises(NotSignedIn):
        await auth.sign_in("anna", GOOD)
    with pytest.raises(NotFound):
        await accounts.find("anna")


async def test_a_reset_password_ends_the_sessions(anna, accounts, auth) -> None:
    signed_in = await auth.sign_in("anna", GOOD)
    fresh = await accounts.reset_password("anna")
    with pytest.raises(NotSignedIn):
        await auth.session(signed_in.token)
    assert (await auth.sign_in("anna", fresh.password)).caller.must_change


async def test_the_audit_tells_who_did_what(anna, accounts, auth) -> None:
    with pytest.raises(NotSignedIn):
        await auth.sign_in("anna", "wrong", address="10.0.0.9")
    await auth.sign_in("anna", GOOD)
    await accounts.set_role("anna", Role.SUPERVISOR, actor="a0")
    rows = await accounts.audit()
    assert [row.action for row in rows] == [
        "role_changed",
        "signed_in",
        "sign_in_failed",
        "password_changed",
        "signed_in",
        "user_added",
    ]
    assert (rows[0].actor, rows[0].subject, rows[0].data) == ("a0", anna.id, {"before": "agent", "after": "supervisor"})
    assert rows[2].data == {"address": "10.0.0.9"}


def test_each_role_has_what_it_needs_and_no_more() -> None:
    assert Right.SERVE in RIGHTS[Role.AGENT]
    assert Right.SERVE not in RIGHTS[Role.DESIGNER]
    assert Right.ADMINISTER not in RIGHTS[Role.SUPERVISOR]
    assert RIGHTS[Role.AGENT] < RIGHTS[Role.SUPERVISOR] < RIGHTS[Role.ADMIN]
    assert MIN_CHARS >= 8


async def test_a_hash_of_older_parameters_is_made_anew(anna, auth, database: Database, passwords) -> None:
    strong = Passwords()
    auth_now = type(auth)(database, auth._settings, auth._now, strong)
    await auth_now.sign_in("anna", GOOD)
    async with database.session() as session:
        user = await session.get_one(UserRow, anna.id)
        assert not strong.is_outdated(user.password_hash)
    await auth_now.sign_in("anna", GOOD)
