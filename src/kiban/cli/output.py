# SPDX-License-Identifier: GPL-2.0-or-later
"""What the command line prints: JSON for programs, tables for people, errors on stderr.

Rich is loaded only when a table goes to a terminal; into a pipe the same cells go as plain aligned text. Text that
comes from guests and images (boot entries, notes, events) is stripped of control characters before it is shown.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from rich.table import Table

    from kiban.errors import KibanError


class ReportedError(Exception):
    """Errors that people have been told about already; the first of them decides the exit code."""

    def __init__(self, first: KibanError) -> None:
        super().__init__(str(first))
        self.first = first


def report(error: KibanError, *, as_json: bool) -> None:
    """Tell about an error on stderr: one sentence and a hint, or the problem as JSON."""
    if as_json:
        from kiban.problem import to_problem

        print_json(to_problem(error), sys.stderr)
        return
    print(clean(error.message), file=sys.stderr)
    for n, line in enumerate(error.hint.splitlines()):
        print(f"{'' if n else 'hint: '}{clean(line)}", file=sys.stderr)


def warn(text: str) -> None:
    """Say something on stderr that is not an error."""
    print(clean(text), file=sys.stderr)


def say(text: str) -> None:
    """Say something on stdout."""
    print(clean(text))


def print_json(value: Any, stream: Any = None) -> None:
    """Print a value (views, events and jobs included) as indented JSON."""
    import json

    print(json.dumps(plain(value), indent=2), file=stream or sys.stdout)


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once; for streams."""
    import json

    print(json.dumps(plain(value)), flush=True)


def plain(value: Any) -> Any:
    """Dicts and lists for json.dumps, from whatever the client returns."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in (value if isinstance(value, dict) else vars(value)).items()}


def clean(text: str) -> str:
    """The text without control characters, so that nothing a guest wrote can drive the terminal.

    >>> clean("Debian\\x1b[2J\\n12")
    'Debian?[2J 12'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with a heading."""
    if not sys.stdout.isatty():
        _aligned([[c.upper() for c in columns], *([clean(cell) for cell in row] for row in rows)])
        return
    from rich.console import Console

    Console().print(table_of(columns, rows))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with a heading, for a terminal."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*(Text(clean(cell), style=STYLES.get(cell, "")) for cell in row))
    return shown


def card(title: str, rows: Mapping[str, Sequence[str]]) -> None:
    """Print one thing: a title, then each label with its lines; labels without lines are left out."""
    cells = [(label if n == 0 else "", clean(line)) for label, lines in rows.items() for n, line in enumerate(lines)]
    if not sys.stdout.isatty():
        print(clean(title))
        _aligned([["  " + label, line] for label, line in cells])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(clean(title), style="bold"))
    grid = Table.grid(padding=(0, 2))
    for label, line in cells:
        grid.add_row(Text("  " + label, style="dim"), Text(line))
    console.print(grid)


STYLES = {"running": "green", "starting": "yellow", "stopping": "yellow", "paused": "yellow", "saved": "cyan"}
"""Colour of a cell by what it says; other cells have none."""


def _aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
