# SPDX-License-Identifier: GPL-2.0-or-later
"""The progress of a job, as a bar on stderr while it lasts.

Most jobs are over before anybody wants a bar, and Rich takes longer to import than a machine to start: so the bar
appears only when stderr is a terminal and the job has gone on for a while.
"""

from __future__ import annotations

import sys

from kiban.cli.output import clean, warn

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from threading import Timer
    from types import TracebackType
    from typing import Any

PATIENCE = 0.4
"""Seconds before a bar appears."""


class Bar:
    """Shows a job's progress; call it with a fraction (0 to 1) and what is being done.

    Leaving it by Ctrl-C says what becomes of the job. The client asks the service to cancel it as soon as it knows the
    job, and it calls the bar only when it does.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._fraction, self._text = 0.0, title
        self._known = False
        self._timer: Timer | None = None
        self._rich: Any = None

    def __call__(self, fraction: float, text: str) -> None:
        self._fraction, self._text = fraction, f"{self._title}: {clean(text)}" if text else self._title
        self._known = True
        if self._rich is not None:
            self._update()

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            from threading import Timer

            self._timer = Timer(PATIENCE, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._rich is not None:
            self._rich.stop()
        if kind is KeyboardInterrupt:
            fate = "the service was asked to cancel it" if self._known else "it may go on; see kiban jobs"
            warn(f"{self._title}: interrupted; {fate}.")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}", markup=False)
        rich = Progress(text, BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        rich.add_task(self._text, total=1.0)
        rich.start()
        self._rich = rich
        self._update()

    def _update(self) -> None:
        self._rich.update(self._rich.task_ids[0], completed=self._fraction, description=self._text)
