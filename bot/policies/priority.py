"""How soon a single message should be seen, and why: the escalation's own rules, applied to one triage."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from bot.conversation.events import Priority, Reason
from bot.conversation.triage import Triage
from bot.policies.escalation import Decision, Turn, all_that_call, evidence, raised, raised_by, raising_signals
from bot.policies.thresholds import Thresholds


class Why(BaseModel):
    """One reason for a priority: a code, what set it off, and the evidence in words."""

    model_config = ConfigDict(frozen=True)

    code: Reason = Field(examples=["complaint"])
    cause: str = Field(description="finer than the code: a severity, a signal, …", examples=["blame"])
    details: tuple[str, ...] = Field((), examples=[["Complaint 0.97 (from 0.50), severity blame", "About delivery"]])


class PrioritisedTriage(Triage):
    """A triage with the priority that follows from it; P4 without a reason means that nobody is called for."""

    priority: Priority = Priority.P4
    reasons: tuple[Why, ...] = Field((), description="the one that weighs most in a conversation comes first")


def prioritise(triage: Triage, thresholds: Thresholds) -> PrioritisedTriage:
    """Return a triage with its priority: the one that a handoff would have if the message began a conversation.

    No bot answers here, so what is more likely a complaint than not counts even if there is an answer to it.
    """
    turn = Turn(intent=triage.intent, triage=triage, answerable=False)
    decisions = all_that_call([turn], thresholds)
    raising = raising_signals(triage, thresholds)
    priority = min((each.priority for each in decisions), default=raised(Priority.P4) if raising else Priority.P4)
    complaint = evidence(turn, thresholds)
    shared = {*complaint, raised_by(raising)}
    reasons: dict[Reason, Why] = {}
    for each in decisions:
        own = [line for line in each.details if line not in shared]
        about = complaint if each.reason is Reason.COMPLAINT else ()
        reasons.setdefault(each.reason, _why(each, [*own, *about]))
    found = list(reasons.values())
    if raising:
        found.append(Why(code=Reason.URGENT, cause=str(raising[0]), details=(raised_by(raising),)))
    # Every value is one of a valid triage already.
    return PrioritisedTriage.model_construct(**dict(triage), priority=priority, reasons=tuple(found))


def _why(decision: Decision, details: Iterable[str]) -> Why:
    return Why(code=decision.reason, cause=decision.cause, details=tuple(details))
