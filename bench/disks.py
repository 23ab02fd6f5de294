# SPDX-License-Identifier: GPL-2.0-or-later
"""How long do `kiban disk convert` and `clone` take against `qemu-img convert` on the same disk?

The disk is a qcow2 of 8 GiB with 1 GiB of random data in it, read once before. Kiban's own part beyond qemu-img's is a
job, a look at the result and bringing it to the disk, so qemu-img's is brought there too (`sync`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from measure import Result, Spread, ratios, say
from sandbox import Sandbox

MIB = 1 << 20
SIZE, DATA = 8 << 30, 1 << 30
WORK = {
    "convert": "convert, qcow2 to VHDX",
    "clone": "clone, a whole copy",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    runs = options.parse_args().runs
    samples: dict[str, list[float]] = {f"{who} {what}": [] for what in WORK for who in ("kiban", "qemu-img")}
    with Sandbox() as box:
        source = make_disk(box.folder)
        result = Result("disks", f"bench/disks.py --runs {runs}", samples)
        for run in range(runs + 1):
            taken = [
                timed(box.folder / "k.vhdx", lambda to: box.cli("disk", "convert", str(source), str(to))),
                timed(box.folder / "q.vhdx", lambda to: qemu_img(source, to, "vhdx")),
                timed(box.folder / "k.qcow2", lambda to: box.cli("disk", "clone", str(source), str(to))),
                timed(box.folder / "q.qcow2", lambda to: qemu_img(source, to, "qcow2")),
            ]
            say(f"run {run} of {runs}: " + ", ".join(f"{seconds:.2f} s" for seconds in taken))
            if run:  # the first only warms up
                for name, seconds in zip(samples, taken, strict=True):
                    samples[name].append(seconds)
    fill(result, samples)
    result.write()


def make_disk(folder: Path) -> Path:
    raw, disk = folder / "disk.raw", folder / "disk.qcow2"
    with raw.open("wb") as file:
        for _ in range(DATA // MIB):
            file.write(os.urandom(MIB))
        file.truncate(SIZE)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
    raw.unlink()
    return disk


def timed(target: Path, make: Callable[[Path], object]) -> float:
    """Seconds until `make` has made the file."""
    begun = time.monotonic()
    make(target)
    took = time.monotonic() - begun
    target.unlink()
    return took


def qemu_img(source: Path, target: Path, form: str) -> None:
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", form, source, target], check=True)
    subprocess.run(["sync", target], check=True)


def fill(result: Result, samples: dict[str, list[float]]) -> None:
    result.row(
        "1 GiB of data in a disk of 8 GiB, seconds", "`qemu-img convert`", "`kiban disk`", "its speed against that"
    )
    for what, words in WORK.items():
        ours, theirs = samples[f"kiban {what}"], samples[f"qemu-img {what}"]
        speed = Spread.of(ratios(theirs, ours)).text(digits=2)
        result.row(words, Spread.of(theirs).text(digits=2), Spread.of(ours).text(digits=2), f"**{speed}**")


if __name__ == "__main__":
    main()
