"""Past episodes are read as they were written, without what nobody needs of them."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.events import CustomerMessageReceived, Priority, Reason, TurnTaken
from bot.conversation.ids import ConversationId, MessageId
from bot.conversation.log import Log
from bot.conversation.ownership import hand_over
from bot.conversation.state import Handoff
from bot.conversation.triage import Triage
from handoff import past
from handoff.database import Database
from handoff.past import Episode, past_episodes
from tests.handoff.scenes import bot_says, customer_says, project

START = datetime(2026, 11, 20, 9, tzinfo=UTC)
FORM = {"event": "active_loop", "name": "complaint_form", "timestamp": 1.0}
SAID = {"event": "user", "text": "long and of no use here", "timestamp": 1.0}


async def turn(log: Log, conversation: str, message: MessageId, *rasa_events: dict) -> None:
    snapshot = await log.load(ConversationId(conversation))
    event = TurnTaken(at=START, episode=snapshot.state.episode, in_reply_to=message, rasa_events=rasa_events)
    await log.append(snapshot, [event])


async def read(database: Database, since: datetime) -> list[Episode]:
    return [each async for portion in past_episodes(database, since) for each in portion]


async def test_an_episode_comes_with_its_events_in_order_and_only_the_forms_of_rasa(
    log: Log, database: Database
) -> None:
    first = await customer_says(log, "web:a", "it broke", Triage(intent="faq/product_fault"), START)
    await bot_says(log, "web:a", "Sorry to hear that.")
    await turn(log, "web:a", first, SAID, FORM)
    second = await customer_says(log, "web:a", "it \0 broke", None, START + timedelta(minutes=1))
    await turn(log, "web:a", second)
    snapshot = await log.load(ConversationId("web:a"))
    move = hand_over(snapshot.state, Handoff(Reason.COMPLAINT, Priority.P3), START + timedelta(minutes=2))
    await log.append(snapshot, move.events, state=move.state)
    await project(log, database)

    ((conversation, episode, events),) = await read(database, START)
    assert (conversation, episode) == ("web:a", snapshot.state.episode)
    assert [event.type for event in events] == [
        "customer_message_received",
        "turn_taken",
        "customer_message_received",
        "turn_taken",
        "handoff_requested",
    ]
    assert [event.rasa_events for event in events if isinstance(event, TurnTaken)] == [(FORM,), ()]
    assert [event.triage for event in events if isinstance(event, CustomerMessageReceived)] == [
        Triage(intent="faq/product_fault"),
        None,
    ]


async def test_all_episodes_since_a_moment_come_once_the_oldest_first(
    log: Log, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "AT_ONCE", 2)
    for number in range(7):
        # Some begin at the very same moment.
        await customer_says(log, f"web:c{number}", "hello", None, START + timedelta(hours=number // 2))
    await project(log, database)
    found = await read(database, START + timedelta(hours=1))
    assert sorted(conversation for conversation, _, _ in found) == [f"web:c{number}" for number in range(2, 7)]
    starts = [events[0].at for _, _, events in found]
    assert starts == sorted(starts)
    assert await read(database, START + timedelta(days=1)) == []
