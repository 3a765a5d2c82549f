"""What was said in past episodes, read in portions, for those who learn from it."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import JSONPATH, array

from bot.conversation.events import Event
from bot.conversation.ids import ConversationId, EpisodeId
from handoff.database import Database
from handoff.history import event_of
from handoff.tables import EpisodeRow, EventRow

AT_ONCE = 200
TYPES = ("customer_message_received", "turn_taken", "handoff_requested", "ticket_claimed")
"""What tells who said what to whom, and what came of it."""

_FORMS = """$[*] ? (@.event == "active_loop")"""
"""Of Rasa's own events, which are many and long, those that tell when a form began and ended."""

Episode = tuple[ConversationId, EpisodeId, list[Event]]


async def past_episodes(database: Database, since: datetime) -> AsyncIterator[list[Episode]]:
    """Yield the episodes that began since a moment, the oldest first, each with its events of `TYPES` in order.

    Of Rasa's own events only those about forms are kept.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    after: tuple[datetime, str] = (since, "")
    while True:
        async with database.session() as session:
            place = select(EpisodeRow.started_at, EpisodeRow.id, EpisodeRow.conversation)
            later = (EpisodeRow.started_at > after[0]) | (
                (EpisodeRow.started_at == after[0]) & (EpisodeRow.id > after[1])
            )
            query = place.where(later).order_by(EpisodeRow.started_at, EpisodeRow.id).limit(AT_ONCE)
            rows = (await session.execute(query)).all()
            if not rows:
                return
            found = {row.id: (row.conversation, row.id, list[Event]()) for row in rows}
            forms = func.jsonb_path_query_array(EventRow.data["rasa_events"], cast(_FORMS, JSONPATH))
            slim = func.jsonb_set(EventRow.data, array(["rasa_events"]), forms, False)
            events = (
                select(EventRow.episode, func.coalesce(slim, EventRow.data))
                .where(EventRow.episode.in_(found), EventRow.type.in_(TYPES), EventRow.applied)
                .order_by(EventRow.conversation, EventRow.seq)
            )
            for episode, data in await session.execute(events):
                if event := event_of(data):
                    found[episode][2].append(event)
        yield list(found.values())
        after = (rows[-1].started_at, rows[-1].id)
