# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's machines: made through the service like any other, and gone afterwards whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiban.client import Client
from kiban.demo.boot import Guest
from kiban.demo.refusal import MEMTEST
from kiban.demo.show import Bar
from kiban.errors import Conflict
from kiban.model.requests import DiskRequest

GENERATIONS = {1: "demo-gen1", 2: "demo-gen2"}
REFUSED = "demo-refused"
NAMES = (*GENERATIONS.values(), REFUSED)
NOTE = "Made by kiban demo, which removes it when it runs again."
CPUS = 1  # what `kiban create` gives; with more, the firmware of generation 2 takes far longer without KVM


@contextmanager
def fresh(host: Client, *, keep: bool) -> Iterator[None]:
    """No machine of the demo's before the block, and none after it unless it went well and they are to be kept.

    Raises:
        Conflict: somebody else's machine has one of the names.
    """
    clear(host)
    try:
        yield
    except BaseException:  # Ctrl-C among them
        clear(host)
        raise
    if not keep:
        clear(host)


def clear(host: Client) -> None:
    """Turn the demo's machines off and remove them, with those that an interrupted demo left."""
    for job in host.jobs():
        if job.ended is None and job.machine in NAMES:  # what was cancelled a moment ago takes another to stop
            host.job(job.id, wait=60)
    there = [machine for machine in host.machines() if machine.name in NAMES]
    for machine in there:
        if machine.notes != NOTE:
            raise Conflict(
                f"There is a machine {machine.name}, and it is none of the demo's.",
                f"Give it another name: kiban rename {machine.name} NEW-NAME",
            )
    for machine in there:
        if machine.state == "saved":
            host.discard(machine.name)
        elif machine.state != "off":
            host.stop(machine.name, force=True)
        host.remove(machine.name)


def create(host: Client, generation: int, guest: Guest, vhdx: Path, bar: Bar) -> str:
    """Make the machine of a generation, with a copy of the guest's disk of its own; returns its name.

    Both are as `kiban create` makes them, but for an empty DVD drive. There is no TPM: into one the firmware and GRUB
    measure all that they load, which generation 1 cannot, and the times are to be comparable.
    """
    name = GENERATIONS[generation]
    host.create(
        name,
        generation=generation,
        cpus=CPUS,
        memory=guest.memory,
        disks=[DiskRequest(path=str(vhdx), format="vhdx", copy=True)],
        dvds=[""],
        notes=NOTE,
        progress=bar,
    )
    return name


def create_refused(host: Client) -> str:
    """Make a generation 2 machine with nothing to boot from but the ISO; returns its name."""
    host.create(REFUSED, generation=2, memory=256 << 20, dvds=[str(MEMTEST)], nics=[], notes=NOTE)
    return REFUSED
