"""How the desk writes: a decision on what is true now, appended; decided again if something else came between."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import RedisError

from bot.conversation.errors import BadInput, Conflict, NotFound, Unavailable
from bot.conversation.events import Event
from bot.conversation.ids import ConversationId, MessageId, TicketId, new_id
from bot.conversation.log import Log
from bot.conversation.ownership import Agent, Move
from bot.conversation.state import State

TRIES = 20
MAX_MESSAGE_ID_CHARS = 200

Decide = Callable[[State], Move | Awaitable[Move]]


@dataclass(frozen=True, slots=True)
class Written:
    """What was decided: `seq` is the place of the last event, `ticket` the one that it was about."""

    conversation: ConversationId
    seq: int
    events: tuple[Event, ...]
    ticket: TicketId | None


async def write(log: Log, conversation: ConversationId, decide: Decide) -> Written:
    """Append the move that `decide` makes of the present state; a move without events writes nothing.

    Raises:
        Conflict: `decide` says so, or the conversation changes too fast.
        NotFound: nothing was ever said in it.
        Unavailable: Redis does not answer.
    """
    for _ in range(TRIES):
        with reachable():
            snapshot = await log.load(conversation)
            if snapshot.seq == 0:
                raise NotFound(f"there is no conversation {conversation}")
            before = snapshot.state
            decided = decide(before)
            move = decided if isinstance(decided, Move) else await decided
            if move.events:
                try:
                    new_state = None if move.state == before else move.state
                    snapshot = await log.append(snapshot, move.events, state=new_state)
                except Conflict:
                    continue
        return Written(conversation, snapshot.seq, move.events, move.state.ticket or before.ticket)
    raise Conflict("the conversation changes too fast; try again")


def message_id(conversation: ConversationId, agent: Agent, client_message: str) -> MessageId:
    """Return the id of a message that a client has named: the same name, the same id.

    Raises:
        BadInput: the client's name of it is too long.
    """
    if not client_message:
        return MessageId(new_id("m"))
    if len(client_message) > MAX_MESSAGE_ID_CHARS:
        raise BadInput(f"the message id is longer than {MAX_MESSAGE_ID_CHARS} characters")
    digest = hashlib.sha256("\0".join((conversation, agent.id, client_message)).encode())
    return MessageId("m" + digest.hexdigest()[:24])


@contextmanager
def reachable() -> Iterator[None]:
    """Translate what Redis raises when it does not answer.

    Raises:
        Unavailable: so it is.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("Redis does not answer") from error
