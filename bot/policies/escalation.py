"""When a person should take over, and why: a pure decision over what was understood of a customer's messages."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import takewhile

from bot.conversation.events import Priority, Reason
from bot.conversation.languages import name_of
from bot.conversation.triage import Category, Severity, Triage, Urgency
from bot.policies.thresholds import Thresholds

TALK_TO_HUMAN = "talk_to_human"
MAKE_COMPLAINT = "make_complaint"
AFFIRM = "affirm"
COMPLAINT_FORM = "complaint_form"
"""The form that asks for the facts of a complaint."""
LEAVING = ("goodbye", TALK_TO_HUMAN)
"""Intents with which a customer ends the questions about a complaint."""

NOT_UNDERSTOOD = ("nlu_fallback", "out_of_scope")


class Step(StrEnum):
    """What the bot should do about it."""

    HAND_OVER = "hand_over"
    ACKNOWLEDGE = "acknowledge"
    """Show that the complaint was understood, ask its facts, then hand over."""
    OFFER = "offer"
    """Offer a person; the customer decides."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A customer's message as the decision sees it. `at_s` is its time in seconds since the epoch.

    `intent` is the full name of the intent, `about_complaint` says that the bot had asked for the facts of a complaint,
    `offer` is the reason for which the bot offered a person in its answer, `answerable` says that the bot may answer.
    """

    intent: str
    triage: Triage
    at_s: float = 0.0
    about_complaint: bool = False
    offer: Reason | None = None
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """A step with its evidence. `cause` is finer than the reason: it chooses what the customer is told."""

    step: Step
    reason: Reason
    priority: Priority
    cause: str
    skill: str = "general"
    topic: Category | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    details: tuple[str, ...] = ()


def decide(history: Sequence[Turn], thresholds: Thresholds) -> Decision | None:
    """Say whether the last message of `history` calls for a person.

    The first rule that applies gives step and reason; the priority is the most urgent of all that apply, so that who
    asks for a person and blames does not wait longer than who only blames; the rule that made it so is told, too.

    Args:
        history: the customer's messages, oldest first, since a person last had the conversation.
        thresholds: where the lines are.
    """
    found = all_that_call(history, thresholds)
    if not found:
        return None
    first, pressing = found[0], min(found, key=lambda each: each.priority)
    return replace(first, priority=pressing.priority, details=tuple(dict.fromkeys((*first.details, *pressing.details))))


def all_that_call(history: Sequence[Turn], thresholds: Thresholds) -> list[Decision]:
    """Return what each rule that applies to the last message would decide by itself; the one that wins comes first."""
    if not history:
        return []
    last = history[-1]
    recent = [turn for turn in history if last.at_s - turn.at_s <= thresholds.window_s]
    return [decision for rule in _RULES if (decision := rule(recent, thresholds))]


def _urgent(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    triage = history[-1].triage
    signals = [signal for signal in triage.urgency if signal in limits.urgent]
    if not signals:
        return None
    worst = min(signals, key=lambda signal: limits.urgent[signal])
    names = ", ".join(signals)
    return _decision(Step.HAND_OVER, Reason.URGENT, limits.urgent[worst], worst, history, limits, f"Urgent: {names}")


def _language(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    last = history[-1]
    code = last.triage.language
    if last.about_complaint or code is None or limits.speaks(code):
        return None
    cause = f"language_{code}" if code in limits.told_in else "language"
    detail = f"The customer writes in {name_of(code)}, which the assistant doesn't speak"
    return _decision(Step.HAND_OVER, Reason.LANGUAGE, Priority.P3, cause, history, limits, detail)


def _wish(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    last = history[-1]
    if last.about_complaint:
        sure = last.triage.confidence >= limits.leaving_confidence
        if last.intent not in LEAVING or not sure:
            return None
        gravest = min(history, key=lambda turn: (_complaint_priority(turn, limits), -turn.triage.complaint))
        return _decision(
            Step.HAND_OVER,
            Reason.COMPLAINT,
            _complaint_priority(gravest, limits),
            "complaint_cut_short",
            history,
            limits,
            "The customer didn't want to answer more questions about the complaint",
            told_by=gravest,
        )
    if last.intent == TALK_TO_HUMAN:
        return _decision(
            Step.HAND_OVER,
            Reason.CUSTOMER_REQUEST,
            Priority.P3,
            Reason.CUSTOMER_REQUEST,
            history,
            limits,
            "The customer asked for a person",
        )
    offer = history[-2].offer if len(history) > 1 else None
    if offer and last.intent == AFFIRM:
        offered = _fallback(history[:-1], limits)
        why = offered.details if offered and offer is offered.reason else ()
        accepted = "The customer accepted the offer of a person"
        return _decision(Step.HAND_OVER, offer, Priority.P3, "offer_accepted", history, limits, *why, accepted)
    return None


def _blame(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    if _severity(history[-1], limits) is not Severity.BLAME:
        return None
    priority = limits.complaint_priority[Severity.BLAME]
    return _decision(Step.HAND_OVER, Reason.COMPLAINT, priority, Severity.BLAME, history, limits)


def _sensitive(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    last = history[-1]
    priority = limits.sensitive.get(last.intent)
    if priority is None or last.triage.confidence < limits.sensitive_confidence:
        return None
    reason = Reason.SENSITIVE_TOPIC
    return _decision(Step.HAND_OVER, reason, priority, reason, history, limits, f"Sensitive: {last.intent}")


def _complaint(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    last = history[-1]
    if last.about_complaint:
        return None
    severity = _severity(last, limits)
    if severity is None and last.intent != MAKE_COMPLAINT:
        return None
    level = severity or Severity.NONE
    wish = ["The customer wants to make a complaint"] if last.intent == MAKE_COMPLAINT else []
    priority = limits.complaint_priority[level]
    return _decision(Step.ACKNOWLEDGE, Reason.COMPLAINT, priority, level, history, limits, *wish)


def _mood(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    values = [turn.triage.sentiment_value for turn in history[-limits.negative_turns :]]
    if history[-1].about_complaint or len(values) < limits.negative_turns:
        return None
    mean = sum(values) / len(values)
    worse = values[-1] <= values[0] and values[-1] <= limits.negative_last
    if mean > limits.negative_mean or max(values) > 0 or not worse:
        return None
    trend = ", ".join(f"{value:+.2f}" for value in values)
    detail = f"Mood over the last {len(values)} messages: {trend}"
    reason = Reason.NEGATIVE_SENTIMENT
    return _decision(Step.HAND_OVER, reason, Priority.P3, reason, history, limits, detail)


def _fallback(history: Sequence[Turn], limits: Thresholds) -> Decision | None:
    count = len(list(takewhile(lambda turn: turn.intent in NOT_UNDERSTOOD, reversed(history))))
    if history[-1].about_complaint or count < limits.fallbacks:
        return None
    reason = Reason.REPEATED_FALLBACK
    detail = f"{count} messages in a row were not understood"
    return _decision(Step.OFFER, reason, Priority.P4, reason, history, limits, detail)


_RULES: tuple[Callable[[Sequence[Turn], Thresholds], Decision | None], ...] = (
    _urgent,
    _language,
    _wish,
    _blame,
    _complaint,
    _sensitive,
    _mood,
    _fallback,
)
"""In the order of who wins."""


def _severity(turn: Turn, limits: Thresholds) -> Severity | None:
    """Return how severe a complaint the message is, or None if it isn't one."""
    return turn.triage.severity if turn.triage.complaint >= _complaint_from(turn, limits) else None


def _complaint_from(turn: Turn, limits: Thresholds) -> float:
    """Return the probability from which the message is a complaint; above 1 if it never is one."""
    least = limits.complaint.get(turn.triage.severity, math.inf)
    answered = turn.answerable and turn.intent not in NOT_UNDERSTOOD
    return least if answered else min(least, limits.unanswered_complaint)


def _complaint_priority(turn: Turn, limits: Thresholds) -> Priority:
    return limits.complaint_priority[_severity(turn, limits) or Severity.NONE]


def _decision(
    step: Step,
    reason: Reason,
    priority: Priority,
    cause: str,
    history: Sequence[Turn],
    limits: Thresholds,
    *details: str,
    told_by: Turn | None = None,
) -> Decision:
    """Return a decision about the last message; its evidence is that message, or the one that `told_by` names."""
    told_by = told_by or history[-1]
    raising = raising_signals(history[-1].triage, limits)
    lines = [*details, *evidence(told_by, limits)]
    if raising:
        priority = raised(priority)
        lines.append(raised_by(raising))
    topic = next(iter(_categories(history)), None)
    return Decision(
        step=step,
        reason=reason,
        priority=priority,
        cause=str(cause),
        skill=limits.skills.get(topic, "general") if topic else "general",
        topic=topic,
        scores=_scores(told_by.triage),
        details=tuple(lines),
    )


def evidence(turn: Turn, limits: Thresholds) -> list[str]:
    """Return the lines that tell what is known of a complaint; none if the message isn't one."""
    lines = []
    triage, severity = turn.triage, _severity(turn, limits)
    if severity:
        least = _complaint_from(turn, limits)
        lines.append(f"Complaint {triage.complaint:.2f} (from {least:.2f}), severity {severity}")
        if triage.categories:
            lines.append(f"About {', '.join(triage.categories)}")
        if triage.remedies:
            lines.append(f"Wants {', '.join(triage.remedies)}")
    return lines


def _scores(triage: Triage) -> dict[str, float]:
    scores = {
        "confidence": triage.confidence,
        "complaint": triage.complaint,
        "sentiment": triage.sentiment_value,
    }
    if triage.severity is not Severity.NONE and triage.severity in triage.severity_scores:
        scores["severity"] = triage.severity_scores[triage.severity]
    return {name: round(value, 3) for name, value in scores.items()}


def _categories(history: Sequence[Turn]) -> list[Category]:
    return [category for turn in reversed(history) for category in turn.triage.categories]


def raising_signals(triage: Triage, limits: Thresholds) -> list[Urgency]:
    """Return the signals that bring nobody at once, but raise the priority by one."""
    return [signal for signal in triage.urgency if signal not in limits.urgent]


def raised_by(signals: Sequence[Urgency]) -> str:
    """Return the line that tells why a priority was raised."""
    return f"Priority raised: {', '.join(signals)}"


def raised(priority: Priority) -> Priority:
    """Return the priority above one."""
    order = list(Priority)
    return order[max(order.index(priority) - 1, 0)]
