# SPDX-License-Identifier: GPL-2.0-or-later
"""What a thousand machines cost when they are off: `kiban ls`, the service's memory, and its start.

The same is measured with one machine in the same run, and `python -c pass` tells what any Python command takes here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

from measure import Result, Spread, ratios, say
from sandbox import Sandbox, memory

MIB = 2**20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--machines", type=int, default=1000)
    options.add_argument("--runs", type=int, default=9)
    wanted = options.parse_args()
    samples: dict[str, dict[str, list[float]]] = {}
    command = f"bench/thousand_machines.py --machines {wanted.machines} --runs {wanted.runs}"
    result = Result("thousand_machines", command, samples)
    with Sandbox() as few, Sandbox() as many:
        few.use()
        create(few, 1)
        many.use()
        create(many, wanted.machines)
        samples |= {"1": {}, str(wanted.machines): {}}
        for run in range(wanted.runs):
            for box, into in zip((few, many), samples.values(), strict=True):
                box.use()
                for name, value in look(box).items():
                    into.setdefault(name, []).append(value)
            say(f"run {run + 1} of {wanted.runs}: {samples[str(wanted.machines)]['ls'][-1] * 1e3:.0f} ms")
    fill(result, *samples.values(), machines=wanted.machines)
    result.write()


def create(box: Sandbox, machines: int) -> None:
    """Define machines with an empty DVD drive and an adapter, half of them of either generation."""
    begun = time.monotonic()
    for number in range(machines):
        box.client.create(f"machine-{number:04}", generation=1 + number % 2, dvds=[""])
    say(f"{machines} made in {time.monotonic() - begun:.1f} s")


def look(box: Sandbox) -> dict[str, float]:
    """Seconds of the service's start, of ls and of Python itself; the service's MiB before and after ls."""
    box.end_service()
    took = {"service": seconds(box.service)}
    took |= {f"{kind} at start": value / MIB for kind, value in memory(box.service()).items()}
    took["ls"] = seconds(lambda: box.cli("ls"))
    took["ls json"] = seconds(lambda: box.cli("ls", "-o", "json"))
    took |= {kind: value / MIB for kind, value in memory(box.service()).items()}
    took["python"] = seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    return took


def seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def fill(result: Result, few: dict[str, list[float]], many: dict[str, list[float]], *, machines: int) -> None:
    result.row("Machines that are off", "1", f"{machines}", "ratio")
    rows = {"python": "`python -c pass`, ms", "ls": "`kiban ls`, ms", "ls json": "`kiban ls -o json`, ms"}
    rows |= {"service": "start of the service, ms", "rss at start": "resident memory of the service at its start, MiB"}
    rows |= {"rss": "the same after `ls`, MiB", "own": "of this its own (USS), MiB"}
    for name, title in rows.items():
        scale, digits = (1e3, 0) if title.endswith("ms") else (1, 1)
        one, thousand = (Spread.of(samples[name]).text(scale=scale, digits=digits) for samples in (few, many))
        result.row(title, one, thousand, Spread.of(ratios(many[name], few[name])).text(digits=2))


if __name__ == "__main__":
    main()
