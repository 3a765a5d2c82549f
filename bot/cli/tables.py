"""Tables on a terminal, and whole lines where the output goes elsewhere."""

import sys

from rich.console import Console
from rich.table import Table

WIDE = 400
"""Columns for a file or a pipe, where nothing must be wrapped: each row is one line."""


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or with one line a row into a file or a pipe."""
    width = None if sys.stdout.isatty() else WIDE
    Console(markup=False, highlight=False, width=width).print(table)
