"""Conversations keep the beginning of the last thing that the customer said, for the queue."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

FILL = """
UPDATE conversations SET customer_text = left(said.text, 200)
FROM (
    SELECT DISTINCT ON (conversation) conversation, text FROM messages
    WHERE author = 'customer' ORDER BY conversation, seq DESC
) AS said
WHERE said.conversation = conversations.id
"""


def upgrade() -> None:
    """Add the column and fill it from the messages."""
    op.add_column("conversations", sa.Column("customer_text", sa.Text(), nullable=False, server_default=""))
    op.execute(FILL)


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("conversations", "customer_text")
