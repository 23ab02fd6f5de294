# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees of the demo: sentences, bars while something goes on, tables, and screens as coloured blocks.

Bars appear on a terminal only. Text from guests is given to Rich as plain text, never as markup.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kiban.demo.png import Box, Picture

Bar = Callable[[float | None, str], None]
"""Called with a fraction from 0 to 1, or None while nobody knows it, and a few words on what is going on."""

Row = tuple[str, str, str]
WIDTH = 120
"""Columns of what goes to no terminal."""


class Show:
    """Writes to standard output, or to standard error when that is kept for programs."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self._stream = sys.stderr if to_stderr else sys.stdout
        # a file or pipe has no width of its own, and the table is easier to read without folded cells
        width = None if self._stream.isatty() or "COLUMNS" in os.environ else WIDTH
        self._console = Console(stderr=to_stderr, highlight=False, width=width)

    def head(self, text: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def say(self, text: str, style: str = "") -> None:
        """Say a sentence; in one line, however long, so that paths in it can be copied."""
        self._console.print(Text("  " + text, style=style), soft_wrap=True)

    def done(self, text: str) -> None:
        """Say that something worked."""
        self._console.print(Text.assemble(("  ✓ ", "green"), text), soft_wrap=True)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A bar with the seconds beside it, for as long as the block lasts."""
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(24), TimeElapsedColumn())
        progress = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_interactive)
        with progress:
            task = progress.add_task(title, total=None)

            def update(fraction: float | None, text: str) -> None:
                total = None if fraction is None else 1.0
                progress.update(task, total=total, completed=fraction or 0, description=f"{title}: {text}")

            yield update

    def table(self, heads: Row, rows: Sequence[Row]) -> None:
        """Print what both generations have, side by side; what one of them lacks stands back."""
        table = Table(box=None, padding=(0, 2), header_style="bold", pad_edge=True)
        for head in heads:
            table.add_column(head, overflow="fold")
        for label, *cells in rows:
            styled = (Text(cell, style="dim" if cell == "none" else "cyan") for cell in cells)
            table.add_row(Text(label), *styled)
        self._console.print(table)

    def screen(self, picture: Picture, box: Box, columns: int) -> None:
        """Draw a part of a screen with half blocks, if this is a terminal that is wide enough."""
        if self._stream.isatty() and self._console.width >= columns + 2:
            self._console.print(blocks(picture, box, columns), no_wrap=True)


def blocks(picture: Picture, box: Box, columns: int) -> Text:
    """A part of a picture as lines of half blocks, two pixels above each other in one character.

    A larger part is made smaller by averaging; `columns` is the width in characters.
    """
    left, top, width, height = box
    scale = max(width / columns, 1.0)
    across, down = int(width / scale), int(height / scale) & ~1
    text = Text()
    for y in range(0, down, 2):
        text.append("  ")
        for x in range(across):
            upper, lower = (_mean(picture, left + x * scale, top + (y + n) * scale, scale) for n in (0, 1))
            text.append("▀", style=f"rgb({upper}) on rgb({lower})")
        text.append("\n")
    text.rstrip()
    return text


def _mean(picture: Picture, x: float, y: float, size: float) -> str:
    """The mean colour of a square, as Rich writes colours."""
    xs, ys = (range(int(at), max(int(at + size), int(at) + 1)) for at in (x, y))
    pixels = [picture.rows[row][3 * column : 3 * column + 3] for row in ys for column in xs]
    return ",".join(str(sum(pixel[channel] for pixel in pixels) // len(pixels)) for channel in range(3))
