"""The desk's operations on a real log and a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.conversation.errors import BadInput, Conflict, NotFound, Unavailable
from bot.conversation.events import Author, MessageDelivered, MessageFailed, Outcome, Priority, Reason, utc_now
from bot.conversation.ids import AgentId, ConversationId, TicketId
from bot.conversation.keys import DESK
from bot.conversation.log import Log
from bot.conversation.ownership import Agent
from bot.conversation.state import BOT
from bot.conversation.triage import Entity, Guess, Sentiment, Severity, Triage
from bot.settings import Settings
from handoff.desk import Desk
from handoff.lists import ConversationFilters, TicketFilters
from handoff.tables import Delivery, TicketState
from tests.handoff.scenes import bot_says, customer_says, hand_over, project

ANNA = Agent(AgentId("a1"), "Anna")
BEN = Agent(AgentId("a2"), "Ben")
KIM = ConversationId("web:kim")
LEE = ConversationId("telegram:4711")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


async def test_two_agents_claim_at_once_and_one_wins(log, database, desk) -> None:
    ticket = await hand_over(log, KIM)
    await project(log, database)
    results = await asyncio.gather(desk.claim(KIM, ANNA, ticket), desk.claim(KIM, BEN, ticket), return_exceptions=True)
    won = [one for one in results if not isinstance(one, Exception)]
    lost = [one for one in results if isinstance(one, Exception)]
    assert len(won) == len(lost) == 1
    assert won[0].state == TicketState.ACTIVE
    assert isinstance(lost[0], Conflict)
    assert won[0].assignee_name in str(lost[0])
    assert (await desk.ticket(ticket)).assignee == won[0].assignee


async def test_the_winner_may_claim_again(log, desk) -> None:
    ticket = await hand_over(log, KIM)
    first = await desk.claim(KIM, ANNA, ticket)
    again = await desk.claim(KIM, ANNA, ticket)
    assert again == first


async def test_an_agent_hands_a_ticket_on_with_a_note(log, database, desk) -> None:
    ticket = await hand_over(log, KIM)
    await desk.claim(KIM, ANNA)
    given = await desk.assign(KIM, ANNA, BEN, " Speaks French. ", ticket)
    assert (given.state, given.assignee, given.assignee_name) == (TicketState.ACTIVE, BEN.id, "Ben")
    assert await desk.assign(KIM, ANNA, BEN, "again", ticket) == given
    await project(log, database)
    (listed,) = (await desk.queue(TicketFilters(assignee=BEN.id))).items
    assert listed.claimed_at == given.claimed_at
    view = await desk.conversation(KIM)
    assert [(one.agent_name, one.text) for one in view.notes] == [("Anna", "Speaks French.")]
    assert [(one.by, one.text) for one in view.moments if one.type == "ticket_assigned"] == [("Anna", "Ben")]
    with pytest.raises(Conflict, match="is with Ben, not with Anna"):
        await desk.reply(KIM, ANNA, "still me")
    assert (await desk.reply(KIM, BEN, "Bonjour")).author_name == "Ben"


async def test_only_ones_own_ticket_may_be_given_away_unless_anybodys_may(log, desk) -> None:
    await hand_over(log, KIM)
    with pytest.raises(Conflict, match="with the queue"):
        await desk.assign(KIM, ANNA, BEN)
    assert (await desk.assign(KIM, ANNA, BEN, anybodys=True)).assignee == BEN.id
    with pytest.raises(Conflict, match="is with Ben"):
        await desk.assign(KIM, ANNA, ANNA)
    assert (await desk.assign(KIM, ANNA, ANNA, anybodys=True)).assignee == ANNA.id
    await desk.resolve(KIM, ANNA, Outcome.SOLVED)
    with pytest.raises(Conflict, match="with the bot"):
        await desk.assign(KIM, ANNA, BEN, anybodys=True)


async def test_a_reply_that_meets_a_handing_on_is_said_before_it_or_not_at_all(log, desk) -> None:
    await hand_over(log, KIM)
    await desk.claim(KIM, ANNA)
    said, given = await asyncio.gather(
        desk.reply(KIM, ANNA, "One moment."), desk.assign(KIM, ANNA, BEN), return_exceptions=True
    )
    assert given.assignee == BEN.id
    view = await desk.conversation(KIM)
    moved = next(one.seq for one in view.moments if one.type == "ticket_assigned")
    replies = [one.seq < moved for one in view.transcript if one.author_name == "Anna"]
    assert replies == ([] if isinstance(said, Conflict) else [True])


async def test_a_claim_holds_while_the_customer_writes(log, desk) -> None:
    await hand_over(log, KIM)

    async def write() -> None:
        for number in range(15):
            try:
                await customer_says(log, KIM, f"hello? {number}")
            except Conflict:
                continue

    await asyncio.gather(desk.claim(KIM, ANNA), write())
    assert (await log.load(KIM)).state.owner_name == "Anna"


async def test_the_queue_is_in_order_of_priority_and_waiting_time(log, database, desk) -> None:
    wanted = []
    for number, (priority, minute) in enumerate(
        [(Priority.P3, 0), (Priority.P1, 9), (Priority.P2, 5), (Priority.P1, 3), (Priority.P4, 1), (Priority.P2, 5)]
    ):
        now = NOON + timedelta(minutes=minute)
        ticket = await hand_over(log, f"web:{number}", priority, now=now)
        wanted.append((priority, now, ticket))
    await project(log, database)
    queue = await desk.queue()
    assert [ticket.id for ticket in queue.items] == [ticket for _, _, ticket in sorted(wanted)]

    paged, cursor = [], None
    while True:
        page = await desk.queue(cursor=cursor, limit=2)
        paged += [ticket.id for ticket in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == [ticket.id for ticket in queue.items]
    newest = await desk.queue(TicketFilters(newest_first=True), limit=3)
    rest = await desk.queue(TicketFilters(newest_first=True), newest.next_cursor)
    assert [one.requested_at for one in (*newest.items, *rest.items)] == sorted(
        (at for _, at, _ in wanted), reverse=True
    )


async def test_the_queue_is_filtered(log, database, desk) -> None:
    urgent = await hand_over(log, "web:kim", Priority.P1, Reason.URGENT)
    await hand_over(log, "telegram:4711")
    await desk.claim(ConversationId("telegram:4711"), BEN)
    await project(log, database)

    async def found(**filters: object) -> list[str]:
        return [one.conversation for one in (await desk.queue(TicketFilters(**filters))).items]

    assert await found() == ["web:kim", "telegram:4711"]
    assert await found(states=(TicketState.WAITING,)) == ["web:kim"]
    assert await found(priorities=(Priority.P1,)) == ["web:kim"]
    assert await found(reasons=(Reason.CUSTOMER_REQUEST,)) == ["telegram:4711"]
    assert await found(channels=("web", "rest")) == ["web:kim"]
    assert await found(assignee=BEN.id) == ["telegram:4711"]
    assert await found(skill="billing") == []
    assert await found(search="KIM lee") == ["web:kim", "telegram:4711"]
    assert await found(search="%") == []
    assert await desk.counts() == {TicketState.WAITING: 1, TicketState.ACTIVE: 1}
    assert (await desk.ticket(urgent)).reason == Reason.URGENT


@pytest.mark.parametrize("cursor", ["x", "bm9wZQ", "WyJQMSIsICJ4IiwgInkiXQ", "WyJQMSIsICIyMDI2LTAxLTAxIiwgInkiXQ"])
async def test_a_foreign_cursor_is_refused(desk, cursor) -> None:
    with pytest.raises(BadInput, match="cursor"):
        await desk.queue(cursor=cursor)


async def test_an_agent_sees_the_own_reply_at_once_then_what_became_of_it(log, database, desk) -> None:
    await hand_over(log, LEE)
    await project(log, database)
    await desk.claim(LEE, ANNA)
    said = await desk.reply(LEE, ANNA, " I look into it. ")
    assert (said.delivery, said.text, said.author_name) == (Delivery.SENDING, "I look into it.", "Anna")
    view = await desk.conversation(LEE)
    assert view.transcript[-1] == said
    assert (view.owner_name, view.unanswered_since) == ("Anna", None)
    await project(log, database)
    assert (await desk.conversation(LEE)).transcript[-1] == said

    failed = await desk.reply(LEE, ANNA, "And again.")
    for event in (
        MessageDelivered(at=utc_now(), message=said.id, channel_message="9"),
        MessageFailed(at=utc_now(), message=failed.id, error="blocked by the customer"),
    ):
        await log.append(await log.load(LEE), [event])
    first, second = (await desk.conversation(LEE)).transcript[-2:]
    assert (first.delivery, second.delivery, second.trouble) == (
        Delivery.DELIVERED,
        Delivery.FAILED,
        "blocked by the customer",
    )


async def test_a_reply_with_the_same_id_is_said_once(log, database, desk) -> None:
    ticket = await hand_over(log, LEE)
    await desk.claim(LEE, ANNA)
    both = await asyncio.gather(*[desk.reply(LEE, ANNA, "Hello!", "click-1") for _ in range(5)])
    assert {one.id for one in both} == {both[0].id}
    await project(log, database)
    assert (await desk.reply(LEE, ANNA, "Hello!", "click-1")).id == both[0].id
    await desk.resolve(LEE, ANNA, Outcome.SOLVED)
    assert (await desk.reply(LEE, ANNA, "Hello!", "click-1", ticket)).id == both[0].id
    said = [one for one in (await desk.conversation(LEE)).transcript if one.author == Author.AGENT]
    assert len(said) == 1
    assert len(await log.redis.xrange(log.keys_of(LEE).outbox)) == 1
    with pytest.raises(Conflict):
        await desk.reply(LEE, ANNA, "Hello!", "click-2")


async def test_who_does_not_have_the_conversation_may_write_a_note_but_no_reply(log, desk) -> None:
    await hand_over(log, LEE)
    await desk.claim(LEE, ANNA)
    with pytest.raises(Conflict, match="with Anna"):
        await desk.reply(LEE, BEN, "Hi")
    with pytest.raises(Conflict, match="with Anna"):
        await desk.resolve(LEE, BEN, Outcome.SOLVED)
    note = await desk.note(LEE, BEN, "I know this customer.")
    view = await desk.conversation(LEE)
    assert view.notes == [note]
    assert all("know this customer" not in one.text for one in view.transcript)


@pytest.mark.parametrize("text", ["", " \n ", "x" * 20_001])
async def test_a_reply_that_is_empty_or_too_long_is_refused(log, desk, text) -> None:
    await hand_over(log, LEE)
    await desk.claim(LEE, ANNA)
    with pytest.raises(BadInput):
        await desk.reply(LEE, ANNA, text)


async def test_a_second_handoff_of_the_same_customer_is_a_new_ticket(log, database, desk) -> None:
    first = await hand_over(log, KIM)
    await desk.claim(KIM, ANNA, first)
    closed = await desk.resolve(KIM, ANNA, Outcome.REFUNDED, " money is back ", first)
    assert (closed.state, closed.outcome, closed.comment) == (TicketState.RESOLVED, "refunded", "money is back")
    assert (await log.load(KIM)).state.owner == BOT

    second = await hand_over(log, KIM)
    await project(log, database)
    with pytest.raises(Conflict, match="closed"):
        await desk.claim(KIM, BEN, first)
    assert (await desk.claim(KIM, BEN, second)).handoff == 2
    returned = await desk.return_to_bot(KIM, BEN, second)
    assert returned.state == TicketState.RETURNED
    snapshot = await log.load(KIM)
    assert (snapshot.state.owner, snapshot.state.returned) == (BOT, True)
    third = await hand_over(log, KIM)
    view = await desk.conversation(KIM)
    assert [one.id for one in view.tickets] == [third, second, first]
    assert [one.state for one in view.tickets] == ["waiting", "returned", "resolved"]
    assert len({one.episode for one in view.tickets}) == 2


async def test_an_agent_takes_over_from_the_bot(log, desk) -> None:
    await customer_says(log, KIM, "where is it?")
    ticket = await desk.take_over(KIM, ANNA)
    assert (ticket.state, ticket.reason, ticket.assignee) == ("active", "agent_takeover", ANNA.id)
    with pytest.raises(Conflict, match="with Anna already"):
        await desk.take_over(KIM, BEN)
    await desk.reply(KIM, ANNA, "Hello", ticket=ticket.id)


async def test_the_view_holds_the_evidence(log, database, desk) -> None:
    angry = Triage(
        intent="faq/delivery",
        confidence=0.8,
        ranking=(Guess(name="faq/delivery", confidence=0.8), Guess(name="complain", confidence=0.15)),
        complaint=0.93,
        severity=Severity.BLAME,
        sentiment=Sentiment.NEGATIVE,
        sentiment_value=-0.7,
        language="en",
        entities=(Entity(kind="order_number", value="LF-20481", start=0, end=8),),
    )
    message = await customer_says(log, LEE, "LF-20481 is late AGAIN", angry)
    await bot_says(log, LEE, "I am sorry to hear that.")
    await customer_says(log, LEE, "person!", Triage(intent="deny", confidence=0.99, sentiment_value=-0.9))
    await project(log, database)
    ticket = await hand_over(log, LEE, Priority.P2, Reason.COMPLAINT)
    await desk.claim(LEE, ANNA, ticket)
    await bot_says(log, LEE, "Too late to be evidence.")
    view = await desk.conversation(LEE)
    evidence = view.evidence
    assert evidence is not None
    assert (evidence.reason, evidence.scores) == (Reason.COMPLAINT, {"ask": 0.9})
    assert [one.name for one in evidence.intents] == ["faq/delivery", "complain"]
    assert [one.value for one in evidence.sentiment] == [-0.7, -0.9]
    assert evidence.sentiment[0].message == message
    assert (evidence.severity, evidence.complaint) == (Severity.BLAME, 0.93)
    assert [one.value for one in evidence.entities] == ["LF-20481"]
    assert evidence.languages == ["en"]
    assert evidence.bot_said == ["I am sorry to hear that."]
    assert view.transcript[0].triage == angry
    assert [(one.type, one.by, one.text) for one in view.moments] == [
        ("episode_started", "customer", ""),
        ("handoff_requested", "", "complaint"),
        ("ticket_claimed", "Anna", ""),
    ]
    await desk.resolve(LEE, ANNA, Outcome.SOLVED)
    await project(log, database)
    assert [(one.type, one.by) for one in (await desk.conversation(LEE)).moments][-2:] == [
        ("ticket_resolved", "Anna"),
        ("episode_closed", "Anna"),
    ]


async def test_a_long_conversation_is_read_page_by_page(log, database, desk) -> None:
    await customer_says(log, KIM, "hello")
    for number in range(25):
        await bot_says(log, KIM, f"{number}")
        if number == 12:
            await project(log, database)
    texts, before = [], None
    while True:
        view = await desk.conversation(KIM, before, limit=10)
        texts = [one.text for one in view.transcript] + texts
        before = view.earlier
        if before is None:
            break
        await project(log, database)
    assert texts == ["hello", *[f"{number}" for number in range(25)]]


async def test_conversations_are_listed(log, database, desk) -> None:
    await customer_says(log, KIM, "hello", now=NOON)
    await hand_over(log, LEE, now=NOON + timedelta(minutes=1))
    await bot_says(log, LEE, "One moment.", now=NOON + timedelta(minutes=2))
    await project(log, database)

    async def found(**filters: object) -> list[str]:
        return [one.id for one in (await desk.conversations(ConversationFilters(**filters))).items]

    assert await found() == [LEE, KIM]
    assert await found(owner="bot") == [KIM]
    assert await found(owner="agent") == []
    assert await found(unanswered=True) == [KIM]
    assert await found(since=NOON + timedelta(minutes=1)) == [LEE]
    page = await desk.conversations(limit=1)
    assert [one.id for one in (await desk.conversations(cursor=page.next_cursor)).items] == [KIM]


async def test_what_is_not_there_is_not_found(desk) -> None:
    with pytest.raises(NotFound):
        await desk.conversation(KIM)
    with pytest.raises(NotFound):
        await desk.claim(KIM, ANNA)
    with pytest.raises(NotFound):
        await desk.ticket(TicketId("t0"))


async def test_workers_are_told_who_is_there_and_how_long_it_takes(log, database) -> None:
    clock = [NOON]
    desk = Desk(log, database, Settings(), now=lambda: clock[0])
    await desk.publish_presence()
    assert await log.redis.hgetall(DESK) == {"agents_online": "0", "handle_s": "360.0"}
    for number, minutes in enumerate((2, 4)):
        conversation = ConversationId(f"web:{number}")
        await hand_over(log, conversation, now=clock[0])
        await desk.claim(conversation, ANNA)
        clock[0] += timedelta(minutes=minutes)
        await desk.resolve(conversation, ANNA, Outcome.SOLVED)
    await desk.seen(BEN)
    await project(log, database)
    await desk.publish_presence()
    assert await log.redis.hgetall(DESK) == {"agents_online": "2", "handle_s": "180.0"}
    assert await desk.online() == [ANNA, BEN]
    await desk.left(BEN.id)
    assert await desk.online() == [ANNA]
    clock[0] += timedelta(minutes=3)
    assert await desk.online() == []


async def test_a_redis_that_is_away_is_unavailable(database) -> None:
    nobody = Redis.from_url("redis://127.0.0.1:9", decode_responses=True)
    desk = Desk(Log(nobody, 4), database, Settings())
    with pytest.raises(Unavailable):
        await desk.claim(KIM, ANNA)
    with pytest.raises(Unavailable):
        await desk.conversation(KIM)
    await nobody.aclose()
