"""Arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="data folder of the installation (default: .frontdesk)")
]
ReadyOption = Annotated[int | None, typer.Option("--ready-fd", hidden=True)]


class AccountRole(StrEnum):
    """What a user or a token may do; the same values as `handoff.tables.Role`, without its imports."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    DESIGNER = "designer"
    ADMIN = "admin"


class InputKind(StrEnum):
    """How a file of messages is made; the same values as `bot.triage.rows.Kind`, without its imports."""

    CSV = "csv"
    JSONL = "jsonl"
    MBOX = "mbox"
