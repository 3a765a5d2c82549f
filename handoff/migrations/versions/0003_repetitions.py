"""Messages carry how often the customer may have got them besides, not only whether."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the mark a count."""
    op.execute("ALTER TABLE messages ALTER COLUMN repeated TYPE integer USING repeated::integer")


def downgrade() -> None:
    """Make the count a mark."""
    op.execute("ALTER TABLE messages ALTER COLUMN repeated TYPE boolean USING repeated > 0")
