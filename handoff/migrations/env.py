"""Alembic's entry point: runs the revisions on the connection that handoff.database.migrate gives it."""

from alembic import context

from handoff.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
