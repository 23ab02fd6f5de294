# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples as the lines of a chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from api_fakes import SAMPLE

from kiban.model.usage import Sample
from kiban.web import charts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sample(age: float, value: float | None) -> Sample:
    return replace(SAMPLE, time=(NOW - timedelta(seconds=age)).isoformat(timespec="milliseconds"), disk_read=value)


def test_a_line_ends_now_and_has_a_gap_where_nobody_looked() -> None:
    there = [sample(60, 1.0), sample(58, 2.0), sample(2, 3.04), sample(0, None)]
    (line,) = charts.lines(there, "disk_read")
    assert line == [[-60.0, 1.0], [-58.0, 2.0], [-58.0, None], [-2.0, 3.0], [0.0, None]]
    assert [len(line) for line in charts.lines(there[:1], "disk_read", "disk_written")] == [1, 1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 1024), ([None], 1024), ([0.0, 5.0], 1024), ([1025.0], 2048), ([2.0**20], 2**20), ([2.0**20 + 1], 2**21)],
)
def test_a_chart_is_as_high_as_its_highest_value(values: list[float | None], expected: int) -> None:
    assert charts.top([[[0.0, value] for value in values]]) == expected
