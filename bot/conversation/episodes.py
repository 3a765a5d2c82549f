"""Episodes: where one contact of a customer ends and the next begins."""

from datetime import datetime, timedelta

from bot.conversation.events import EpisodeClosed, EpisodeStarted, Event
from bot.conversation.ids import EpisodeId, new_id
from bot.conversation.state import State

IDLE = "idle"


def begin(state: State, channel: str, now: datetime, idle_s: int) -> tuple[list[Event], State]:
    """Return the events and the state with which a customer message begins, or goes on with, an episode.

    An episode ends after `idle_s` seconds in which the bot has the conversation and the customer says nothing. As long
    as a person has it, or somebody waits for one, it stays open.
    """
    events: list[Event] = []
    if state.episode and state.last_customer_at and state.owned_by_bot:
        last = max(state.last_customer_at, state.owner_since or state.last_customer_at)
        end = last + timedelta(seconds=idle_s)
        if now > end:
            events.append(EpisodeClosed(at=end, episode=state.episode, by=IDLE))
            state = state.model_copy(update={"episode": None})
    if state.episode is None:
        state = state.model_copy(update={"episode": EpisodeId(new_id("e"))})
        events.append(EpisodeStarted(at=now, episode=state.episode, channel=channel))
    return events, state
