# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the same Debian VHDX takes from `start` to multi-user.target on each generation, one after the other.

The disk was started once before, so that no first-boot work is measured, and is shut down cleanly every time. When
multi-user was reached is the guest's own word; QEMU's processor seconds say the same on a host that has other work.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import psutil

from kiban import Client, DiskRequest
from kiban.adapters.guest.agent import Agent
from kiban.demo import guest_image
from measure import Result, Spread, ratios, say
from sandbox import Sandbox

PATIENCE = 900.0
"""Seconds a guest may take to start in."""
PARTS = ("firmware and loader", "kernel and initramfs", "services", "total", "processor")
NAMES = {"total": "**total, start to multi-user**", "processor": "processor time of QEMU until then"}
_ASK = """cat /proc/uptime
systemctl show -P UserspaceTimestampMonotonic
systemctl show -P ActiveEnterTimestampMonotonic multi-user.target"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5, help="starts of each generation")
    runs = options.parse_args().runs
    samples: dict[str, list[dict[str, float]]] = {"generation 1": [], "generation 2": []}
    with Sandbox() as box:
        disk = guest_image.to_vhdx(guest_image.ensure("debian") / "debian.raw", box.folder / "debian.vhdx")
        for number in (1, 2):
            disks = [DiskRequest(path=str(disk), format="vhdx")]
            box.client.create(f"generation-{number}", generation=number, memory=1 << 30, disks=disks)
        start(box.client, "generation-2")
        result = Result("start_generations", f"bench/start_generations.py --runs {runs}", samples)
        for run in range(runs):
            for number in (1, 2) if run % 2 == 0 else (2, 1):
                took = start(box.client, f"generation-{number}")
                samples[f"generation {number}"].append(took)
                told = ", ".join(f"{part} {seconds:.1f}" for part, seconds in took.items())
                say(f"run {run + 1} of {runs}, generation {number}: {told}")
    fill(result, *samples.values())
    result.write()


def start(client: Client, name: str) -> dict[str, float]:
    """Start a machine, wait for multi-user, shut it down; seconds of each of PARTS."""
    begun = time.monotonic()
    machine = client.start(name)
    process = psutil.Process(machine.pid or 0)
    booted, userspace, reached = asyncio.run(asyncio.wait_for(timeline(Path(machine.runtime) / "agent.sock"), PATIENCE))
    used = process.cpu_times()
    client.stop(name, timeout=PATIENCE)
    before = booted - begun
    seconds = (before, userspace, reached - userspace, before + reached, used.user + used.system)
    return dict(zip(PARTS, seconds, strict=True))


async def timeline(socket: Path) -> tuple[float, float, float]:
    """When the guest's kernel started, by this host's clock, and how much later userspace and multi-user did."""
    async with Agent.connect(socket, timeout=PATIENCE) as agent:
        await agent.run(["systemctl", "is-system-running", "--wait"], timeout=PATIENCE)
        said = await agent.run(["sh", "-c", _ASK], timeout=PATIENCE)
        now = time.monotonic()
    uptime, _, userspace, reached = said.stdout.split()
    return now - float(uptime), int(userspace) / 1e6, int(reached) / 1e6


def fill(result: Result, first: list[dict[str, float]], second: list[dict[str, float]]) -> None:
    """The table: generation 2 against generation 1, part by part."""
    result.row("Debian 12 from one VHDX, seconds", "generation 1", "generation 2", "2 / 1")
    for part in PARTS:
        one, two = ([took[part] for took in runs] for runs in (first, second))
        result.row(
            NAMES.get(part, part),
            Spread.of(one).text(),
            Spread.of(two).text(),
            Spread.of(ratios(two, one)).text(digits=2),
        )


if __name__ == "__main__":
    main()
