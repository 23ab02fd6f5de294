# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines take of the host: each file once, to whom it belongs, and what disks may still grow by."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_chains import content, make
from engine_world import World, run, world

from kiban.commands import capacity as commands
from kiban.engine import capacity, creating, diskview
from kiban.engine.diskview import DiskView
from kiban.engine.host import Host
from kiban.model.requests import DiskRequest, MachineRequest
from kiban.model.units import MiB


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def takes(*files: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in files)


def test_each_file_counts_once_and_for_whom_it_is(there: World) -> None:
    async def work() -> None:
        host = await Host.open(there.paths)
        base = make(there.root / "base.vhdx", "vhdx", content())
        folders = []
        for name in ("one", "two"):
            disk = DiskRequest(path=str(base), format="vhdx", link=True)
            wanted = MachineRequest(name=name, generation=1, memory=64 * MiB, disks=(disk,))
            folders.append((await creating.create(host, wanted)).directory)
        one, two = folders
        (one / "memory.saved").write_bytes(os.urandom(2 * MiB))
        os.link(one / "memory.saved", two / "again")
        (two / "elsewhere").symlink_to(base)
        (there.paths.media / "a.iso").write_bytes(os.urandom(MiB))
        found = await commands.show(host)
        held = {each.name: each for each in found.holdings}
        assert [*held] == sorted(held, key=lambda name: -held[name].takes)
        assert held[str(base)] == capacity.Holding(
            name=str(base), disks=takes(base), provisioned=12 * MiB, users=("one", "two")
        )
        first, second = held["one"], held["two"]
        overlay = one / "disk0.qcow2"
        assert (first.disks, first.saved, first.provisioned) == (takes(overlay), 2 * MiB, 12 * MiB)
        assert first.growth == 12 * MiB - takes(overlay)
        assert (second.saved, first.id) == (0, host.find("one").id)
        assert second.other < MiB, "neither the other's memory, nor what a link leads to"
        (room,) = found.file_systems
        assert room.machines == first.takes + second.takes
        assert (room.images, room.growth) == (takes(base), first.growth + second.growth)
        assert room.library == MiB
        assert 0 < room.free < room.size
        assert Path(room.path).is_mount()
        assert (found.all.machines, found.all.memory, found.running.machines) == (2, 128 * MiB, 0)
        await host.close()

    run(work())


def test_a_link_to_another_file_system_is_no_part_of_that(there: World) -> None:
    async def work() -> None:
        host = await Host.open(there.paths)
        (there.paths.media / "elsewhere.iso").symlink_to("/proc/sys/kernel/osrelease")
        (room,) = (await commands.show(host)).file_systems
        assert Path(room.path).stat().st_dev == there.paths.media.stat().st_dev
        await host.close()

    run(work())


def test_many_who_ask_cost_no_more_than_one(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = 0

    async def families(host: Host) -> list[DiskView]:
        nonlocal measured
        measured += 1
        await asyncio.sleep(0.1)
        return []

    async def work() -> None:
        host = await Host.open(there.paths)
        monkeypatch.setattr(capacity, "FRESH", 600.0)
        monkeypatch.setattr(diskview, "families", families)
        await asyncio.gather(*(commands.show(host) for _ in range(5)))
        assert measured == 1
        monkeypatch.setattr(capacity, "FRESH", 0.0)
        await commands.show(host)
        assert measured == 2
        await host.close()

    run(work())
