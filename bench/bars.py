"""Figures beside their bars: printed as a table, written as JSON, and the exit code says whether all were reached."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """A measured figure. `bar` is the most that it may be (the least, if `at_least`); None where there is no bar."""

    name: str
    value: float
    unit: str = ""
    bar: float | None = None
    at_least: bool = False
    digits: int = 2

    @property
    def reached(self) -> bool:
        """Say whether the bar is reached."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def finish(title: str, figures: list[Figure], json_file: Path | None, found: Mapping[str, Any] | None = None) -> None:
    """Print all figures, write them (with `found`) if asked to, and end the program: with 1 if one falls short."""
    table = Table(title=title, title_justify="left")
    for column, justify in (("figure", "left"), ("measured", "right"), ("bar", "right"), ("", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        bar = f"{sign} {figure.bar:g} {figure.unit}" if figure.bar is not None else ""
        verdict = "" if figure.bar is None else "reached" if figure.reached else "FALLS SHORT"
        table.add_row(figure.name, f"{figure.value:,.{figure.digits}f} {figure.unit}", bar, verdict)
    Console().print(table)
    if json_file:
        rows = [asdict(figure) | {"reached": figure.reached} for figure in figures]
        json_file.write_text(json.dumps({**(found or {}), "title": title, "figures": rows}, indent=2), encoding="utf-8")
    sys.exit(0 if all(figure.reached for figure in figures) else 1)


def parser(description: str) -> argparse.ArgumentParser:
    """Return a command line that every bench has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    return made
