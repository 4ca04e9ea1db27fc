"""A progress bar on standard error, for those who wait: only on a terminal, and only after a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.status import Status

PATIENCE = 1.0
"""Seconds before anything is shown."""


class Reading:
    """A context in which `self.report` takes what `stunpcap.read` says of its progress."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._wanted = sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def report(self, done: int, total: int | None) -> None:
        """So many bytes of the file at hand have been read."""
        if not self._wanted or (self._bar is None and time.monotonic() - self._start < PATIENCE):
            return
        if self._bar is None or self._task is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("reading"),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("reading", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class Working:
    """A context in which `self.say` takes what is being done, where nobody can tell how much is left."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._wanted = sys.stderr.isatty()
        self._status: Status | None = None

    def say(self, what: str) -> None:
        """This is being done now."""
        if not self._wanted or (self._status is None and time.monotonic() - self._start < PATIENCE):
            return
        from rich.text import Text

        if self._status is None:
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        self._status.update(Text(what))

    def __enter__(self) -> Working:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
