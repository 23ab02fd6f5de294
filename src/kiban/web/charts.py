# SPDX-License-Identifier: GPL-2.0-or-later
"""Small charts of the last minutes, drawn by ECharts as SVG: its colours are the style sheet's, light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from nicegui import ui

from kiban.engine.usage import EVERY, KEPT
from kiban.model.units import format_size
from kiban.model.usage import Past, Sample

GAP = 3 * EVERY
"""Seconds without a sample that are shown as a gap: nobody looked."""
LEAST = 1024.0
"""Bytes a second at the top of a chart at least, so that next to nothing does not look like much."""
COLOURS = ("var(--k-first)", "var(--k-second)")
Point = list[float | None]
Lines = list[list[Point]]


def lines(samples: Sequence[Sample | Past], *fields: str, gap: float = GAP) -> Lines:
    """A line for each of the fields: seconds from the newest sample on, and the value.

    `gap` is the time in seconds without a sample that is shown as such.
    """
    newest = datetime.fromisoformat(samples[-1].time)
    ages = [(datetime.fromisoformat(sample.time) - newest).total_seconds() for sample in samples]
    return [[*_points(ages, [getattr(sample, field) for sample in samples], gap)] for field in fields]


def _points(ages: Sequence[float], values: Sequence[float | None], gap: float) -> Iterator[Point]:
    before = ages[0]
    for age, value in zip(ages, values, strict=True):
        if age - before > gap:
            yield [before, None]
        before = age
        yield [round(age, 1), None if value is None else round(value, 1)]


def top(found: Lines) -> float:
    """What a chart of bytes a second ends at: a power of two, not below any value."""
    most = max((value for line in found for _, value in line if value is not None), default=0.0)
    return float(2 ** math.ceil(math.log2(max(most, LEAST))))


def size(value: float | None) -> str:
    """A number of bytes for people."""
    return format_size(round(value or 0))


class Chart:
    """One chart: its title, what its top stands for, what it shows in words, and its lines."""

    def __init__(self, title: str) -> None:
        self._title = title
        with ui.element("figure").classes("k-chart") as self.element:
            with ui.row().classes("k-bar"):
                ui.label(title).classes("k-part")
                ui.space()
                self._top = ui.label().classes("k-soft").props('aria-hidden="true"')
            self._picture = ui.element("div").props('role="img"')
            with self._picture:
                self._chart = ui.echart(_options(), renderer="svg")
            self._said = ui.element("figcaption").classes("k-soft")
            with self._said:
                self._words = ui.label()

    def show(self, found: Lines, most: float, most_said: str, said: str, span: float = KEPT) -> None:
        """Bring it up to date, for the last `span` seconds. Those who cannot see it are told the same."""
        options = self._chart.options
        options["xAxis"]["min"] = -span
        options["yAxis"] |= {"max": most, "interval": most / 2}
        options["series"] = [_line(number, points) for number, points in enumerate(found)]
        self._chart.update()
        self._top.set_text(most_said)
        self._words.set_text(said)
        self._picture.props["aria-label"] = f"{self._title}: {said}"
        self._picture.update()


def _options() -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {"left": 0, "right": 0, "top": 2, "bottom": 2},
        "xAxis": {"type": "value", "min": -KEPT, "max": 0, "show": False},
        "yAxis": {
            "type": "value",
            "min": 0,
            "axisLabel": {"show": False},
            "axisTick": {"show": False},
            "axisLine": {"show": False},
            "splitLine": {"lineStyle": {"color": "var(--k-line)"}},
        },
        "series": [],
    }


def _line(number: int, points: list[Point]) -> dict[str, Any]:
    colour = COLOURS[number]
    line = {
        "type": "line",
        "data": points,
        "showSymbol": False,
        "silent": True,
        "lineStyle": {"color": colour, "width": 1.5, "type": "dashed" if number else "solid"},
    }
    return line if number else line | {"areaStyle": {"color": colour, "opacity": 0.15}}
