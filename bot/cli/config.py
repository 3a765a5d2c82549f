"""`frontdesk config`, and the same as a page of the documents."""

from itertools import groupby

from rich.console import Console
from rich.table import Table

from bot.configuration import Configuration, Row, rows
from bot.settings import Settings

PAGE = """\
# Settings

Made by `frontdesk config --markdown`; a test keeps it so. `frontdesk config` prints the settings that hold here and
now, and where each came from.

Sources, the later wins: the defaults below; `frontdesk.toml` in the data folder; `REDIS_URL` and `DATABASE_URL`; the
environment variables below; the flags of a command (`--data`, `--port`). An unknown or wrong setting is refused at the
start, with one line that names it.

```toml
# .frontdesk/frontdesk.toml
[web]
port = 8443
public_url = "https://chat.example.com"

[hours]
timezone = "Europe/Paris"
```

Lists and tables in environment variables are JSON: `FRONTDESK_HOURS__CLOSED_ON='["2026-12-25"]'`.
"""


def show(configuration: Configuration) -> None:
    """Print every setting, its value, where it came from, and its help."""
    found = rows(configuration)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        for row in found:
            print(f"{row.name:26} {row.value:22} {row.source:22} {row.help}")
        return
    table = Table("setting", "value", "from", "what it is", box=None, pad_edge=False)
    for row in found:
        table.add_row(row.name, row.value, row.source, row.help)
    console.print(table)


def as_markdown() -> str:
    """Return the settings' page of the documents."""
    page = [PAGE]
    for section, members in groupby(rows(), key=lambda row: row.name.rpartition(".")[0]):
        page.append(f"\n## {section or 'installation'}\n")
        if section:
            annotation = Settings.model_fields[section].annotation
            page.append(f"{(annotation.__doc__ or '').strip()}\n" if annotation else "")
        page.append("| setting | default | what it is | variable |\n|---|---|---|---|")
        page += [_line(row) for row in members]
    return "\n".join(page).replace("\n\n\n", "\n\n") + "\n"


def _line(row: Row) -> str:
    default = "" if row.default == "-" else f"`{row.default}`"
    return f"| `{row.name}` | {default} | {row.help} | `{row.variable}` |".replace("|  |", "| |")
