"""The evidence for a handoff, gathered from the messages of its episode; pure."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bot.conversation.events import Author
from bot.conversation.triage import Entity, Guess, Severity, Triage
from handoff.outcomes import SMALL_TALK
from handoff.views import Evidence, MessageView, Mood, TicketView

INTENTS = 5
_SEVERITIES = list(Severity)
_NO_TOPICS = SMALL_TALK | {"inform_order", "skip", "out_of_scope", "nlu_fallback"}
"""Intents that say nothing of what the customer came for."""

Value = TypeVar("Value")


def evidence_of(ticket: TicketView, messages: Sequence[MessageView]) -> Evidence:
    """Return the evidence for a ticket from the messages of its episode up to the handoff."""
    before = [one for one in messages if one.seq <= ticket.seq and one.episode == ticket.episode]
    triages = [(one, one.triage) for one in before if one.triage is not None]
    values = [triage for _, triage in triages]
    return Evidence(
        reason=ticket.reason,
        scores=ticket.scores,
        facts=ticket.facts,
        details=ticket.details,
        intents=_intents(values),
        sentiment=[Mood(at=one.at, message=one.id, value=triage.sentiment_value) for one, triage in triages],
        severity=max((one.severity for one in values), key=_SEVERITIES.index, default=Severity.NONE),
        complaint=max((one.complaint for one in values), default=0.0),
        categories=_unique(str(category) for one in values for category in one.categories),
        remedies=_unique(str(remedy) for one in values for remedy in one.remedies),
        urgency=_unique(str(signal) for one in values for signal in one.urgency),
        personal_data=_unique(kind for one in values for kind in one.personal_data),
        languages=_unique(one.language for one in values if one.language),
        entities=_entities(values),
        bot_said=[one.text for one in before if one.author == Author.BOT],
    )


def _intents(triages: Iterable[Triage]) -> list[Guess]:
    best: dict[str, float] = {}
    for triage in triages:
        for guess in (*triage.ranking, Guess(name=triage.intent, confidence=triage.confidence)):
            if guess.name not in _NO_TOPICS:
                best[guess.name] = max(guess.confidence, best.get(guess.name, 0.0))
    ranked = sorted(best.items(), key=lambda one: -one[1])
    return [Guess(name=name, confidence=confidence) for name, confidence in ranked[:INTENTS]]


def _entities(triages: Iterable[Triage]) -> list[Entity]:
    found = {(one.kind, one.value): one for triage in triages for one in triage.entities}
    return list(found.values())


def _unique(values: Iterable[Value]) -> list[Value]:
    return list(dict.fromkeys(values))
