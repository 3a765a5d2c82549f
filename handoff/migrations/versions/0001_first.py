"""The first tables: history, what is derived from it, accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them all."""
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("agent", "supervisor", "designer", "admin", name="role", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_at", "audit", ["at"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("owner_name", sa.Text(), nullable=False),
        sa.Column("owner_version", sa.Integer(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=True),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("handoffs", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "last_author",
            sa.Enum("customer", "bot", "agent", "system", name="author", native_enum=False, length=40),
            nullable=True,
        ),
        sa.Column("last_text", sa.Text(), nullable=False),
        sa.Column("unanswered_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("conversations_last", "conversations", ["last_message_at", "id"])
    op.create_index("conversations_owner", "conversations", ["owner", "last_message_at", "id"])
    op.create_table(
        "episodes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("customer_messages", sa.Integer(), nullable=False),
        sa.Column("bot_messages", sa.Integer(), nullable=False),
        sa.Column("agent_messages", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("fallbacks", sa.Integer(), nullable=False),
        sa.Column("handoffs", sa.Integer(), nullable=False),
        sa.Column("offers", sa.Integer(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column(
            "reason",
            sa.Enum(
                "customer_request",
                "complaint",
                "negative_sentiment",
                "repeated_fallback",
                "urgent",
                "sensitive_topic",
                "bot_failure",
                "agent_takeover",
                name="reason",
                native_enum=False,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("first_customer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_customer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_reply_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handoff_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_agent_reply_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("episodes_closed", "episodes", ["closed_at"])
    op.create_index("episodes_conversation", "episodes", ["conversation", "first_seq"])
    op.create_index("episodes_handoff", "episodes", ["handoff_at"], postgresql_where=sa.text("handoff_at IS NOT NULL"))
    op.create_index("episodes_started", "episodes", ["started_at"])
    op.create_table(
        "events",
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("applied", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "seq"),
    )
    op.create_index("events_at", "events", ["at"])
    op.create_index("events_episode", "events", ["episode", "seq"])
    op.create_index("events_not_applied", "events", ["conversation", "seq"], postgresql_where=sa.text("NOT applied"))
    op.create_index("events_type_at", "events", ["type", "at"])
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "messages",
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "author",
            sa.Enum("customer", "bot", "agent", "system", name="author", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("button", sa.Text(), nullable=True),
        sa.Column("buttons", JSONB(), nullable=False),
        sa.Column("attachments", JSONB(), nullable=False),
        sa.Column("triage", JSONB(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("channel_message", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "delivery",
            sa.Enum("sending", "delivered", "failed", "dropped", name="delivery", native_enum=False, length=40),
            nullable=True,
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("edited_text", sa.Text(), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("conversation", "seq"),
    )
    op.create_index("messages_at", "messages", ["at"])
    op.create_index("messages_channel", "messages", ["conversation", "channel_message"])
    op.create_index("messages_episode", "messages", ["episode", "seq"])
    op.create_index("messages_id", "messages", ["conversation", "id"])
    op.create_index(
        "messages_undelivered",
        "messages",
        ["delivery", "at"],
        postgresql_where=sa.text("delivery IN ('sending', 'failed', 'dropped')"),
    )
    op.create_table(
        "notes",
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("agent_name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "seq"),
    )
    op.create_table(
        "offsets",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("projected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("partition"),
    )
    op.create_table(
        "presence",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("agent"),
    )
    op.create_index("presence_seen", "presence", ["seen_at"])
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("sessions_expires", "sessions", ["expires_at"])
    op.create_index("sessions_user", "sessions", ["user"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sign_in_attempts_at", "sign_in_attempts", ["at"])
    op.create_index("sign_in_attempts_name", "sign_in_attempts", ["name", "at"])
    op.create_table(
        "tickets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("handoff", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("waiting", "active", "resolved", "returned", name="ticketstate", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "customer_request",
                "complaint",
                "negative_sentiment",
                "repeated_fallback",
                "urgent",
                "sensitive_topic",
                "bot_failure",
                "agent_takeover",
                name="reason",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "priority", sa.Enum("P1", "P2", "P3", "P4", name="priority", native_enum=False, length=40), nullable=False
        ),
        sa.Column("skill", sa.Text(), nullable=False),
        sa.Column("scores", JSONB(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("assignee_name", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_agent_reply_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "solved",
                "information_given",
                "refunded",
                "replaced",
                "compensated",
                "passed_on",
                "no_answer",
                "duplicate",
                "spam",
                name="outcome",
                native_enum=False,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tickets_assignee", "tickets", ["assignee", "state"])
    op.create_index("tickets_closed", "tickets", ["closed_at"])
    op.create_index("tickets_conversation", "tickets", ["conversation", "seq"])
    op.create_index("tickets_episode", "tickets", ["episode"])
    op.create_index("tickets_queue", "tickets", ["state", "priority", "requested_at", "id"])
    op.create_index("tickets_requested", "tickets", ["requested_at", "id"])
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("agent", "supervisor", "designer", "admin", name="role", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
