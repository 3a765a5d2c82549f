"""Who may do what: the roles' rights in one table, and the caller that has them. docs/security.md shows the table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bot.conversation.errors import Forbidden
from bot.conversation.ids import AgentId
from bot.conversation.ownership import Agent
from handoff.tables import Role


class Right(StrEnum):
    """Something that a role may do."""

    READ = "read"
    """See the queue, conversations and transcripts; triage texts through the API."""
    SERVE = "serve"
    """Claim, reply, note, resolve, return, take over, hand one's own on."""
    MEASURE = "measure"
    """See the episodes behind figures, and figures through the API and Prometheus."""
    SUPERVISE = "supervise"
    """Give any open ticket to an agent; act in another agent's name through the API."""
    DESIGN = "design"
    """Review conversations for training; train and promote models."""
    ADMINISTER = "administer"
    """Manage users, tokens and settings; see the audit."""


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.AGENT: frozenset({Right.READ, Right.SERVE}),
    Role.SUPERVISOR: frozenset({Right.READ, Right.SERVE, Right.MEASURE, Right.SUPERVISE}),
    Role.DESIGNER: frozenset({Right.READ, Right.MEASURE, Right.DESIGN}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person with a session, or an integration with a token.

    `name` signs in, `display_name` is what customers see. While `must_change` holds, nothing is allowed but a new
    password.
    """

    id: AgentId
    name: str
    display_name: str
    role: Role
    kind: Literal["user", "token"] = "user"
    must_change: bool = False

    @property
    def agent(self) -> Agent:
        """The caller as the one who acts in a conversation."""
        return Agent(self.id, self.display_name)

    def may(self, right: Right) -> bool:
        """Say whether the caller has a right."""
        return not self.must_change and right in RIGHTS[self.role]

    def require(self, right: Right) -> None:
        """Refuse a caller who lacks a right.

        Raises:
            Forbidden: so it is.
        """
        if self.must_change:
            raise Forbidden("the one-time password must be changed first")
        if right not in RIGHTS[self.role]:
            raise Forbidden(f"the role {self.role} has no right to {right}")
