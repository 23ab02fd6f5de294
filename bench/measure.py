# SPDX-License-Identifier: GPL-2.0-or-later
"""What all benchmarks share: samples with their spread, the host they come from, and the results file.

A result is written to `results/NAME.json` with every sample, and holds the table that `tables.py` puts into
docs/reference/performance.md.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

import kiban

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of some samples."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        return cls(statistics.median(samples), min(samples), max(samples))

    def text(self, unit: str = "", *, scale: float = 1, digits: int = 1) -> str:
        """Such as `41.3 s (40.1-44.0)`; samples are multiplied by `scale`."""
        median, low, high = (f"{value * scale:.{digits}f}" for value in (self.median, self.low, self.high))
        return f"{median}{' ' if unit else ''}{unit} ({low}-{high})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Sample by sample: those measured next to each other had the same load beside them."""
    return [a / b for a, b in zip(above, below, strict=True)]


class Result:
    """One benchmark's numbers on their way to the screen and to `results/NAME.json`."""

    def __init__(self, name: str, command: str, samples: Mapping[str, object]) -> None:
        self.name = name
        self.samples = samples
        self.command = command
        self.rows: list[list[str]] = []
        self.load = [round(os.getloadavg()[0], 1)]

    def row(self, *cells: str) -> None:
        """Add a row to the table; the first row is its head."""
        self.rows.append(list(cells))

    def write(self) -> None:
        """Print the table and write the file."""
        for line in table(self.rows):
            print(line)
        self.load.append(round(os.getloadavg()[0], 1))
        RESULTS.mkdir(exist_ok=True)
        content = {
            "command": self.command,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "host": host() | {"load before and after": self.load},
            "table": self.rows,
            "samples": self.samples,
        }
        (RESULTS / f"{self.name}.json").write_text(json.dumps(content, indent=1) + "\n")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a Markdown table with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in padded]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def host() -> dict[str, object]:
    """What the numbers depend on."""
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "processors": psutil.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": ".".join(map(str, sys.version_info[:3])),
        "qemu": re.findall(r"version (\S+)", qemu)[0],
        "kiban": kiban.__version__,
    }


def say(text: str) -> None:
    """Tell people how far it is."""
    print(text, file=sys.stderr, flush=True)
