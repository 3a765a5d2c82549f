"""What `frontdesk up` shows: spinners on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Progress:
    """Steps of a start, some side by side."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._console = Console(file=out or sys.stdout, highlight=False, soft_wrap=True)
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        if self._console.is_terminal:
            columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bars = Bars(*columns, console=self._console)
            self._bars.start()

    def begin(self, step: str, what: str) -> None:
        """Show that a step has begun, or what it does now."""
        self._began.setdefault(step, time.monotonic())
        if self._bars is None:
            self.say(f"{step}: {what}")
        elif step in self._tasks:
            self._bars.update(self._tasks[step], description=f"{step}: {what}")
        else:
            self._tasks[step] = self._bars.add_task(f"{step}: {what}", total=1)

    def done(self, step: str, what: str = "ready") -> None:
        """Show that a step is done."""
        if self._bars is not None and step in self._tasks:
            self._bars.update(self._tasks[step], description=f"{step}: {what}", completed=1)
        else:
            took_s = time.monotonic() - self._began.get(step, time.monotonic())
            self.say(f"{step}: {what} ({took_s:.1f} s)")

    def say(self, text: str) -> None:
        """Print a line of its own."""
        # Nobody may be listening any more, and then Rich would end the process.
        with contextlib.suppress(OSError, SystemExit):
            self._console.print(text, markup=False)

    def end(self) -> None:
        """Stop moving; what was shown stays."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
