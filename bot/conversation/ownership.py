"""Who answers: every move of ownership, as pure functions of a state and `now`.

A move returns the new state and its events; the caller writes both with one `Log.append`.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.conversation.errors import BadInput, Conflict
from bot.conversation.events import (
    Author,
    EpisodeClosed,
    Event,
    HandoffRequested,
    MessageSent,
    NoteAdded,
    Outcome,
    OwnerChanged,
    Priority,
    Reason,
    ReturnedToBot,
    TicketAssigned,
    TicketClaimed,
    TicketResolved,
)
from bot.conversation.ids import AgentId, MessageId, TicketId, new_id
from bot.conversation.state import BOT, QUEUE, Handoff, State, agent_owner

MAX_REPLY_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Move:
    """A decision that is not yet written."""

    state: State
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts: `name` is what customers see."""

    id: AgentId
    name: str


def hand_over(state: State, handoff: Handoff, now: datetime) -> Move:
    """Move a conversation from the bot to the queue and open a ticket.

    Raises:
        Conflict: it is not the bot's.
    """
    if not state.owned_by_bot:
        raise Conflict(f"the conversation is with {state.owner_name or 'the queue'} already")
    ticket = TicketId(new_id("t"))
    new = _owned(state, QUEUE, "", now).model_copy(
        update={
            "ticket": ticket,
            "priority": handoff.priority,
            "queued_at": now,
            "handoffs": state.handoffs + 1,
            "unfinished": None,
        }
    )
    requested = HandoffRequested(
        at=now,
        episode=state.episode,
        ticket=ticket,
        reason=handoff.reason,
        priority=handoff.priority,
        skill=handoff.skill,
        scores=dict(handoff.scores or {}),
        facts=dict(handoff.facts or {}),
        details=tuple(handoff.details),
    )
    return Move(new, (requested, _changed(state, new, now)))


def claim(state: State, agent: Agent, now: datetime) -> Move:
    """Give the waiting ticket to an agent; claiming one's own again changes nothing.

    Raises:
        Conflict: another agent has it, or there is nothing to claim.
    """
    if state.owner == agent_owner(agent.id):
        return Move(state, ())
    if state.owner != QUEUE or state.ticket is None:
        raise Conflict(f"{state.owner_name or 'the bot'} has this conversation already")
    new = _owned(state, agent_owner(agent.id), agent.name, now)
    claimed = TicketClaimed(at=now, episode=state.episode, ticket=state.ticket, agent=agent.id, agent_name=agent.name)
    return Move(new, (claimed, _changed(state, new, now)))


def assign(state: State, to: Agent, by: Agent, now: datetime, anybodys: bool = False) -> Move:
    """Give an open ticket to another agent; to the one who has it already changes nothing.

    Args:
        state: of the conversation.
        to: who has it from now on.
        by: who gives it away: the agent who has it, or anyone if it may be `anybodys`.
        now: the present time.
        anybodys: it may be one that waits, or another agent's.

    Raises:
        Conflict: it is not `by`'s to give, or there is no open ticket.
    """
    if state.owner == agent_owner(to.id):
        return Move(state, ())
    ticket = state.ticket if anybodys and state.ticket else _require(state, by)
    new = _owned(state, agent_owner(to.id), to.name, now)
    assigned = TicketAssigned(
        at=now, episode=state.episode, ticket=ticket, agent=to.id, agent_name=to.name, by=by.id, by_name=by.name
    )
    return Move(new, (assigned, _changed(state, new, now)))


def take_over(state: State, agent: Agent, now: datetime) -> Move:
    """Take a conversation from the bot: a hand-over and a claim in one step.

    Raises:
        Conflict: it is not the bot's.
    """
    handed = hand_over(
        state,
        Handoff(Reason.AGENT_TAKEOVER, Priority.P3, details=(f"{agent.name} took over from the bot",)),
        now,
    )
    claimed = claim(handed.state, agent, now)
    return Move(claimed.state, handed.events + claimed.events)


def reply(state: State, agent: Agent, text: str, now: datetime, message: MessageId | None = None) -> Move:
    """Say something to the customer as the agent who has the conversation.

    Raises:
        Conflict: the agent does not have it.
        BadInput: the text is empty or too long.
    """
    _require(state, agent)
    sent = MessageSent(
        at=now,
        episode=state.episode,
        message=message or MessageId(new_id("m")),
        author=Author.AGENT,
        author_name=agent.name,
        agent=agent.id,
        text=_checked(text),
    )
    return Move(state, (sent,))


def note(state: State, agent: Agent, text: str, now: datetime) -> Move:
    """Write an internal note.

    Raises:
        BadInput: the text is empty or too long.
    """
    added = NoteAdded(
        at=now,
        episode=state.episode,
        ticket=state.ticket,
        agent=agent.id,
        agent_name=agent.name,
        text=_checked(text),
    )
    return Move(state, (added,))


def resolve(state: State, agent: Agent, outcome: Outcome, comment: str, now: datetime) -> Move:
    """Close the ticket and the episode; the bot answers what comes next, as a new episode.

    Raises:
        Conflict: the agent does not have the conversation.
    """
    ticket = _require(state, agent)
    new = _freed(state, now).model_copy(update={"episode": None})
    events = (
        TicketResolved(at=now, episode=state.episode, ticket=ticket, agent=agent.id, outcome=outcome, comment=comment),
        _changed(state, new, now),
        EpisodeClosed(at=now, episode=state.episode, by=agent.id),
    )
    return Move(new, events)


def return_to_bot(state: State, agent: Agent, now: datetime) -> Move:
    """Give the conversation back to the bot; the episode goes on.

    Raises:
        Conflict: the agent does not have the conversation.
    """
    ticket = _require(state, agent)
    new = _freed(state, now)
    returned = ReturnedToBot(at=now, episode=state.episode, ticket=ticket, agent=agent.id)
    return Move(new, (returned, _changed(state, new, now)))


def _require(state: State, agent: Agent) -> TicketId:
    if state.owner != agent_owner(agent.id) or state.ticket is None:
        holder = state.owner_name or ("the queue" if state.owner == QUEUE else "the bot")
        raise Conflict(f"this conversation is with {holder}, not with {agent.name}")
    return state.ticket


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise BadInput("the text is empty")
    if len(text) > MAX_REPLY_CHARS:
        raise BadInput(f"the text has {len(text)} characters; at most {MAX_REPLY_CHARS} are accepted")
    return text


def _owned(state: State, owner: str, name: str, now: datetime) -> State:
    return state.model_copy(
        update={
            "owner": owner,
            "owner_name": name,
            "owner_since": now,
            "owner_version": state.owner_version + 1,
        }
    )


def _freed(state: State, now: datetime) -> State:
    return _owned(state, BOT, "", now).model_copy(
        update={"ticket": None, "priority": None, "queued_at": None, "returned": True}
    )


def _changed(old: State, new: State, now: datetime) -> OwnerChanged:
    return OwnerChanged(
        at=now,
        episode=old.episode,
        owner=new.owner,
        previous=old.owner,
        owner_version=new.owner_version,
    )
