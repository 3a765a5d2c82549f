"""The snapshot of a conversation: what the next decision needs, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bot.conversation.events import Priority, Reason
from bot.conversation.ids import AgentId, ConversationId, EpisodeId, TicketId

BOT = "bot"
QUEUE = "queue"


def agent_owner(agent: AgentId) -> str:
    """Return the owner value of an agent."""
    return f"agent:{agent}"


class KnownButton(BaseModel):
    """What a button that the bot sent means when it is pressed."""

    model_config = ConfigDict(frozen=True)

    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """Why a conversation goes to a person, and the evidence for it."""

    reason: Reason
    priority: Priority
    skill: str = "general"
    scores: Mapping[str, float] | None = None
    facts: Mapping[str, str] | None = None
    details: Sequence[str] = ()


class Unfinished(BaseModel):
    """A handoff that waits only for what the customer was asked; it is made at `due_at` if they say nothing more."""

    model_config = ConfigDict(frozen=True)

    handoff: Handoff
    due_at: AwareDatetime


class State(BaseModel):
    """Who owns a conversation and where it stands; changed only together with events, by `Log.append`."""

    model_config = ConfigDict(frozen=True)

    owner: str = BOT
    owner_version: int = 0
    owner_name: str = ""
    owner_since: AwareDatetime | None = None
    ticket: TicketId | None = None
    priority: Priority | None = None
    queued_at: AwareDatetime | None = None
    episode: EpisodeId | None = None
    last_customer_at: AwareDatetime | None = None
    customer_name: str = ""
    handoffs: int = 0
    returned: bool = False
    """True from an agent's return until the bot's next turn."""
    unfinished: Unfinished | None = None
    buttons: dict[str, KnownButton] = Field(default_factory=dict)

    @property
    def owned_by_bot(self) -> bool:
        """Say whether the bot answers."""
        return self.owner == BOT


class Snapshot(BaseModel):
    """A conversation's state at a version. `version` counts decisions, `seq` counts events.

    `assistant` is the bot's own memory (slots, active loop, the last events of Rasa's tracker) as JSON text,
    opaque to everyone else.
    """

    model_config = ConfigDict(frozen=True)

    conversation: ConversationId
    version: int = 0
    seq: int = 0
    state: State = State()
    assistant: str = ""
