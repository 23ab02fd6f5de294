# SPDX-License-Identifier: GPL-2.0-or-later
"""Making machines with real disks and firmware: whole or not at all, and once per name."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import World, one, run, world

from kiban.adapters.osinfo.database import database
from kiban.adapters.qemu import devices
from kiban.adapters.store import directory as store
from kiban.engine import creating, hotplug, life, view
from kiban.engine import host as host_module
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, HostLacks, KibanError, NotFound, NotInGeneration
from kiban.model.machine import Forward
from kiban.model.requests import DiskRequest, DvdRequest, MachineRequest, NicRequest

MIB = machines.MIB
needs_tools = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
needs_ovmf = pytest.mark.skipif(
    not Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists(), reason="OVMF is not installed"
)

needs_osinfo = pytest.mark.skipif(not Path("/usr/share/osinfo/os").is_dir(), reason="osinfo-db is not installed")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def asked(**fields: Any) -> MachineRequest:
    small: dict[str, Any] = {"name": "web", "generation": 1, "memory": 64 * MIB}
    return MachineRequest(**small | fields)


def contents(there: World) -> list[str]:
    return sorted(entry.name for entry in there.paths.machines.iterdir())


@needs_tools
@pytest.mark.parametrize("form", ["qcow2", "vhdx", "vhd", "raw"])
def test_generation_1_with_a_disk_of_each_format(there: World, form: Any) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, asked(disks=(DiskRequest(size=16 * MIB, format=form),)))
        assert store.load(handle.directory) == handle.machine
        assert (handle.directory / handle.machine.disks[0].path).is_file()
        assert contents(there) == [handle.id]
        assert handle.machine.board.machine_type == "pc-i440fx-7.2"
        await life.start(host, handle)
        assert view.of(handle).state == "running"

    run(go())


@needs_ovmf
def test_generation_2_has_its_boot_order_in_nvram(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(
            host, asked(generation=2, memory=128 * MIB, dvds=(DvdRequest(),), boot=("nic", "dvd"))
        )
        found = [entry["device"] for entry in view.of(handle).boot_entries]
        assert found[:1] == ["nic0"]
        assert found[-1] == "dvd0"
        assert handle.machine.board.firmware_code_sha256

    run(go())


REFUSED: list[tuple[dict[str, Any], type[KibanError]]] = [
    ({"name": "../up"}, BadInput),
    ({"generation": 3}, BadInput),
    ({"tpm": True}, NotInGeneration),
    ({"disks": (DiskRequest(path="/nowhere.img", format="raw"),)}, NotFound),
    ({"disks": (DiskRequest(path="relative.img", format="raw"),)}, BadInput),
    ({"disks": (DiskRequest(path="/etc/passwd", format="qcow2"),)}, KibanError),
    ({"disks": (DiskRequest(size=16 * MIB), DiskRequest(size=1))}, BadInput),
    ({"dvds": (DvdRequest(iso="/nowhere.iso"),)}, NotFound),
    ({"floppy": "/nowhere.ima"}, NotFound),
    ({"floppy": "/etc/passwd"}, KibanError),
    ({"guest": "no-such-guest"}, KibanError),
    ({"notes": "\ud800"}, BadInput),
    ({"memory": 1}, BadInput),
    ({"video": "synthetic"}, NotInGeneration),
]


@needs_tools
@pytest.mark.parametrize(("fields", "kind"), REFUSED)
def test_what_is_refused_leaves_nothing(there: World, fields: dict[str, Any], kind: type[KibanError]) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(kind) as caught:
            await creating.create(host, asked(**fields))
        assert caught.value.hint
        assert (contents(there), host.handles) == ([], {})

    run(go())


def test_a_failure_in_the_last_step_leaves_nothing(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise HostLacks("Cannot write.", "df -h")

    async def go() -> None:
        host = await Host.open(there.paths)
        with monkeypatch.context() as patch:
            patch.setattr(store, "save", full)
            with pytest.raises(HostLacks):
                await creating.create(host, asked())
        assert (contents(there), host.handles) == ([], {})
        await creating.create(host, asked())  # and the name is free

    run(go())


@needs_tools
def test_a_creation_that_is_cancelled_leaves_nothing(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        disks = tuple(DiskRequest(size=16 * MIB) for _ in range(4))
        making = asyncio.create_task(creating.create(host, asked(disks=disks)))
        while not contents(there):
            await asyncio.sleep(0)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert (contents(there), host.handles) == ([], {})

    run(go())


def test_one_name_is_given_once(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        results = await asyncio.gather(*(creating.create(host, asked()) for _ in range(4)), return_exceptions=True)
        errors = [r for r in results if isinstance(r, Conflict)]
        assert (len(errors), {e.reason for e in errors}, len(contents(there))) == (3, {"name-taken"}, 1)

    run(go())


def test_no_qemu_no_machine(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(there.root))

    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(HostLacks, match="is not installed"):
            await creating.create(host, asked())
        assert contents(there) == []

    run(go())


@pytest.mark.parametrize("installed", [True, False])
def test_without_ipxe_a_legacy_adapter_warns(there: World, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    ipxe = there.root / "ipxe.lkrn"
    if installed:
        ipxe.write_bytes(b"")
    monkeypatch.setattr(host_module, "IPXE", ipxe)

    async def go() -> None:
        host, handle = await one(there, nics=(NicRequest(kind="legacy"),))
        await life.start(host, handle)
        assert any("apt install ipxe" in w for w in handle.warnings) == (not installed)
        arguments = (there.starts / str(there.living()[0])).read_text()
        assert ("opt/kiban/ipxe" in arguments) == installed

    run(go())


@needs_tools
def test_devices_come_and_go_while_the_machine_is_off(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB))
        await hotplug.add_dvd(handle, DvdRequest())
        await hotplug.add_nic(host, handle, NicRequest())
        assert store.load(handle.directory).device_ids() == ("disk0", "dvd0", "nic0")
        with pytest.raises(NotFound):
            await hotplug.remove_device(host, handle, "disk7")
        for device in ("disk0", "dvd0", "nic0"):
            await hotplug.remove_device(host, handle, device)
        assert store.load(handle.directory).device_ids() == ()
        # the image is not deleted with the device
        assert len(list(handle.directory.glob("*disk0.qcow2"))) == 1
        await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB))
        assert len(list(handle.directory.glob("*disk0.qcow2"))) == 2
        await life.start(host, handle)

    run(go())


@needs_ovmf
def test_an_adapter_without_a_standing_port_waits_for_the_machine_to_be_off(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        request = asked(generation=2, memory=128 * MIB, nics=(NicRequest(), NicRequest(), NicRequest()))
        handle = await creating.create(host, request)
        await life.start(host, handle)
        for change in (hotplug.add_nic(host, handle, NicRequest()), hotplug.remove_device(host, handle, "nic2")):
            with pytest.raises(Conflict, match="the first 2 can come and go") as caught:
                await change
            assert "kiban stop" in caught.value.hint
        assert store.load(handle.directory).device_ids() == ("nic0", "nic1", "nic2")
        await life.turn_off(handle)
        await hotplug.remove_device(host, handle, "nic2")

    run(go())


@needs_ovmf
def test_the_only_drive_of_a_controller_waits_for_the_machine_to_be_off(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, asked(generation=2, memory=128 * MIB, dvds=(DvdRequest(),) * 64))
        full = handle.machine
        await life.start(host, handle)
        # unit 64 would be the first of a controller that QEMU does not have
        with pytest.raises(Conflict, match="only drive of SCSI controller 1 cannot be added while web is running"):
            await hotplug.add_dvd(handle, DvdRequest())
        assert store.load(handle.directory) == full
        await life.turn_off(handle)
        await hotplug.add_dvd(handle, DvdRequest())
        await life.start(host, handle)
        with pytest.raises(Conflict, match="only drive of SCSI controller 1 cannot be removed") as caught:
            await hotplug.remove_device(host, handle, "dvd64")
        assert "kiban stop" in caught.value.hint
        await life.turn_off(handle)
        await hotplug.remove_device(host, handle, "dvd64")
        assert devices.sockets(handle.machine) == devices.sockets(full)

    run(go())


@needs_ovmf
@pytest.mark.parametrize(("fields", "device", "words"), [
    ({"dvds": (DvdRequest(bus="usb"),)}, "dvd0", "A DVD drive on USB cannot be removed .*: USB has no hot-plug"),
    ({"disks": (DiskRequest(size=16 * MIB, bus="nvme"),)}, "disk0", "A disk on NVMe cannot be removed .*: NVMe has no"),
])  # fmt: skip
def test_nvme_and_usb_have_no_hot_plug(there: World, fields: dict[str, Any], device: str, words: str) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, asked(generation=2, memory=128 * MIB, **fields))
        before = handle.machine
        await life.start(host, handle)
        with pytest.raises(Conflict, match=words):
            await hotplug.remove_device(host, handle, device)
        with pytest.raises(Conflict, match="NVMe has no hot-plug, SCSI has"):
            await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB, bus="nvme"))
        with pytest.raises(Conflict, match="USB has no hot-plug, SCSI has"):
            await hotplug.add_dvd(handle, DvdRequest(bus="usb"))
        assert store.load(handle.directory) == before

    run(go())


@needs_osinfo
@needs_ovmf
def test_a_windows_gets_what_it_has_drivers_for(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        small = asked(generation=2, memory=128 * MIB, tpm=False, guest="win2k22")
        disk, dvd = DiskRequest(size=16 * MIB), DvdRequest()
        handle = await creating.create(host, replace(small, disks=(disk,), dvds=(dvd, dvd)))
        machine = handle.machine
        assert [*(d.bus for d in machine.disks), *(d.bus for d in machine.dvds)] == ["nvme", "usb", "usb"]
        assert [n.model for n in machine.nics] == ["e1000e"]
        assert machine.uefi is not None
        assert machine.uefi.template == "microsoft-windows"
        assert [entry["device"] for entry in view.of(handle).boot_entries] == ["disk0", "dvd0", "dvd1"]
        assert "drivers of its own for what it gets: NVMe disks, DVD drives on USB, an e1000e" in handle.warnings[0]
        assert len(handle.warnings) == 2  # and that it cannot be saved
        await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB))
        await hotplug.add_nic(host, handle, NicRequest())
        assert [handle.machine.disks[1].bus, handle.machine.nics[1].model] == ["nvme", "e1000e"]

        scsi, virtio = replace(disk, bus="scsi"), NicRequest(model="virtio")
        other = await creating.create(host, replace(small, name="other", disks=(scsi,), nics=(virtio,)))
        assert (other.machine.disks[0].bus, other.machine.nics[0].model) == ("scsi", "virtio")
        assert "no driver of its own for SCSI and its virtio adapter" in other.warnings[0]
        # who wants it to boot from the network wants an adapter that the firmware has a driver for
        third = await creating.create(host, replace(small, name="third", boot=("nic",)))
        assert third.machine.nics[0].model == "virtio"

    run(go())


@needs_osinfo
@needs_ovmf
def test_other_systems_keep_their_machines(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        small = asked(memory=128 * MIB, disks=(DiskRequest(size=16 * MIB),), dvds=(DvdRequest(),))
        for number, guest in ((2, "debian11"), (2, None), (1, "debian11"), (1, None), (1, "winxp")):
            handle = await creating.create(
                host, replace(small, name=f"m-{number}-{guest}", generation=number, guest=guest)
            )
            machine = handle.machine
            bus = "ide" if number == 1 else "scsi"
            assert (machine.disks[0].bus, machine.dvds[0].bus) == (bus, bus)
            assert machine.nics[0].model == ("tulip" if guest == "winxp" else "virtio")
            assert handle.warnings == []

    run(go())


@needs_osinfo
def test_a_guest_newer_than_the_database_is_known_by_its_own_name(there: World) -> None:
    last = max(int(name.removeprefix("debian")) for name in database().short_ids() if re.fullmatch(r"debian\d+", name))

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, asked(memory=128 * MIB, guest=f"Debian{last + 1}"))
        assert handle.machine.guest == f"debian{last + 1}"
        assert [w for w in handle.warnings if "newer than this host's osinfo-db" in w and f"Debian {last}" in w]
        await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB))  # by what suits the guest
        assert handle.machine.disks[0].bus == "ide"

    run(go())


def test_a_port_that_cannot_be_had_is_told_of(there: World) -> None:
    def forward(port: int) -> NicRequest:
        return NicRequest(forwards=(Forward(protocol="tcp", host_address="127.0.0.1", host_port=port, guest_port=22),))

    async def go() -> None:
        host = await Host.open(there.paths)
        with socket.socket() as taken, socket.socket() as later:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            later.bind(("127.0.0.1", 0))
            busy, free = taken.getsockname()[1], later.getsockname()[1]
            later.close()
            one = await creating.create(host, asked(nics=(forward(busy), forward(free))))
            assert len(one.warnings) == 1
            assert f"port {busy}" in one.warnings[0]
            two = await creating.create(host, asked(name="two", nics=()))
            for _ in range(2):  # said once, however often it is found
                await hotplug.add_nic(host, two, forward(free))
                assert two.warnings == [f"web forwards tcp port {free} too: only one of them can run at a time."]
                await hotplug.remove_device(host, two, "nic0")

    run(go())


@needs_tools
def test_a_disk_that_qemu_refuses_is_not_added(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "no-plug")

    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        before = handle.machine
        with pytest.raises(KibanError):
            await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB))
        assert store.load(handle.directory) == handle.machine == before
        assert list(handle.directory.glob("disk0*")) == []
        with pytest.raises(Conflict, match="IDE has no hot-plug"):
            await hotplug.add_disk(host, handle, DiskRequest(size=16 * MIB, bus="ide"))

    run(go())
