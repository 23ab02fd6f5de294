# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk or DVD drive is attached elsewhere, where the generation has a place for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import machines
import pytest
from engine_world import World, run, world
from test_engine_creating import needs_ovmf, needs_tools

from kiban.adapters.store import directory as store
from kiban.engine import creating, editing, life, nvram, view
from kiban.engine.host import Host
from kiban.errors import Conflict, NotFound, NotInGeneration
from kiban.model.contract import move_drive
from kiban.model.requests import DiskRequest, DvdRequest, MachineRequest

MIB = machines.MIB


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def test_it_goes_where_it_is_sent_and_stays_what_it_is() -> None:
    made = machines.make(1, disks=(DiskRequest(size=MIB), DiskRequest(size=MIB)), dvds=(DvdRequest(),))
    moved = move_drive(made, "disk0", "scsi", 70)
    assert moved == replace(made, disks=(replace(made.disks[0], bus="scsi", slot=70), made.disks[1]))
    assert move_drive(moved, "disk0", "ide", None) == made
    assert move_drive(made, "dvd0", None, 3).dvds[0].slot == 3
    assert move_drive(made, "disk1", None, 1) == made  # where it is


@pytest.mark.parametrize(("generation", "to", "error", "words"), [
    (1, ("disk0", "ide", 2), Conflict, "has no free slot 2 on IDE"),
    (1, ("disk0", "ide", 4), Conflict, "has no free slot 4 on IDE"),
    (1, ("disk0", "nvme", None), NotInGeneration, "has no NVMe"),
    (1, ("dvd0", "scsi", None), NotInGeneration, "a DVD drive goes on IDE, not on SCSI"),
    (2, ("disk0", "ide", None), NotInGeneration, "has no IDE"),
    (2, ("nic0", None, None), NotFound, "no disk or DVD drive nic0"),
])  # fmt: skip
def test_what_has_no_place_is_refused(generation: int, to: Any, error: type[Exception], words: str) -> None:
    disks = (DiskRequest(size=MIB), DiskRequest(size=MIB))
    made = machines.make(generation, disks=disks, dvds=(DvdRequest(),))
    with pytest.raises(error, match=words):
        move_drive(made, *to)


def test_a_disk_of_4_kib_stays_off_ide() -> None:
    made = machines.make(1, disks=(DiskRequest(size=MIB, bus="scsi", sectors="4k"),))
    with pytest.raises(NotInGeneration, match="IDE has sectors of 512 bytes"):
        move_drive(made, "disk0", "ide", None)


@needs_tools
@needs_ovmf
def test_it_keeps_its_place_in_the_boot_order(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        disks = (DiskRequest(size=16 * MIB), DiskRequest(size=16 * MIB))
        asked = MachineRequest(name="web", memory=128 * MIB, disks=disks, boot=("disk1", "disk0", "nic0"))
        handle = await creating.create(host, asked)
        await editing.move_drive(handle, "disk1", "nvme", None)
        await editing.move_drive(handle, "disk0", None, 5)
        assert store.load(handle.directory) == handle.machine
        assert [(d.bus, d.slot) for d in handle.machine.disks] == [("scsi", 5), ("nvme", 0)]
        assert view.of(handle).boot_order == ("disk1", "disk0", "nic0")
        assert None not in [entry.device for entry in nvram.entries(handle.directory, handle.machine)]
        await life.start(host, handle)
        with pytest.raises(Conflict, match="is running"):
            await editing.move_drive(handle, "disk0", None, 0)

    run(go())
