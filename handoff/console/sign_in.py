"""Signing in and out, and one's own account: plain forms that work without scripts."""

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from bot.conversation.errors import BadInput, Forbidden, NotSignedIn, Unavailable
from handoff.auth import COOKIE, SignedIn
from handoff.console.guard import session_token, sign_in_for, visitor
from handoff.console.markup import tag
from handoff.console.plain import field, message, page, unavailable_page
from handoff.console.visit import BASE, SIGN_IN, Console
from handoff.console.words import ROLES, sentence
from handoff.credentials import MIN_CHARS, same
from handoff.roles import Caller

FORM_COOKIE = "frontdesk_form"
"""Ties the sign-in form to the browser that asked for it, while there is no session yet."""
MAX_FORM_BYTES = 8 * 1024
_REDIRECT = 303


def routes(console: Console) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    auth = console.auth
    secure = (console.settings.web.public_url or "").startswith("https:")

    def sign_in_page(request: Request, place: str, name: str = "", problem: str = "", status: int = 200) -> Response:
        form = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
        response = page("Sign in", _sign_in_form(form, place, name, problem), status=status)
        _set_cookie(response, FORM_COOKIE, form, secure, f"{BASE}/sign-in")
        return response

    def begin(signed_in: SignedIn, place: str) -> Response:
        response = RedirectResponse(place, status_code=_REDIRECT)
        _set_cookie(response, COOKIE, signed_in.token, secure, "/", console.settings.desk.session_hours)
        return response

    @router.get("/desk/sign-in")
    async def ask(request: Request) -> Response:
        place = _local(request.query_params.get("next", ""))
        try:
            caller = await visitor(auth, request.scope)
        except Unavailable:
            return unavailable_page()
        return RedirectResponse(place, status_code=_REDIRECT) if caller else sign_in_page(request, place)

    @router.post("/desk/sign-in")
    async def sign_in(request: Request) -> Response:
        given = await _form(request)
        place, name = _local(given.get("next", "")), given.get("name", "")
        if not same(request.cookies.get(FORM_COOKIE) or secrets.token_hex(8), given.get("form", "")):
            return sign_in_page(request, place, name, "This form was out of date. Please try again.", 403)
        try:
            address = request.client.host if request.client else ""
            browser = request.headers.get("user-agent", "")
            return begin(await auth.sign_in(name, given.get("password", ""), address, browser), place)
        except NotSignedIn:
            desk = console.settings.desk
            problem = (
                "That did not work: the name or the password is wrong, or the account is locked. "
                f"{desk.lock_after} failed tries lock an account for {desk.lock_minutes:g} minutes."
            )
            return sign_in_page(request, place, name, problem, 401)
        except Unavailable:
            return unavailable_page()

    @router.post("/desk/sign-out")
    async def sign_out(request: Request) -> Response:
        token = session_token(request.scope)
        try:
            caller = await visitor(auth, request.scope)
            if caller:
                given = await _form(request)
                auth.check_csrf(token, given.get("csrf", ""))
                if given.get("everywhere"):
                    await auth.sign_out_everywhere(caller.id)
                await auth.sign_out(token)
                await console.desk.left(caller.id)
        except Forbidden:
            return RedirectResponse(f"{BASE}/account", status_code=_REDIRECT)
        except Unavailable:
            return unavailable_page()
        response = RedirectResponse(SIGN_IN, status_code=_REDIRECT)
        response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
        return response

    @router.get("/desk/session")
    async def session(request: Request) -> Response:
        try:
            return Response(status_code=204 if await visitor(auth, request.scope) else 401)
        except Unavailable:
            return Response(status_code=503)

    @router.get("/desk/account")
    async def account(request: Request) -> Response:
        try:
            caller = await visitor(auth, request.scope)
        except Unavailable:
            return unavailable_page()
        if caller is None:
            return sign_in_for(request.scope)
        changed = "changed" in request.query_params
        return _account_page(caller, auth.csrf(session_token(request.scope)), changed=changed)

    @router.post("/desk/account")
    async def change_password(request: Request) -> Response:
        token = session_token(request.scope)
        try:
            caller = await visitor(auth, request.scope)
            if caller is None:
                return RedirectResponse(f"{SIGN_IN}?next={BASE}/account", status_code=_REDIRECT)
            given = await _form(request)
            try:
                auth.check_csrf(token, given.get("csrf", ""))
                if given.get("new", "") != given.get("again", ""):
                    raise BadInput("the two new passwords are not the same")
                signed_in = await auth.change_password(token, given.get("old", ""), given.get("new", ""))
            except (BadInput, Forbidden) as error:
                return _account_page(caller, auth.csrf(token), problem=sentence(str(error)), status=400)
            return begin(signed_in, f"{BASE}/" if caller.must_change else f"{BASE}/account?changed")
        except NotSignedIn:
            return RedirectResponse(f"{SIGN_IN}?next={BASE}/account", status_code=_REDIRECT)
        except Unavailable:
            return unavailable_page()

    return router


def sign_out_form(csrf: str, label: str = "Sign out", everywhere: bool = False) -> Markup:
    """Return the button that ends this session, or all sessions of the user."""
    return tag(
        "form",
        tag("input", type="hidden", name="csrf", value=csrf),
        tag("input", type="hidden", name="everywhere", value="1") if everywhere else None,
        tag("button", label, type="submit", class_="btn"),
        method="post",
        action=f"{BASE}/sign-out",
    )


def _sign_in_form(form: str, place: str, name: str, problem: str) -> Markup:
    return tag(
        "form",
        message(problem) if problem else None,
        tag("input", type="hidden", name="form", value=form),
        tag("input", type="hidden", name="next", value=place),
        field("Name", "name", value=name, autocomplete="username", autocapitalize="none", autofocus=not name),
        field("Password", "password", "password", autocomplete="current-password", autofocus=bool(name)),
        tag("button", "Sign in", type="submit", class_="btn primary wide"),
        tag("p", "Forgotten? An administrator can give you a new one-time password.", class_="hint"),
        method="post",
        action=SIGN_IN,
    )


def _account_page(caller: Caller, csrf: str, problem: str = "", changed: bool = False, status: int = 200) -> Response:
    first = caller.must_change
    intro = (
        "You signed in with a one-time password. Choose one of your own to go on."
        if first
        else f"{caller.display_name}, signed in as {caller.name}. Role: {ROLES[caller.role]}."
    )
    form = tag(
        "form",
        tag("input", type="hidden", name="csrf", value=csrf),
        # For password managers: whose password this is.
        tag("input", type="text", name="username", value=caller.name, autocomplete="username", hidden=True),
        field("One-time password" if first else "Present password", "old", "password", autocomplete="current-password"),
        field(
            "New password",
            "new",
            "password",
            f"At least {MIN_CHARS} characters, without your sign-in name.",
            autocomplete="new-password",
            minlength=MIN_CHARS,
        ),
        field("New password again", "again", "password", autocomplete="new-password", minlength=MIN_CHARS),
        tag("button", "Change password", type="submit", class_="btn primary wide"),
        method="post",
        action=f"{BASE}/account",
    )
    more = tag(
        "div",
        sign_out_form(csrf) if first else sign_out_form(csrf, "Sign out everywhere", everywhere=True),
        None if first else tag("a", "Back to the desk", href=f"{BASE}/"),
        class_="plain-more",
    )
    return page(
        "Choose a password" if first else "My account",
        tag("p", intro),
        message(problem) if problem else None,
        message("Your password was changed. Other browsers were signed out.", good=True) if changed else None,
        form,
        more,
        status=status,
    )


def _set_cookie(response: Response, name: str, value: str, secure: bool, path: str, hours: float | None = None) -> None:
    max_age = None if hours is None else int(hours * 3600)
    response.set_cookie(name, value, max_age=max_age, path=path, secure=secure, httponly=True, samesite="lax")


async def _form(request: Request) -> Mapping[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _local(place: str) -> str:
    """Return a place to go to after the sign-in: one of the desk's own pages, never another site."""
    parts = urlsplit(place)
    own = parts.path == BASE or parts.path.startswith(f"{BASE}/")
    if parts.scheme or parts.netloc or not own or "\\" in place or not place.isprintable():
        return f"{BASE}/"
    if parts.path in (SIGN_IN, f"{BASE}/sign-out"):
        return f"{BASE}/"
    return place
