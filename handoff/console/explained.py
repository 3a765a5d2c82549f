"""Words of a message, marked by how much they carried a score. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from bot.conversation.explanation import Part
from handoff.console.markup import tag

LEAST = 0.3
"""Log-odds below which nothing is marked: a probability moves from 0.5 to 0.57."""
LEAST_SHARE = 0.15
"""Of the strongest part; what carries less is not marked."""


def words(text: str, weights: Sequence[tuple[Part, float]]) -> Markup:
    """Return a text with the parts marked that speak for something, the stronger the darker."""
    strongest = max((weight for _, weight in weights), default=0.0)
    if strongest < LEAST:
        return tag("p", "No word stands out.", class_="muted")
    pieces: list[Markup | str] = []
    end = 0
    for part, weight in weights:
        pieces.append(text[end : part.start])
        end = part.end
        share = weight / strongest
        said = text[part.start : part.end]
        marked = weight >= LEAST and share >= LEAST_SHARE
        pieces.append(tag("mark", said, style=f"--weight:{share:.0%}", title=f"{weight:+.1f}") if marked else said)
    return tag("p", *pieces, text[end:])
