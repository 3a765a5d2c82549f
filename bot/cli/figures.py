"""`frontdesk metrics` and `frontdesk transcript`: figures and transcripts of a running installation."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli.options import DataOption

if TYPE_CHECKING:
    from bot.settings import Settings
    from handoff.desk import Desk
    from handoff.figures import FigureView

Result = TypeVar("Result")


class TableFormat(StrEnum):
    """How figures are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Group(StrEnum):
    """What figures can be grouped by; the same values as `handoff.metrics.By`, without its imports."""

    CHANNEL = "channel"
    INTENT = "intent"
    REASON = "reason"
    DAY = "day"


class Written(StrEnum):
    """How a transcript is written; the same values as `handoff.transcripts.Format`, without its imports."""

    TEXT = "text"
    JSON = "json"
    PDF = "pdf"


def metrics(
    since: Annotated[str, typer.Option(help="7d, 24h, 30m, 2w or a date such as 2026-11-01")] = "7d",
    by: Annotated[Group | None, typer.Option(help="one set of figures for each group")] = None,
    form: Annotated[TableFormat, typer.Option("--format", help="how to print them")] = TableFormat.TABLE,
    episodes: Annotated[bool, typer.Option("--episodes", help="list the episodes behind each figure")] = False,
    data: DataOption = None,
) -> None:
    """Print the figures of a period; docs/definitions.md says what each means."""
    from bot.configuration import load
    from bot.conversation.events import utc_now
    from handoff.figures import Figures, Period, as_csv, parse_since, view
    from handoff.metrics import By

    settings = load({"data": data}).settings
    now = utc_now()
    period = Period(parse_since(since, now), now + timedelta(seconds=1))

    async def report() -> "list[FigureView]":
        from bot.cli.process import desk_database

        async with desk_database(settings) as database:
            figures = Figures(database, settings.hours, settings.conversation.idle_s)
            found = await figures.report(period, now, By(by.value) if by else None)
        return [view(figure, episodes or form is not TableFormat.TABLE) for figure in found]

    found = asyncio.run(report())
    match form:
        case TableFormat.CSV:
            print(as_csv(found), end="")
        case TableFormat.JSON:
            print(json.dumps([figure.model_dump(mode="json") for figure in found], indent=2))
        case TableFormat.TABLE:
            _table(found, grouped=by is not None, episodes=episodes)


def transcript(
    conversation: Annotated[str, typer.Argument(help="its id, for example web:k3f9")],
    form: Annotated[Written, typer.Option("--format", help="text, json or pdf")] = Written.TEXT,
    out: Annotated[Path | None, typer.Option(help="file to write; none: print")] = None,
    data: DataOption = None,
) -> None:
    """Print the whole transcript of a conversation."""
    from bot.configuration import load
    from bot.conversation.errors import ConfigError
    from bot.conversation.ids import ConversationId
    from handoff.transcripts import Format, render, whole

    settings = load({"data": data}).settings

    async def read(desk: "Desk") -> bytes:
        told = await whole(desk, ConversationId(conversation))
        return render(told, Format(form.value), settings.hours.timezone)

    content = asyncio.run(_with_desk(settings, read))
    if out:
        try:
            out.write_bytes(content)
        except OSError as error:
            raise ConfigError(f"{out} can't be written: {error.strerror}") from error
    elif form is Written.PDF and sys.stdout.isatty():
        raise ConfigError("a PDF can't be shown in a terminal; write it to a file with --out")
    else:
        sys.stdout.buffer.write(content)


async def _with_desk(settings: "Settings", work: Callable[["Desk"], Awaitable[Result]]) -> Result:
    from bot.cli.installation import redis_url
    from bot.cli.process import conversation_log, desk_database
    from handoff.desk import Desk

    async with desk_database(settings) as database, conversation_log(redis_url(settings), settings) as log:
        return await work(Desk(log, database, settings))


def _table(figures: "list[FigureView]", grouped: bool, episodes: bool) -> None:
    from rich.table import Table

    from bot.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    columns = (
        (["group"] if grouped else []) + ["figure", "value", "of", "p90", "mean"] + (["episodes"] if episodes else [])
    )
    for column in columns:
        left = column in ("group", "figure", "episodes")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for figure in figures:
        row = [figure.group] if grouped else []
        row += [
            figure.title,
            _value(figure, figure.value),
            _of(figure),
            _value(figure, figure.p90),
            _value(figure, figure.mean),
        ]
        table.add_row(*row, *([" ".join(figure.episodes or ())] if episodes else []))
    print_table(table)


def _of(figure: "FigureView") -> str:
    if figure.of is not None:
        return f"{figure.count} of {figure.of}"
    return f"{figure.count} measured" if figure.unit.value == "s" else ""


def _value(figure: "FigureView", value: float | None) -> str:
    from handoff.metrics import Unit
    from handoff.numbers import number

    return "" if value is None and figure.unit is Unit.COUNT else number(value, figure.unit)
