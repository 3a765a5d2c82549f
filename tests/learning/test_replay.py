"""What a model would make of past conversations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.events import (
    CustomerMessageReceived,
    EpisodeStarted,
    Event,
    HandoffRequested,
    Priority,
    Reason,
    TicketClaimed,
    TurnTaken,
)
from bot.conversation.ids import AgentId, ConversationId, EpisodeId, MessageId, TicketId
from bot.conversation.triage import Severity, Triage, Urgency
from bot.learning.replay import Past, Replay, Replayed, course, past_of, triaged
from bot.policies.thresholds import Thresholds

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
WEB, EPISODE = ConversationId("web:c"), EpisodeId("e1")
LIMITS = Thresholds()

FINE = Triage(intent="faq/delivery_time", confidence=0.9)
LOST = Triage(intent="nlu_fallback", confidence=0.2)
YES = Triage(intent="affirm", confidence=0.9)
PERSON = Triage(intent="talk_to_human", confidence=0.9)
CROSS = Triage(intent="nlu_fallback", complaint=0.9, severity=Severity.ACCUSATION)
URGENT = Triage(intent="faq/delivery_time", urgency=(Urgency.SAFETY,))
FORM = {"event": "active_loop", "name": "complaint_form", "timestamp": 1.0}


class Story:
    """Writes the events of an episode."""

    def __init__(self) -> None:
        self.events: list[Event] = [EpisodeStarted(at=START, episode=EPISODE, channel="web")]
        self.count = 0

    def says(self, triage: Triage | None, text: str = "hello", turn: bool = True, **more: object) -> "Story":
        forms = more.pop("forms", ())
        self.count += 1
        at, message = START + timedelta(minutes=self.count), MessageId(f"m{self.count}")
        fields = {"at": at, "episode": EPISODE, "message": message, "channel_message": "p", "text": text}
        self.events.append(CustomerMessageReceived.model_validate({**fields, "triage": triage, **more}))
        if turn:
            self.events.append(TurnTaken(at=at, episode=EPISODE, in_reply_to=message, rasa_events=forms))
        return self

    def handed_over(self, reason: Reason = Reason.COMPLAINT) -> "Story":
        fields = {"at": START, "episode": EPISODE, "ticket": TicketId("t"), "priority": Priority.P3}
        self.events.append(HandoffRequested(**fields, reason=reason))
        return self

    def claimed(self) -> "Story":
        fields = {"at": START, "episode": EPISODE, "ticket": TicketId("t"), "agent_name": "Anna"}
        self.events.append(TicketClaimed(**fields, agent=AgentId("anna")))
        return self

    @property
    def past(self) -> Past:
        return past_of(WEB, EPISODE, self.events)


def replayed(past: Past, after: Sequence[Triage], before: Sequence[Triage] | None = None) -> Replayed:
    replay = Replay(7, "live.tar.gz", LIMITS, LIMITS)
    replay.add(past, after, before or [heard.triage for heard in past.messages])
    return replay.result()


def test_nothing_changes_where_the_triages_are_the_same() -> None:
    past = Story().says(FINE).says(PERSON).handed_over(Reason.CUSTOMER_REQUEST).past
    found = replayed(past, [FINE, PERSON])
    assert (found.episodes, found.messages, found.changed, found.newly, found.no_longer) == (1, 2, 0, 0, 0)
    assert (found.as_logged, found.cut, found.kept) == (1, 0, 0)


@pytest.mark.parametrize(
    ("after", "reason"), [(PERSON, Reason.CUSTOMER_REQUEST), (CROSS, Reason.COMPLAINT), (URGENT, Reason.URGENT)]
)
def test_an_episode_that_newly_goes_to_a_person_is_named_with_the_reason(after: Triage, reason: Reason) -> None:
    found = replayed(Story().says(FINE).says(FINE).past, [FINE, after])
    assert (found.newly, found.no_longer) == (1, 0)
    change = found.newly_handed_over[0]
    assert (change.conversation, change.episode, change.message, change.reason) == (WEB, EPISODE, "m2", reason)


def test_an_episode_that_no_longer_goes_to_a_person_is_named_and_its_rest_is_not_guessed() -> None:
    past = Story().says(FINE).says(PERSON).handed_over().says(FINE, turn=False).says(URGENT, turn=False).past
    found = replayed(past, [FINE, FINE, FINE, URGENT])
    assert (found.newly, found.no_longer, found.cut) == (0, 1, 1)
    assert found.no_longer_handed_over[0].message == "m2"


def test_an_intent_that_changes_is_counted_by_pair() -> None:
    found = replayed(Story().says(FINE).says(FINE).says(YES).past, [LOST, FINE, LOST])
    assert found.changed == 2
    assert {(pair.before, pair.after, pair.count) for pair in found.pairs} == {
        ("faq/delivery_time", "nlu_fallback", 1),
        ("affirm", "nlu_fallback", 1),
    }
    assert [(one.message, one.after) for one in found.changes] == [("m1", "nlu_fallback"), ("m3", "nlu_fallback")]


def test_a_person_that_only_the_replay_offers_can_be_accepted_in_it() -> None:
    past = Story().says(FINE).says(FINE).says(YES).past
    assert course(past, [LOST, LOST, YES], LIMITS).handoff
    assert not course(past, [FINE, LOST, YES], LIMITS).handoff


def test_answers_to_a_form_that_would_not_have_begun_are_not_replayed() -> None:
    past = Story().says(CROSS, forms=[FORM]).says(PERSON).says(FINE).past
    assert past.messages[1].in_form
    assert past.handed_over
    found = course(past, [FINE, PERSON, FINE], LIMITS)
    assert (found.handoff, found.cut) == (None, True)
    assert course(past, [CROSS, PERSON, FINE], LIMITS).handoff


def test_a_form_that_ended_is_no_longer_asked_in() -> None:
    ended = {**FORM, "name": None}
    past = Story().says(CROSS, forms=[FORM]).says(FINE, forms=[ended]).says(FINE).past
    assert [heard.in_form for heard in past.messages] == [False, True, False]


@pytest.mark.parametrize("how", ["claimed", "failed"])
def test_a_person_who_came_without_the_policy_ends_the_replay(how: str) -> None:
    story = Story().says(FINE)
    past = (story.claimed() if how == "claimed" else story.handed_over(Reason.BOT_FAILURE)).says(PERSON).past
    assert not past.handed_over
    assert course(past, [FINE, PERSON], LIMITS).cut


def test_buttons_commands_and_attachments_keep_what_was_logged() -> None:
    story = Story().says(FINE, button="b1").says(FINE, "/start").says(FINE, " ").says(FINE, "how long?")
    past = story.says(None, "the triage of this one failed").past
    assert [heard.read for heard in past.messages] == [False, False, False, True]
    assert list(triaged([past], [LOST])) == [[FINE, FINE, FINE, LOST]]
    assert replayed(past, [FINE, FINE, FINE, LOST]).kept == 3


def test_a_log_that_went_another_way_than_its_replay_is_counted() -> None:
    assert replayed(Story().says(PERSON).past, [PERSON]).as_logged == 0


def test_the_thresholds_of_each_model_are_its_own() -> None:
    strict = Thresholds(complaint={Severity.ACCUSATION: 0.99}, unanswered_complaint=0.99)
    replay = Replay(7, None, strict, LIMITS)
    replay.add(Story().says(CROSS).past, [CROSS], [CROSS])
    found = replay.result()
    assert (found.before, found.no_longer) == ("the log", 1)
