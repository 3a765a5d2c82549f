"""HTML as values: every text that goes into a tag is escaped, so nothing a customer writes becomes markup."""

from collections.abc import Iterable

from markupsafe import Markup, escape

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
NOTHING = Markup("")


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; `class_` means `class`, `data_id` means `data-id`; None and False leave an attribute out."""
    given = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()]
    written = NOTHING.join(
        Markup(" {}").format(key) if value is True else Markup(' {}="{}"').format(key, value)
        for key, value in given
        if value is not None and value is not False
    )
    start = Markup("<{}{}>").format(name, written)
    return start if name in _VOID else start + join(children) + Markup("</{}>").format(name)


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Return the parts one after the other, escaped where they are plain text; None is left out."""
    return escape(between).join(escape(part) for part in parts if part is not None)


def classes(*names: str | bool | None) -> str:
    """Return the value of a class attribute from those names that are there."""
    return " ".join(name for name in names if isinstance(name, str) and name)
