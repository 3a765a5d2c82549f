"""Which messages are worth a label; pure. The more a label would teach, the sooner a message comes."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.conversation.events import Outcome
from bot.conversation.triage import Guess, Sentiment, Severity, Triage
from bot.learning.likeness import alike
from bot.policies.escalation import MAKE_COMPLAINT, NOT_UNDERSTOOD, TALK_TO_HUMAN

ALIKE = 0.75
"""From this share of common words on, two messages teach the same."""

SMALL_TALK = frozenset({"greet", "goodbye", "thanks", "affirm", "deny", "skip"})

_ANSWERED = frozenset(Outcome) - {Outcome.SPAM, Outcome.DUPLICATE, Outcome.NO_ANSWER}
_MARGIN = 0.25
"""Two and a half times what config.yml asks of an answer."""
_UNSURE = (0.4, 0.6)
"""Probabilities of a complaint that could go either way."""
_SURE, _UNLIKELY = 0.7, 0.3
_BAD_MOOD, _GOOD_MOOD = -0.6, 0.4


class Why(StrEnum):
    """Why a message was chosen."""

    WRAP_UP = "agent_answered"
    NOT_UNDERSTOOD = "not_understood"
    DISAGREEMENT = "heads_disagree"
    CLOSE = "close_call"


_WORTH = {Why.WRAP_UP: 3.0, Why.NOT_UNDERSTOOD: 2.0, Why.DISAGREEMENT: 2.0, Why.CLOSE: 1.0}


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a customer wrote to the bot, redacted, with how an agent later closed the case, if one did."""

    message: str
    at: datetime
    channel: str
    text: str
    triage: Triage
    outcome: Outcome | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A message to label: why, in words for people, and how many of the period it stands for, itself included."""

    said: Said
    why: tuple[tuple[Why, str], ...]
    alike: int = 1


def reasons(said: Said) -> list[tuple[Why, str]]:
    """Return why a message is worth a label, with the evidence in words; empty if it is not."""
    triage = said.triage
    found = []
    if said.outcome in _ANSWERED and triage.intent not in SMALL_TALK | {TALK_TO_HUMAN}:
        found.append((Why.WRAP_UP, f"an agent closed the case as {said.outcome}"))
    if triage.intent in NOT_UNDERSTOOD:
        found.append((Why.NOT_UNDERSTOOD, "the assistant did not understand it"))
    elif (margin := _margin(triage.ranking)) < _MARGIN:
        found.append((Why.CLOSE, f"the first guess is only {margin:.2f} ahead of the second"))
    found += [(Why.DISAGREEMENT, told) for told in _disagreements(triage)]
    if _UNSURE[0] <= triage.complaint <= _UNSURE[1]:
        found.append((Why.CLOSE, f"a complaint or not: {triage.complaint:.2f}"))
    return found


def choose(candidates: Iterable[Said], known: Sequence[str], limit: int) -> list[Chosen]:
    """Return the messages that teach most, the best first; one of each group that says nearly the same.

    Args:
        candidates: messages; those without a reason are left out.
        known: texts that have a label already; what is nearly the same is left out, too.
        limit: the most that are returned.
    """
    worth = [(said, why) for said in candidates if (why := reasons(said))]
    worth.sort(key=lambda pair: (-max(_WORTH[kind] for kind, _ in pair[1]), -len(pair[1]), pair[0].at))
    texts = {said.text: None for said, _ in worth}
    taught = {text for text, _ in alike(list(texts), list(known), least=ALIKE)}
    near: dict[str, set[str]] = defaultdict(set)
    for one, other in alike([text for text in texts if text not in taught], least=ALIKE):
        near[one].add(other)
        near[other].add(one)
    counts: dict[str, int] = defaultdict(int)
    for said, _ in worth:
        counts[said.text] += 1
    chosen, gone = [], taught
    for said, why in worth:
        if said.text not in gone:
            group = {said.text, *(near[said.text] - gone)}
            gone |= group
            chosen.append(Chosen(said, tuple(why), sum(counts[text] for text in group)))
    return sorted(chosen, key=_rank)[:limit]


def _rank(chosen: Chosen) -> tuple[float, datetime, str]:
    worth = sum(_WORTH[kind] for kind in {kind for kind, _ in chosen.why}) + math.log2(chosen.alike)
    return -worth, chosen.said.at, chosen.said.message


def _margin(ranking: Sequence[Guess]) -> float:
    return ranking[0].confidence - ranking[1].confidence if len(ranking) > 1 else 1.0


def _disagreements(triage: Triage) -> list[str]:
    complaint, mood = triage.complaint, triage.sentiment_value
    severity = _best(triage.severity_scores)
    small_talk = triage.intent in SMALL_TALK or triage.intent.startswith("chitchat/")
    found = [
        (
            triage.intent == MAKE_COMPLAINT and complaint < _UNLIKELY,
            f"the intent is {MAKE_COMPLAINT}, but hardly a complaint",
        ),
        (small_talk and complaint >= _SURE, f"a complaint, but the intent is {triage.intent}"),
        (complaint >= _SURE and mood >= _GOOD_MOOD, "a complaint, but the mood is good"),
        (complaint < _UNLIKELY and mood <= _BAD_MOOD, "no complaint, but the mood is bad"),
        (complaint >= _SURE and severity is Severity.NONE, "a complaint, but without any reproach"),
        (
            complaint < _UNLIKELY and severity in (Severity.ACCUSATION, Severity.BLAME),
            f"no complaint, but the severity is {severity}",
        ),
        (bool(triage.urgency) and triage.sentiment is Sentiment.POSITIVE, "urgent, but the mood is good"),
    ]
    return [f"{told} (complaint {complaint:.2f}, mood {mood:+.2f})" for wrong, told in found if wrong]


def _best(scores: Mapping[Severity, float]) -> Severity | None:
    return max(scores, key=scores.__getitem__) if scores else None
