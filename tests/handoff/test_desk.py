"""The desk's operations on a real log and a real database."""

import asyncio

from bot.conversation.errors import Conflict
from bot.conversation.ids import AgentId
from bot.conversation.ownership import Agent
from handoff.tables import TicketState
from tests.handoff.scenes import hand_over, project

ANNA = Agent(AgentId("a1"), "Anna")
BEN = Agent(AgentId("a2"), "Ben")


async def test_two_agents_claim_at_once_and_one_wins(log, database, desk):
    ticket = await hand_over(log, "web:kim")
    await project(log, database)
    results = await asyncio.gather(
        desk.claim("web:kim", ANNA, ticket), desk.claim("web:kim", BEN, ticket), return_exceptions=True
    )
    won = [one for one in results if not isinstance(one, Exception)]
    lost = [one for one in results if isinstance(one, Exception)]
    assert len(won) == len(lost) == 1
    assert won[0].state == TicketState.ACTIVE
    assert isinstance(lost[0], Conflict)
    assert won[0].assignee_name in str(lost[0])
    assert (await desk.ticket(ticket)).assignee == won[0].assignee
