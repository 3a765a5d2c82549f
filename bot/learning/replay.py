"""What a model would make of past conversations: which intents change, which episodes would go to a person or not.

Each episode is replayed up to its first handoff: the escalation policy decides over the customer's messages with the
triage that a model gives them now. What the bot would have answered is not replayed, so a replay ends where the
conversation would have gone another way: where the log shows a person, or questions about a complaint, that the model
would not have brought. Messages that NLU never read (buttons, commands, attachments) keep what was logged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from bot.conversation.events import (
    CustomerMessageReceived,
    Event,
    HandoffRequested,
    Reason,
    TicketClaimed,
    TurnTaken,
)
from bot.conversation.ids import ConversationId, EpisodeId, MessageId
from bot.conversation.triage import Triage
from bot.policies.escalation import COMPLAINT_FORM, Decision, Step, Turn, decide
from bot.policies.thresholds import Thresholds

LISTED = 100
"""How many messages, and how many episodes of a kind, a report names."""
BY_LOG = "the log"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a customer in the log, with what followed it.

    `read` is False if NLU was not asked; `by_bot` if the bot took the turn, `in_form` if it had asked for the facts of
    a complaint before, `person_after` if a person came in after it, `handed_over` if that was the bot's decision.
    """

    message: MessageId
    at: AwareDatetime
    text: str
    triage: Triage
    read: bool
    by_bot: bool = False
    in_form: bool = False
    person_after: bool = False
    handed_over: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """An episode as the log has it."""

    conversation: ConversationId
    episode: EpisodeId
    messages: tuple[Heard, ...]

    @property
    def handed_over(self) -> bool:
        """The bot gave it to a person, or asked the facts of a complaint in order to."""
        return any(heard.handed_over or heard.in_form for heard in self.messages)


@dataclass(frozen=True, slots=True)
class Course:
    """How an episode goes with some triages: after which message it goes to a person and why; if it was cut short."""

    handoff: tuple[MessageId, Decision] | None = None
    cut: bool = False


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntentChange(_Value):
    """A message that gets another intent."""

    conversation: str
    message: str
    at: AwareDatetime
    before: str
    after: str


class IntentPair(_Value):
    """How many messages go from one intent to another."""

    before: str
    after: str
    count: int


class EpisodeChange(_Value):
    """An episode that would newly go to a person, or no longer; `reason` and `message` tell of the handoff."""

    conversation: str
    episode: str
    message: str
    reason: Reason
    cause: str


class Replayed(_Value):
    """What changes in the last `days` days against `before`, which is a model's file name, or the log.

    `kept` messages were not read by NLU. `cut` episodes could be replayed only in part. `as_logged` episodes go in the
    replay of `before` as they went in the log; the more they are of all, the more the replay can be trusted.
    """

    days: int
    before: str
    episodes: int
    messages: int
    kept: int
    cut: int
    as_logged: int
    changed: int
    changes: tuple[IntentChange, ...]
    pairs: tuple[IntentPair, ...]
    newly: int
    newly_handed_over: tuple[EpisodeChange, ...]
    no_longer: int
    no_longer_handed_over: tuple[EpisodeChange, ...]

    def pct(self, count: int) -> float:
        """Return a count of episodes as a share of all that were replayed, in percent."""
        return 100 * count / self.episodes if self.episodes else 0.0


def past_of(conversation: ConversationId, episode: EpisodeId, events: Iterable[Event]) -> Past:
    """Return an episode of the log's events, which come in their order."""
    heard: list[Heard] = []
    in_form = False
    for event in events:
        match event:
            case CustomerMessageReceived(triage=Triage() as triage):
                text = event.text.strip()
                read = bool(text) and not text.startswith("/") and event.button is None
                heard.append(Heard(event.message, event.at, event.text, triage, read, in_form=in_form))
            case TurnTaken() if heard and heard[-1].message == event.in_reply_to:
                heard[-1] = replace(heard[-1], by_bot=True)
                in_form = _in_form(event.rasa_events, in_form)
            case HandoffRequested() if heard:
                handed_over = event.reason is not Reason.BOT_FAILURE
                heard[-1] = replace(heard[-1], person_after=True, handed_over=handed_over)
            case TicketClaimed() if heard:
                heard[-1] = replace(heard[-1], person_after=True)
    return Past(conversation, episode, tuple(heard))


def course(past: Past, triages: Sequence[Triage], thresholds: Thresholds) -> Course:
    """Return how an episode goes if its messages have these triages."""
    turns: list[Turn] = []
    for heard, triage in zip(past.messages, triages, strict=True):
        if heard.in_form or not heard.by_bot:
            return Course(cut=True)
        turns.append(Turn(intent=triage.intent, triage=triage, at_s=heard.at.timestamp()))
        decision = decide(turns, thresholds)
        if decision and decision.step in (Step.HAND_OVER, Step.ACKNOWLEDGE):
            return Course((heard.message, decision))
        if heard.person_after:
            return Course(cut=True)
        if decision:
            turns[-1] = replace(turns[-1], offer=decision.reason)
    return Course()


class Replay:
    """Adds up what changes, episode by episode.

    Args:
        days: how many days the episodes are of.
        before: the name of what is compared with; None if that is the log.
        thresholds: the escalation's, of the model.
        thresholds_before: those of the other model.
    """

    def __init__(self, days: int, before: str | None, thresholds: Thresholds, thresholds_before: Thresholds) -> None:
        self._days = days
        self._before = before
        self._thresholds = thresholds
        self._thresholds_before = thresholds_before
        self._count: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._changes: list[IntentChange] = []
        self._newly: list[EpisodeChange] = []
        self._no_longer: list[EpisodeChange] = []

    def add(self, past: Past, after: Sequence[Triage], before: Sequence[Triage]) -> None:
        """Count an episode in; `after` and `before` hold the triages that the two give its messages."""
        now = course(past, after, self._thresholds)
        then = course(past, before, self._thresholds_before)
        self._count["episodes"] += 1
        self._count["messages"] += len(past.messages)
        self._count["kept"] += sum(not heard.read for heard in past.messages)
        self._count["cut"] += now.cut
        self._count["as_logged"] += (then.handoff is not None) == past.handed_over
        for heard, new, old in zip(past.messages, after, before, strict=True):
            if new.intent != old.intent:
                self._pairs[old.intent, new.intent] += 1
                _keep(
                    self._changes,
                    IntentChange(
                        conversation=past.conversation,
                        message=heard.message,
                        at=heard.at,
                        before=old.intent,
                        after=new.intent,
                    ),
                )
        if now.handoff and not then.handoff:
            self._count["newly"] += 1
            _keep(self._newly, _changed(past, *now.handoff))
        if then.handoff and not now.handoff:
            self._count["no_longer"] += 1
            _keep(self._no_longer, _changed(past, *then.handoff))

    def result(self) -> Replayed:
        """Return what was found."""
        names = ("episodes", "messages", "kept", "cut", "as_logged", "newly", "no_longer")
        return Replayed(
            days=self._days,
            before=self._before or BY_LOG,
            changed=self._pairs.total(),
            changes=tuple(self._changes),
            pairs=tuple(IntentPair(before=b, after=a, count=n) for (b, a), n in self._pairs.most_common()),
            newly_handed_over=tuple(self._newly),
            no_longer_handed_over=tuple(self._no_longer),
            **{name: self._count[name] for name in names},
        )


def triaged(pasts: Sequence[Past], said: Iterable[Triage]) -> Iterator[list[Triage]]:
    """Return the triages of each episode's messages: the next of `said` where NLU reads one, else what was logged."""
    fresh = iter(said)
    for past in pasts:
        yield [next(fresh) if heard.read else heard.triage for heard in past.messages]


def _keep(found: list[Any], one: BaseModel) -> None:
    if len(found) < LISTED:
        found.append(one)


def _changed(past: Past, message: MessageId, decision: Decision) -> EpisodeChange:
    return EpisodeChange(
        conversation=past.conversation,
        episode=past.episode,
        message=message,
        reason=decision.reason,
        cause=decision.cause,
    )


def _in_form(events: Iterable[Mapping[str, Any]], before: bool) -> bool:
    for event in events:
        if event.get("event") == "active_loop":
            before = event.get("name") == COMPLAINT_FORM
    return before
