"""What became of an episode: facts in, exactly one outcome out. docs/definitions.md is made from these definitions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.conversation.events import Author, Reason
from bot.conversation.ids import ConversationId, EpisodeId

SMALL_TALK = frozenset({"greet", "goodbye", "thanks", "affirm", "deny"})
"""Intents that alone make no contact: somebody said hello and left."""
CHITCHAT = "chitchat/"
CONFIRMING = frozenset({"thanks", "affirm", "chitchat/compliment"})
"""What a customer says after an answer that helped."""


class EpisodeOutcome(StrEnum):
    """The one outcome of an ended episode; all of them sum to 100 %."""

    SELF_SERVED_VERIFIED = "self_served_verified"
    SELF_SERVED_ASSUMED = "self_served_assumed"
    HUMAN_SERVED = "human_served"
    HANDOFF_UNSERVED = "handoff_unserved"
    ABANDONED = "abandoned"
    NOT_ENGAGED = "not_engaged"


DEFINITIONS = {
    EpisodeOutcome.SELF_SERVED_VERIFIED: "the bot answered, and the customer then thanked it or said yes",
    EpisodeOutcome.SELF_SERVED_ASSUMED: "the bot answered last, and the customer left without a word",
    EpisodeOutcome.HUMAN_SERVED: "an agent replied",
    EpisodeOutcome.HANDOFF_UNSERVED: "handed over, and no agent ever replied",
    EpisodeOutcome.ABANDONED: "the customer left before any answer, or after a message that the bot did not understand",
    EpisodeOutcome.NOT_ENGAGED: "only a greeting or small talk, or marked as spam by an agent",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One message of an episode, as far as outcomes and clocks need it."""

    at: datetime
    author: Author
    intent: str | None = None
    answers: bool = False
    """True for a bot's message that answers a question (an FAQ answer)."""
    attachments: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """One handoff of an episode."""

    reason: Reason
    requested_at: datetime
    first_agent_reply_at: datetime | None
    spam: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """An episode, with everything that figures are made of. Messages and handoffs are in order of time."""

    id: EpisodeId
    conversation: ConversationId
    customer: str
    channel: str
    started_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    said: Sequence[Said]
    handoffs: Sequence[Served] = ()
    offered: Sequence[Reason] = field(default=())

    @property
    def intent(self) -> str:
        """The first intent that is not small talk; `none` if there was no other."""
        return next((one.intent for one in self.said if _serious(one) and one.intent), "none")

    @property
    def engaged(self) -> bool:
        """The customer wanted something: said more than small talk, sent a file, or got to a person."""
        if any(handoff.spam for handoff in self.handoffs):
            return False
        return bool(self.handoffs) or any(_serious(one) for one in self.said)


def ended_at(facts: Facts, idle_s: int, now: datetime) -> datetime | None:
    """Return when an episode ended: its close, or the end of its idle time; None while it goes on.

    An episode that a person has, or that waits for one, ends by its close only.
    """
    if facts.closed_at is not None:
        return facts.closed_at
    if facts.handoffs and facts.closed_by is None and not _given_back(facts):
        return None
    last = max((one.at for one in facts.said if one.author is Author.CUSTOMER), default=facts.started_at)
    end = last + timedelta(seconds=idle_s)
    return end if end < now else None


def _given_back(facts: Facts) -> bool:
    """Say whether the bot spoke after the last handoff, so that the episode is the bot's again."""
    asked = facts.handoffs[-1].requested_at
    return any(one.author is Author.BOT and one.at > asked for one in facts.said)


def outcome_of(facts: Facts) -> EpisodeOutcome:
    """Return the outcome of an ended episode. Source: design.md, "Metrics: definitions"."""
    if not facts.engaged:
        return EpisodeOutcome.NOT_ENGAGED
    if any(one.author is Author.AGENT for one in facts.said):
        return EpisodeOutcome.HUMAN_SERVED
    if facts.handoffs:
        return EpisodeOutcome.HANDOFF_UNSERVED
    answers = [place for place, one in enumerate(facts.said) if one.answers]
    if not answers:
        return EpisodeOutcome.ABANDONED
    after = [one for one in facts.said[answers[-1] + 1 :] if one.author is Author.CUSTOMER]
    if any(one.intent in CONFIRMING for one in after):
        return EpisodeOutcome.SELF_SERVED_VERIFIED
    return EpisodeOutcome.ABANDONED if any(_serious(one) for one in after) else EpisodeOutcome.SELF_SERVED_ASSUMED


def waiting_for_customer(facts: Facts, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return the spans in which the customer was to speak next: from the company's last word to the customer's next."""
    spans = []
    since: datetime | None = None
    for one in facts.said:
        if one.author is Author.CUSTOMER:
            if since is not None:
                spans.append((since, one.at))
            since = None
        elif one.author in (Author.BOT, Author.AGENT):
            since = since or one.at
    if since is not None and since < end:
        spans.append((since, end))
    return spans


def _serious(one: Said) -> bool:
    if one.author is not Author.CUSTOMER:
        return False
    intent = one.intent or ""
    return one.attachments or not (intent in SMALL_TALK or intent.startswith(CHITCHAT))
