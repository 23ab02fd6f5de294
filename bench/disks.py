# SPDX-License-Identifier: GPL-2.0-or-later
"""How long do `kiban disk convert` and `clone` take against `qemu-img convert` on the same disk?

The disk is a qcow2 of 8 GiB with 1 GiB of random data in it, read once before. Kiban's own part beyond qemu-img's is a
job, a look at the result and bringing it to the disk, so qemu-img's is brought there too (`sync`).
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import time
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
            for name in random.sample(list(samples), len(samples)):  # the disk of a host has good and bad minutes
                seconds = timed(box, source, name)
                say(f"run {run} of {runs}: {name} {seconds:.2f} s")
                if run:  # the first only warms up
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


def timed(box: Sandbox, source: Path, name: str) -> float:
    """Seconds until the new disk is on the host's disk, which has nothing else to write."""
    who, what = name.split()
    target = box.folder / ("new.vhdx" if what == "convert" else "new.qcow2")
    os.sync()
    begun = time.monotonic()
    if who == "kiban":
        box.cli("disk", what, str(source), str(target))
    else:
        qemu_img(source, target, target.suffix[1:])
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
