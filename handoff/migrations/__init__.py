"""Alembic revisions of the desk's tables, packaged so that an installed Frontdesk can run them.

A new one: change handoff/tables.py, then write `versions/NNNN_what.py` by hand or from
`alembic.autogenerate.compare_metadata`; tests/handoff/test_database.py fails until both agree.
"""
