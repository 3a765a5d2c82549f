"""Where labels come from that nobody wrote into `nlu_data` by hand: `nlu_data/provenance.yml`, for people and for
finding what a customer wants to be forgotten. A message is named by its id; who wrote it is not told.
"""

from collections.abc import Iterable
from datetime import date

from bot.learning.documents import Document
from bot.learning.review_file import Origin, quoted

FILE = "provenance.yml"
KEY = "labels"
HEAD = """\
# Where labels come from that `frontdesk review import` wrote, the newest last. `as` is what became of a message: an
# intent, golden (to measure with), triage, or dropped. `message` is its id in the history; `guess` is what the model
# had said of it.
"""
DROPPED = "dropped"
GOLDEN = "golden"
TRIAGE = "triage"


def line_of(became: str, text: str, origin: Origin, taken: date) -> str:
    """Return the line of a label; the text of what was dropped is not kept."""
    facts = {
        "as": became,
        "text": "" if became == DROPPED else quoted(text),
        "message": origin.message and quoted(origin.message),
        "said": origin.said.isoformat() if origin.said else "",
        "channel": origin.channel and quoted(origin.channel),
        "model": origin.model and quoted(origin.model),
        "guess": origin.guess and quoted(origin.guess),
        "why": f"[{', '.join(origin.why)}]" if origin.why else "",
        "taken": taken.isoformat(),
    }
    return f"- {{{', '.join(f'{name}: {value}' for name, value in facts.items() if value)}}}"


def messages_of(document: Document | None, became: str | None = None) -> frozenset[str]:
    """Return the ids of the messages that have a label, or those of which one thing became."""
    entries: Iterable[object] = document.value.get(KEY) or () if document and isinstance(document.value, dict) else ()
    return frozenset(
        str(entry["message"])
        for entry in entries
        if isinstance(entry, dict) and entry.get("message") and became in (None, entry.get("as"))
    )
