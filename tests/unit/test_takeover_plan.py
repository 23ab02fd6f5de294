# SPDX-License-Identifier: GPL-2.0-or-later
"""From a foreign machine to a plan: what is taken over, fitted, left out with a sentence, or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kiban.errors import BadInput, NotFound
from kiban.model import contract, takeover_plan
from kiban.model.foreign import (
    Extent,
    ForeignBus,
    ForeignCheckpoint,
    ForeignCom,
    ForeignDisk,
    ForeignDvd,
    ForeignFloppy,
    ForeignMachine,
    ForeignMemory,
    ForeignNic,
    Place,
)
from kiban.model.fresh import Fresh
from kiban.model.machine import Board, Machine
from kiban.model.takeover import DiskFacts, ForeignPlan, ImportRequest

MIB = 1 << 20
WINDOWS, UEFI_CA = "1734c6e8-3154-4dda-ba5f-a874cc483422", "272e7447-90a4-4563-a4b9-8e4ab00526ce"
BOARD = Board(
    machine_type="pc-q35-7.2",
    layout=1,
    cpu="",
    video="synthetic",
    firmware_code="/x",
    firmware_code_sha256="",
    firmware_descriptor="",
)


def disk(bus: ForeignBus, controller: int = 0, location: int = 0, **fields: Any) -> ForeignDisk:
    name = f"{bus}{controller}{location}.vhdx"
    plain = ForeignDisk(
        place=Place(bus=bus, controller=controller, location=location),
        path=rf"D:\{name}",
        image="vhdx",
        capacity=None,
        file=Extent(path=f"/src/{name}", offset=0, size=1),
    )
    return replace(plain, **fields)


def dvd(bus: ForeignBus, controller: int, location: int, path: str = "") -> ForeignDvd:
    file = Extent(path=f"/src/{path}", offset=0, size=1) if path else None
    return ForeignDvd(place=Place(bus=bus, controller=controller, location=location), path=path, file=file)


def nic(**fields: Any) -> ForeignNic:
    plain: dict[str, Any] = {
        "name": "LAN", "kind": "synthetic", "model": "", "mac": "00:15:5d:01:07:dc", "static_mac": False,
        "switch": "External", "connected": True,
    }  # fmt: skip
    return ForeignNic(**plain | fields)


def foreign(generation: Any = 2, **fields: Any) -> ForeignMachine:
    plain: dict[str, Any] = {
        "origin": "vmcx", "name": "web", "id": "", "version": "9.0", "created": "", "generation": generation,
        "firmware": None, "secure_boot": None, "template_id": "", "tpm": False, "pause_after_boot_failure": None,
        "pxe_protocol": None, "cpus": 2, "memory": ForeignMemory(startup=2048 * MIB, minimum=None, maximum=None),
        "disks": (), "dvds": (), "floppy": None, "nics": (), "coms": (), "boot": (), "autostart": None, "notes": "",
        "integration_services": (), "checkpoints": (), "current_checkpoint": "", "left_out": ("Said before.",),
    }  # fmt: skip
    return ForeignMachine(**plain | fields)


def plan(machine: ForeignMachine, windows: bool | None = None, **asked: Any) -> ForeignPlan:
    known = takeover_plan.Known(
        title="a Hyper-V machine",
        path="/src/web.vmcx",
        disks=[DiskFacts(size=64 * MIB, files=("/src/a", "/src/b")) for _ in machine.disks],
        templates={WINDOWS: "microsoft-windows", UEFI_CA: "microsoft-uefi-ca"},
        windows=windows,
    )
    return takeover_plan.make(machine, ImportRequest(path="/src", **asked), known)


def made(found: ForeignPlan) -> Machine:
    """The machine that the contract makes of a plan: it takes every plan."""
    macs = (f"52:54:00:00:00:{n:02x}" for n in range(99))
    fresh = Fresh(id="x", created="", mac=lambda: next(macs), secret=lambda: "s")
    return contract.make(found.request, BOARD, fresh)


def row(found: ForeignPlan, what: str) -> tuple[str, str]:
    return next((r.there, r.here) for r in found.rows if r.what == what)


def test_controllers_are_kept() -> None:
    two = foreign(disks=(disk("scsi"), disk("scsi", 1, 5)), dvds=(dvd("scsi", 0, 1, "a.iso"),))
    machine = made(plan(two))
    assert [(d.bus, d.slot, d.path, d.format, d.owned) for d in machine.disks] == [
        ("scsi", 0, "disk0.qcow2", "qcow2", True),
        ("scsi", 69, "disk1.qcow2", "qcow2", True),
    ]
    assert [(d.bus, d.slot, d.medium) for d in machine.dvds] == [("scsi", 1, "/src/a.iso")]
    one = foreign(1, disks=(disk("ide", 0, 1), disk("scsi", 3, 63)), dvds=(dvd("ide", 1, 0),))
    machine = made(plan(one))
    assert [(d.bus, d.slot) for d in machine.disks] == [("ide", 1), ("scsi", 255)]
    assert [(d.bus, d.slot, d.medium) for d in machine.dvds] == [("ide", 2, "")]


def test_what_a_generation_does_not_have_finds_another_place() -> None:
    found = made(plan(foreign(1, disks=(disk("scsi"), disk("sata", 0, 3), disk("unknown")))))
    assert [(d.bus, d.slot) for d in found.disks] == [("ide", 0), ("ide", 1), ("ide", 2)]  # a BIOS boots from IDE only
    found = made(plan(foreign(2, disks=(disk("ide"), disk("sata"), disk("scsi", 9, 9)))))
    assert [(d.bus, d.slot) for d in found.disks] == [("scsi", 0), ("scsi", 1), ("scsi", 2)]
    with pytest.raises(BadInput, match="257 disks"):
        plan(foreign(2, disks=(disk("scsi", 9, 9),) * 257))


def test_a_windows_gets_controllers_it_knows() -> None:
    windows = foreign(disks=(disk("scsi"),), dvds=(dvd("scsi", 0, 1),), nics=(nic(),))
    for found in (plan(windows, True), plan(replace(windows, secure_boot=True, template_id=WINDOWS))):
        machine = made(found)
        assert (machine.disks[0].bus, machine.dvds[0].bus, machine.nics[0].model) == ("nvme", "usb", "e1000e")
        assert any("has drivers" in sentence for sentence in found.advice)
        assert not any("Linux calls" in sentence for sentence in found.advice)
    unknown = plan(windows)
    assert made(unknown).disks[0].bus == "scsi"
    assert any("If the guest is a Windows" in s and "--guest" in s for s in unknown.advice)
    linux = plan(windows, False)
    assert not any("Windows" in s and "driver" in s for s in linux.advice)
    old = plan(foreign(1, disks=(disk("ide"), disk("scsi")), nics=(nic(),)), True)
    assert any("vioscsi" in s and "disk1" in s for s in old.advice)
    assert any("NetKVM" in s for s in old.advice)


def test_addresses_are_kept_and_names_of_interfaces_are_told() -> None:
    nics = (nic(), nic(mac="00:15:5d:01:07:dc"), nic(mac="01:00:00:00:00:01"), nic(mac="", connected=False))
    found = plan(foreign(nics=nics))
    assert made(found).nics[0].mac == "00:15:5d:01:07:dc"
    assert [(n.mac, n.network) for n in found.request.nics or ()] == [
        ("00:15:5d:01:07:dc", "nat"), (None, "nat"), (None, "nat"), (None, "none"),
    ]  # fmt: skip
    assert sum("gets a new one" in sentence for sentence in found.left_out) == 2
    assert any("MACAddress=00:15:5d:01:07:dc" in sentence for sentence in found.advice)
    legacy = made(plan(foreign(1, nics=(nic(kind="legacy"), nic(mac="")), boot=("nic", "disk"))))
    assert [(n.kind, n.model) for n in legacy.nics] == [("legacy", "tulip"), ("synthetic", "virtio")]
    assert legacy.boot[0] == "nic"


def test_too_many_adapters_are_left_out_by_name() -> None:
    found = plan(foreign(1, nics=tuple(nic(kind="legacy", name=f"L{n}", mac="") for n in range(5))))
    assert len(made(found).nics) == 4
    assert any("L4" in sentence for sentence in found.left_out)


def test_secure_boot() -> None:
    def secure(**fields: Any) -> tuple[bool, str]:
        uefi = made(plan(foreign(**fields))).uefi
        assert uefi is not None
        return uefi.secure_boot, uefi.template

    assert secure(secure_boot=True, template_id=UEFI_CA) == (True, "microsoft-uefi-ca")
    assert secure(secure_boot=True, template_id=WINDOWS) == (True, "microsoft-windows")
    assert secure(secure_boot=False) == (False, "microsoft-uefi-ca")
    assert secure(origin="ovf") == (False, "microsoft-uefi-ca")
    assert secure(origin="disk") == (True, "microsoft-uefi-ca")
    found = plan(foreign(secure_boot=True, template_id="0" * 8))
    assert any("does not know" in sentence for sentence in found.left_out)
    assert made(plan(foreign(1, secure_boot=None))).uefi is None


def test_memory_and_processors_are_fitted_and_said() -> None:
    dynamic = ForeignMemory(startup=1024 * MIB, minimum=512 * MIB, maximum=8192 * MIB)
    found = plan(foreign(memory=dynamic, cpus=9999))
    assert (found.request.memory, found.request.cpus) == (1024 * MIB, 240)
    assert any(s.startswith("Dynamic memory (512 MiB to 8 GiB)") for s in found.left_out)
    assert any(s.startswith("9999 processors") for s in found.left_out)
    assert row(found, "memory") == ("1 GiB at the start, dynamic 512 MiB to 8 GiB", "1 GiB")
    odd = plan(foreign(memory=ForeignMemory(startup=MIB + 5, minimum=None, maximum=None)))
    assert odd.request.memory == 128 * MIB
    made(odd)


def test_the_rest() -> None:
    coms = tuple(ForeignCom(number=n, connection=rf"\\.\pipe\{n}") for n in (1, 2, 3))
    found = plan(foreign(tpm=True, coms=coms, notes="a\0b", autostart=True, pause_after_boot_failure=True))
    machine = made(found)
    assert (machine.tpm, machine.autostart, machine.notes) == (True, True, "ab")
    assert [(c.number, c.kind, c.path) for c in machine.coms] == [(1, "socket", ""), (2, "socket", "")]
    assert machine.uefi is not None
    assert machine.uefi.pause_after_boot_failure
    assert "Said before." in found.left_out
    assert any(s.startswith("COM3") for s in found.left_out)
    floppy = ForeignFloppy(path="a.vfd", file=Extent(path="/src/a.vfd", offset=0, size=1))
    machine = made(plan(foreign(1, floppy=floppy, boot=("dvd", "disk", "nic", "floppy"))))
    assert machine.floppy is not None
    assert (machine.floppy.medium, machine.boot) == ("/src/a.vfd", ("floppy", "dvd", "disk", "nic"))
    assert any("a.vfd" in s for s in plan(foreign(2, floppy=floppy)).left_out)


def test_a_medium_that_is_not_there_is_left_out() -> None:
    gone = replace(dvd("scsi", 0, 1), path=r"C:\iso\gone.iso")
    inside = replace(gone, path="cd.iso", file=Extent(path="/src/box.ova", offset=512, size=9))
    found = plan(foreign(dvds=(gone, inside)))
    assert [d.iso for d in found.request.dvds] == ["", ""]
    assert sum(".iso" in s and "--dvd" in s for s in found.left_out) == 2


def test_generations() -> None:
    with pytest.raises(BadInput, match="which generation") as caught:
        plan(foreign(None, origin="disk", disks=(disk("unknown"),)))
    assert caught.value.reason == "which-generation"
    assert plan(foreign(None, origin="disk", disks=(disk("unknown"),)), generation=1).request.generation == 1
    with pytest.raises(BadInput, match="never changes"):
        plan(foreign(2), generation=1)


def test_names() -> None:
    assert plan(foreign(name="Größe & Web Server")).request.name == "Gr-e-Web-Server"
    assert plan(foreign(name="x"), name="other").request.name == "other"
    with pytest.raises(BadInput, match="cannot be a machine's name"):
        plan(foreign(name="日本"))
    with pytest.raises(BadInput):
        plan(foreign(), name="../up")


def test_missing_disks_are_named_together() -> None:
    with pytest.raises(NotFound, match=r"2 disks of web cannot be found: D:\\scsi00.vhdx, D:\\scsi01.vhdx"):
        plan(foreign(disks=(disk("scsi", file=None), disk("scsi", 0, 1, file=None))))


def test_lazy_is_for_the_disks_of_hyper_v() -> None:
    disks = (disk("scsi"), disk("scsi", 0, 1, image="vmdk"))
    found = plan(foreign(disks=disks), lazy=True)
    assert [d.lazy for d in found.disks] == [True, False]
    assert any("disk1" in s and "copied first" in s for s in found.left_out)
    assert not any(d.lazy for d in plan(foreign(disks=disks)).disks)


def test_the_tree_of_checkpoints_and_choosing_one() -> None:
    before = foreign(cpus=1, name="before")
    checkpoints = (
        ForeignCheckpoint(id="a", parent="", name="first", created="2020", machine=before),
        ForeignCheckpoint(id="b", parent="a", name="second", created="", machine=replace(before, cpus=8)),
        ForeignCheckpoint(id="c", parent="a", name="second", created="", machine=before),
    )
    machine = foreign(checkpoints=checkpoints, current_checkpoint="c")
    found = plan(machine)
    assert [(c.id, c.depth, c.taken) for c in found.checkpoints] == [("a", 0, False), ("b", 1, False), ("c", 1, True)]
    assert any(s.startswith("The 3 checkpoints: the state after second is imported") for s in found.left_out)
    taken = plan(takeover_plan.chosen(machine, "B"))
    assert (taken.request.cpus, taken.request.name) == (8, "web")
    assert [c.taken for c in taken.checkpoints] == [False, True, False]
    with pytest.raises(BadInput, match="2 checkpoints are called"):
        takeover_plan.chosen(machine, "second")
    with pytest.raises(NotFound, match="no checkpoint 'x'"):
        takeover_plan.chosen(machine, "x")


def test_what_strangers_wrote_does_not_drive_a_terminal() -> None:
    evil = "\x1b[2J"
    machine = foreign(
        name=f"web{evil}",
        disks=(disk("scsi", path=f"D:\\{evil}"),),
        nics=(nic(name=evil, switch=evil, model=evil),),
        coms=(ForeignCom(number=1, connection=evil),),
    )
    found = plan(machine)
    said = [text for r in found.rows for text in (r.what, r.there, r.here)] + [*found.left_out, *found.advice]
    assert all(text.isprintable() for text in said)
