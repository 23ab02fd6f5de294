# SPDX-License-Identifier: GPL-2.0-or-later
"""From `kiban import --lazy` to the first guest instruction, for a small chain and a large one; and how fast one reads.

Both chains are VHDX of three links with 512 MiB of random data in the parent; one disk has 1 GiB, the other 40 GiB. The
first instruction is found as in start_overhead.py. Reading is `qemu-img convert` to nowhere, from Kiban's server of the
chain and from qemu-nbd on the same disk as one raw file, in turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "unit"))

from chain_makers import Made, vhdx

from kiban import ComRequest
from kiban.adapters.chains import runner
from measure import Result, Spread, ratios, say
from sandbox import CLI, Sandbox
from start_overhead import SECTOR, first_instruction

MIB, GIB = 1 << 20, 1 << 30
SIZES = (1 * GIB, 40 * GIB)
DATA = 512 * MIB
NOTHING = (os.geteuid(), os.getegid())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7)
    runs = options.parse_args().runs
    samples: dict[str, list[float]] = {"1 GiB": [], "40 GiB": [], "chain": [], "flat": []}
    with Sandbox() as box:
        chains = {size: make_chain(box.folder / str(size), size) for size in SIZES}
        result = Result("import_lazy", f"bench/import_lazy.py --runs {runs}", samples)
        for run in range(runs + 1):
            taken = [started(box, chains[size]) for size in SIZES]
            taken += [read_chain(chains[SIZES[0]]), read_flat(chains[SIZES[0]].parent / "flat.raw")]
            say(f"run {run} of {runs}: " + ", ".join(f"{seconds:.2f} s" for seconds in taken))
            if run:  # the first only warms up
                for name, seconds in zip(samples, taken, strict=True):
                    samples[name].append(seconds)
    fill(result, samples)
    result.write()


def make_chain(folder: Path, size: int) -> Path:
    """A chain with its boot sector in the child and its data in the last parent; beside it the same as one raw file."""
    folder.mkdir()
    folder.chmod(0o755)
    flat = folder / "flat.raw"
    with flat.open("wb") as file:
        file.seek(MIB)
        for _ in range(DATA // MIB):
            file.write(os.urandom(MIB))
        file.truncate(size)
    base = folder / "base.vhdx"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vhdx", flat, base], check=True)
    links = [Made(size=size, block=32 * MIB) for _ in range(3)]
    links[2].id = uuid.UUID(runner.describe(base, "vhdx").links[0].id)
    sector = SECTOR.ljust(510, b"\0") + b"\x55\xaa"
    links[0].writes.append((0, sector))
    vhdx(folder / "middle.avhdx", links[1], links[2], locator={"relative_path": r".\base.vhdx"})
    child = vhdx(folder / "child.avhdx", links[0], links[1], locator={"relative_path": r".\middle.avhdx"})
    with flat.open("r+b") as file:
        file.write(sector)
    return child


def started(box: Sandbox, chain: Path) -> float:
    """Seconds of the import, and of the start to its first instruction."""
    message = box.folder / "com1.bin"
    message.write_bytes(b"")
    begun = time.monotonic()
    box.cli("import", str(chain), "--lazy", "--generation", "1", "--name", "tiny")
    imported = time.monotonic() - begun
    box.client.edit("tiny", coms=[ComRequest(number=1, kind="file", path=str(message))], memory=32 * MIB)
    begun = time.monotonic()
    with subprocess.Popen([*CLI, "start", "tiny"], stdout=subprocess.DEVNULL) as command:
        first = first_instruction(message, begun)
        command.wait(60)
    box.client.stop("tiny", force=True)
    box.client.remove("tiny")
    return imported + first


def read_chain(chain: Path) -> float:
    """Seconds that reading the whole disk takes through Kiban's server."""
    served = runner.serve(chain, "vhdx", chain.parent / "k.sock", client=NOTHING)
    try:
        return read(f"nbd+unix:///{served.export}?socket={served.socket}", served.chain.size)
    finally:
        served.end()


def read_flat(flat: Path) -> float:
    """The same through qemu-nbd."""
    place = flat.parent / "q.sock"
    place.unlink(missing_ok=True)
    with subprocess.Popen(["qemu-nbd", "-r", "-t", "-e", "8", "-f", "raw", "-x", "disk", "-k", place, flat]) as server:
        try:
            while not place.exists():
                time.sleep(0.01)
            return read(f"nbd+unix:///disk?socket={place}", flat.stat().st_size)
        finally:
            server.terminate()


def read(address: str, size: int) -> float:
    begun = time.monotonic()
    nowhere = f"driver=null-co,size={size}"
    subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", address, "--target-image-opts", nowhere], check=True)
    return time.monotonic() - begun


def fill(result: Result, samples: dict[str, list[float]]) -> None:
    small, large, chain, flat = samples.values()
    result.row("What", "seconds", "")
    result.row("`import --lazy` and `start` to the first instruction, 1 GiB", Spread.of(small).text(digits=2), "1")
    more = Spread.of(ratios(large, small)).text(digits=2)
    result.row("the same, 40 GiB", Spread.of(large).text(digits=2), f"**{more}** of the 1 GiB's")
    speed = [DATA / MIB / seconds for seconds in flat]
    result.row("reading 512 MiB of data, qemu-nbd on a raw file", Spread.of(flat).text(digits=2), _speed(speed))
    speed = [DATA / MIB / seconds for seconds in chain]
    against = Spread.of(ratios(flat, chain)).text(digits=2)
    words = f"{_speed(speed)}, **{against}** of qemu-nbd's speed"
    result.row("the same, Kiban's server on the chain", Spread.of(chain).text(digits=2), words)


def _speed(speed: list[float]) -> str:
    return f"{Spread.of(speed).text(digits=0)} MiB/s"


if __name__ == "__main__":
    main()
