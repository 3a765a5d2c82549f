"""Pages that need neither a socket nor a script: their look, and what is said when something is missing."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup
from starlette.responses import HTMLResponse

from handoff.console.icons import logo
from handoff.console.markup import join, tag

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/desk/static"


@cache
def asset(name: str) -> str:
    """Return the address of one of our own files; it changes with the file, so browsers may keep it for good."""
    return f"{STATIC_URL}/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def head() -> Markup:
    """Return what the head of every page holds: the look, and the theme before the first pixel."""
    return join(
        [
            tag("link", rel="stylesheet", href=asset("desk.css")),
            tag("script", src=asset("theme.js")),
        ]
    )


def page(title: str, *content: object, status: int = 200) -> HTMLResponse:
    """Return a small page: one card in the middle."""
    body = tag(
        "main",
        tag("div", logo(), tag("span", "Frontdesk"), class_="brand"),
        tag("h1", title),
        *content,
        class_="plain-card",
    )
    html = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="robots", content="noindex"),
            tag("title", f"{title} · Frontdesk"),
            tag("link", rel="icon", href=asset("desk.svg")),
            head(),
        ),
        tag("body", body, class_="plain"),
        lang="en",
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(f"<!doctype html>{html}", status_code=status, headers=headers)


def message(text: str, good: bool = False) -> Markup:
    """Return what the last step came to, read out by screen readers."""
    return tag("p", text, class_="message good" if good else "message", role="status" if good else "alert")


def field(label: str, name: str, kind: str = "text", hint: str = "", **attributes: object) -> Markup:
    """Return a labelled field of a form."""
    hint_id = f"{name}-hint" if hint else None
    return tag(
        "div",
        tag("label", label, for_=name),
        tag("input", id=name, name=name, type=kind, required=True, aria_describedby=hint_id, **attributes),
        tag("p", hint, class_="hint", id=hint_id) if hint else None,
        class_="field",
    )


def missing_page() -> HTMLResponse:
    """Return the answer for an address that is not one of the desk."""
    return _dead_end("Not found", "There is no such page at the desk.", 404)


def broken_page() -> HTMLResponse:
    """Return the answer for an error that nobody foresaw."""
    return _dead_end(
        "Something went wrong", "It was written down for whoever runs the desk. Try again in a moment.", 500
    )


def refused_page() -> HTMLResponse:
    """Return the answer for a page that the visitor's role does not allow."""
    return _dead_end("Not for your role", "Your role does not allow this page. An administrator can change it.", 403)


def unavailable_page() -> HTMLResponse:
    """Return the answer while PostgreSQL or Redis does not answer."""
    return _dead_end("Back in a moment", "The desk can't reach its data right now. Nothing is lost; try again.", 503)


def _dead_end(title: str, text: str, status: int) -> HTMLResponse:
    return page(title, tag("p", text), tag("p", tag("a", "To the queue", href="/desk/")), status=status)
