"""All tables of the desk in PostgreSQL, and the words that their columns hold."""

from handoff.account_tables import ApiTokenRow, AuditRow, PresenceRow, SessionRow, SignInAttemptRow, UserRow
from handoff.history_tables import (
    DERIVED,
    ConversationRow,
    Delivery,
    EpisodeRow,
    EventRow,
    InstallationRow,
    MessageRow,
    NoteRow,
    OffsetRow,
    Role,
    Table,
    TicketRow,
    TicketState,
)

__all__ = [
    "DERIVED",
    "ApiTokenRow",
    "AuditRow",
    "ConversationRow",
    "Delivery",
    "EpisodeRow",
    "EventRow",
    "InstallationRow",
    "MessageRow",
    "NoteRow",
    "OffsetRow",
    "PresenceRow",
    "Role",
    "SessionRow",
    "SignInAttemptRow",
    "Table",
    "TicketRow",
    "TicketState",
    "UserRow",
]
