# SPDX-License-Identifier: GPL-2.0-or-later
"""How much the service grows per running machine, and which other processes a running machine has beside its QEMU.

The machines are tiny and their guests halt, so that ten fit anywhere. The first start is not counted: it loads code
that all starts share.
"""

from __future__ import annotations

import argparse

import psutil

from kiban import DiskRequest
from measure import Result, Spread, say
from sandbox import Sandbox, memory

HALT = bytes.fromhex("fa f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"  # cli; halt: hlt; jmp halt
KIB = 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--machines", type=int, default=10)
    options.add_argument("--rounds", type=int, default=3, help="how often they are all started and turned off")
    wanted = options.parse_args()
    grown: dict[str, list[float]] = {"rss": [], "own": []}
    others: list[float] = []
    samples: dict[str, object] = {"growth of the service per machine, bytes": grown, "other processes": others}
    command = f"bench/memory_per_machine.py --machines {wanted.machines} --rounds {wanted.rounds}"
    result = Result("memory_per_machine", command, samples)
    with Sandbox() as box:
        for number in range(wanted.machines):
            disk = box.folder / f"{number}.raw"
            disk.write_bytes(HALT + bytes(2**20 - 512))
            disks = [DiskRequest(path=str(disk), format="raw")]
            box.client.create(f"tiny-{number}", generation=1, memory=32 << 20, disks=disks)
        for each in range(wanted.rounds):
            one_round(box, wanted.machines, grown, others)
            say(f"round {each + 1} of {wanted.rounds}: {grown['own'][-1] / KIB:.0f} KiB of its own per machine")
    result.row("Kiban per running machine, beyond QEMU's own", f"{wanted.machines} machines")
    result.row("growth of the service's own memory (USS), KiB", Spread.of(grown["own"]).text(scale=1 / KIB, digits=0))
    result.row("growth of its resident memory (RSS), KiB", Spread.of(grown["rss"]).text(scale=1 / KIB, digits=0))
    result.row("processes beside QEMU", Spread.of(others).text(digits=0))
    result.write()


def one_round(box: Sandbox, machines: int, grown: dict[str, list[float]], others: list[float]) -> None:
    """Start all machines and turn them off again; what the service grew by between the first and the last."""
    box.end_service()
    service = box.service()
    known = {process.pid for process in psutil.process_iter()}
    names = [f"tiny-{number}" for number in range(machines)]
    box.client.start(names[0])
    before = memory(service)
    qemus = {box.client.start(name).pid for name in names[1:]}
    after = memory(service)
    qemus.add(box.client.machine(names[0]).pid)
    for kind, growth in grown.items():
        growth.append((after[kind] - before[kind]) / (machines - 1))
    runtime = str(box.folder)
    ours = [p for p in psutil.process_iter() if p.pid not in known | qemus and runtime in " ".join(environment(p))]
    others.append(len(ours) / machines)
    for name in names:
        box.client.stop(name, force=True)


def environment(process: psutil.Process) -> list[str]:
    """A process's command line and environment: what the service starts has its directories in one of them."""
    try:
        return [*process.cmdline(), *process.environ().values()]
    except psutil.Error:
        return []


if __name__ == "__main__":
    main()
