"""The desk's own icons: strokes on a grid of 20 × 20, in the colour of the text."""

from markupsafe import Markup

from handoff.console.markup import tag

_PATHS = {
    "chat": "M3 5.5h14v8.5H9l-4 3v-3H3z",
    "telegram": "M17.5 3.5 2.5 9.5l5 2 2 5 8-13zM7.5 11.5l4-3",
    "api": "M7 4 3 10l4 6M13 4l4 6-4 6",
    "bot": "M4 7.5h12v8.5H4zM10 7.5V4M8 3.8h4M7.5 11v1.5M12.5 11v1.5M2 11v2M18 11v2",
    "person": "M10 10a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM3.5 16.8c.7-3.2 3.2-4.6 6.5-4.6s5.8 1.4 6.5 4.6",
    "people": "M7.5 9.5a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM2 16c.5-2.9 2.5-4.2 5.5-4.2"
    "s5 1.3 5.5 4.2M13 4.2a2.7 2.7 0 0 1 0 5.2M15 11.9c1.7.6 2.7 1.9 3 4.1",
    "queue": "M3 11l2-6.5h10L17 11v5H3zM3 11h4l1 2h4l1-2h4",
    "chart": "M3 16.5h14M5.5 14v-4M10 14V5M14.5 14V8",
    "note": "M4 3.5h12v9l-4 4H4zM12 16.5v-4h4M7 7h6M7 10h4",
    "check": "M4 10.5l4 4 8-9",
    "clock": "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4.3l2.8 1.7",
    "alert": "M10 3 18 16.5H2zM10 8v4M10 14.2v.2",
    "search": "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4",
    "theme": "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 3v14M12.5 4v12M15 5.5v9",
    "bell": "M4.5 14.5h11L14.3 12V8.5a4.3 4.3 0 0 0-8.6 0V12zM8.5 17h3",
    "bell-off": "M4.5 14.5h11L14.3 12V8.5a4.3 4.3 0 0 0-8.6 0V12zM8.5 17h3M3 3l14 14",
    "download": "M10 3v9M6.5 9 10 12.5 13.5 9M3.5 16.5h13",
    "back": "M12.5 4 6.5 10l6 6",
    "return": "M8 4 3.5 8.5 8 13M3.5 8.5H12a4.5 4.5 0 0 1 0 8H8",
    "take": "M6 10V5.5a1.2 1.2 0 0 1 2.4 0V9V4.2a1.2 1.2 0 0 1 2.4 0V9V4.8a1.2 1.2 0 0 1 2.4 0V10V7"
    "a1.2 1.2 0 0 1 2.3 0v5c0 3-1.8 5-4.7 5-2.5 0-3.6-1-4.8-3.2L3.7 11a1.2 1.2 0 0 1 2-1.3z",
    "clip": "M15.5 9.5 9.8 15.2a3.3 3.3 0 0 1-4.7-4.7l6.5-6.5a2.2 2.2 0 0 1 3.1 3.1l-6.3 6.3",
    "copy": "M7 7h9.5v9.5H7zM13 7V3.5H3.5V13H7",
    "key": "M7 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10.5 10H17.5v3M14.5 10v2.5",
    "down": "M5 8l5 5 5-5",
    "panel": "M3 4h14v12H3zM12.5 4v12",
    "send": "M3.5 10 17 3.5 12.5 17l-3-5.5zM9.5 11.5 17 3.5",
    "retry": "M16.5 10a6.5 6.5 0 1 1-2-4.7M16.5 3v3.5H13",
}


def icon(name: str, label: str | None = None) -> Markup:
    """Return an icon; without a label it is decoration that screen readers pass over."""
    return tag(
        "svg",
        tag("path", d=_PATHS[name]),
        class_="icon",
        viewBox="0 0 20 20",
        role="img" if label else None,
        aria_label=label,
        aria_hidden=None if label else "true",
    )


def logo() -> Markup:
    """Return the sign of the desk: a bubble on a counter."""
    return tag(
        "svg",
        tag(
            "path", d="M4 3h12a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2h-5l-4 3v-3H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z", class_="fill"
        ),
        tag("path", d="M2 18h16"),
        class_="logo",
        viewBox="0 0 20 20",
        aria_hidden="true",
    )
