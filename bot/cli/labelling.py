"""`frontdesk review` and `frontdesk data`: what designers do with labels; their arguments and help."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import DataOption

review = typer.Typer(help="Labels from conversations: export messages, label them in an editor, import them.")
training_data = typer.Typer(help="What the assistant is trained on.")


@review.command("export")
def review_export(
    since: Annotated[str, typer.Option(help="7d, 24h, 30m, 2w or a date such as 2026-11-01")] = "7d",
    limit: Annotated[int, typer.Option(min=1, max=5000, help="messages at most")] = 200,
    out: Annotated[Path | None, typer.Option(help="file to write; none: print")] = None,
    data: DataOption = None,
) -> None:
    """Write messages that are worth a label, without personal data, for a designer to edit."""
    from bot.cli.review import export
    from bot.configuration import load

    export(load({"data": data}).settings, since, limit, out)


@review.command("import")
def review_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="an edited file of `frontdesk review export`")],
    data: DataOption = None,
) -> None:
    """Check an edited file and write its labels into the training data; nothing is written unless all is right."""
    from bot.cli.review import import_
    from bot.configuration import load

    import_(load({"data": data}).settings, file)


@training_data.command("check")
def data_check(
    as_json: Annotated[bool, typer.Option("--json", help="print all findings as JSON")] = False,
    data: DataOption = None,
) -> None:
    """Look for mistakes in the training data; the exit code is 1 for errors, 0 for warnings."""
    from bot.cli.data_check import check_data
    from bot.configuration import load

    check_data(load({"data": data}).settings, as_json)
