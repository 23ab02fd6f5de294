# SPDX-License-Identifier: GPL-2.0-or-later
"""What the contract makes of a request: devices, their ids and slots, and the boot order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import machines
import pytest

from kiban.errors import BadInput, NotFound
from kiban.model import bootorder, consistency, contract
from kiban.model.machine import Disk, Dvd, Forward, Machine
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NetBootRequest, NicRequest

GIB = 1024**3


def new(form: Any = None, **fields: Any) -> DiskRequest:
    return DiskRequest(size=GIB, format=form, **fields)


def spread(number: int) -> Machine:
    return machines.make(
        number, disks=(new(), new("vhdx", bus="scsi")), dvds=(DvdRequest(iso="/a.iso"),), nics=(NicRequest(),)
    )


def places(machine: Machine) -> list[tuple[str, str, int]]:
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    return [(d.id, d.bus, d.slot) for d in drives]


def test_the_least_a_generation_1_machine_is() -> None:
    machine = machines.make(1, nics=())
    assert (machine.uefi, machine.tpm, machine.disks, machine.cpus) == (None, False, (), 1)
    assert machine.floppy is not None
    assert [(c.number, c.kind) for c in machine.coms] == [(1, "socket")]
    assert machine.boot == ("floppy", "dvd", "disk", "nic")


def test_the_least_a_generation_2_machine_is() -> None:
    machine = machines.make(2, nics=())
    assert (machine.floppy, machine.coms, machine.tpm, machine.boot) == (None, (), False, ())
    assert machine.uefi is not None
    assert (machine.uefi.secure_boot, machine.uefi.pxe_protocol) == (True, "ipv4")


def test_disks_go_where_the_generation_boots_from() -> None:
    one, two = spread(1), spread(2)
    assert places(one) == [
        ("disk0", "ide", 0), ("disk1", "scsi", 0), ("dvd0", "ide", 1)
    ]  # fmt: skip
    assert places(two) == [
        ("disk0", "scsi", 0), ("disk1", "scsi", 1), ("dvd0", "scsi", 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "path", "owned"),
    [
        (new(), "disk0.qcow2", True),
        (new("vhd"), "disk0.vhd", True),
        (DiskRequest(path="/x/y.vhdx", format="vhdx"), "/x/y.vhdx", False),
        (DiskRequest(path="/x/y.raw", format="raw", copy=True), "disk0.img", True),
    ],
)
def test_whose_an_image_is(request_: DiskRequest, path: str, owned: bool) -> None:
    disk = machines.make(2, disks=(request_,)).disks[0]
    assert (disk.path, disk.owned) == (path, owned)


def test_adapters() -> None:
    boot = NicRequest(boot=NetBootRequest(folder="/b", file="f"))
    one = machines.make(1, nics=(boot, NicRequest(), NicRequest(kind="legacy", mac="52-54-00-AA-BB-CC")))
    assert [(n.id, n.kind, n.model, n.slot) for n in one.nics] == [
        ("nic0", "legacy", "tulip", 0), ("nic1", "synthetic", "virtio", 0), ("nic2", "legacy", "tulip", 1)
    ]  # fmt: skip
    assert one.nics[2].mac == "52:54:00:aa:bb:cc"
    two = machines.make(2, nics=(boot,))
    assert [(n.kind, n.model) for n in two.nics] == [("synthetic", "virtio")]


def test_booting_from_the_network_makes_generation_1s_adapter_a_legacy_one() -> None:
    assert machines.make(1, boot=("nic",)).nics[0].kind == "legacy"
    assert machines.make(2, boot=("nic",)).nics[0].kind == "synthetic"
    assert machines.make(1).nics[0].kind == "synthetic"


def test_only_http_has_a_secret() -> None:
    for protocol, secret in (("http", "secret-2"), ("tftp", "")):
        asked: Any = NetBootRequest(folder="/b", file="f", protocol=protocol)  # type: ignore[arg-type]  # both are one
        boot = machines.make(2, nics=(NicRequest(boot=asked),)).nics[0].boot
        assert boot is not None
        assert (boot.secret, boot.port) == (secret, 0)


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ((), ("floppy", "dvd", "disk", "nic")),
        (("disk",), ("disk", "floppy", "dvd", "nic")),
        (("dvd", "floppy"), ("dvd", "floppy", "disk", "nic")),
    ],
)
def test_generation_1_boots_by_class_with_the_rest_behind(wanted: tuple[str, ...], order: tuple[str, ...]) -> None:
    assert bootorder.resolve(spread(1), wanted) == order


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ((), ("disk0", "disk1", "dvd0", "nic0")),
        (("dvd", "disk"), ("dvd0", "disk0", "disk1")),
        (("disk1", "nic", "disk"), ("disk1", "nic0", "disk0")),
        (("nic0",), ("nic0",)),
    ],
)
def test_generation_2_boots_by_device(wanted: tuple[str, ...], order: tuple[str, ...]) -> None:
    assert bootorder.resolve(spread(2), wanted) == order


def test_data_disks_on_scsi_are_no_mistake_on_generation_1() -> None:
    machine = machines.make(1, disks=(new(bus="scsi"),))
    assert machine.disks[0].bus == "scsi"


def test_com_ports() -> None:
    first, second = ComRequest(number=1, kind="file", path="/c"), ComRequest(number=2, kind="socket")
    assert [c.number for c in machines.make(1, coms=(second,)).coms] == [1, 2]
    assert [c.kind for c in machines.make(1, coms=(second, first)).coms] == ["file", "socket"]
    off = ComRequest(number=1, kind="none")
    assert [c.kind for c in machines.make(1, coms=(off,)).coms] == ["none"]
    assert machines.make(2, coms=(off,)).coms == ()


@pytest.mark.parametrize("number", [1, 2])
def test_removing_gives_slot_and_id_to_the_next(number: int) -> None:
    machine = contract.remove_device(spread(number), "disk0")
    assert [d.id for d in machine.disks] == ["disk1"]
    assert "disk0" not in machine.boot
    again = contract.add_disk(machine, new())
    assert [(d.id, d.slot) for d in again.disks if d.id == "disk0"] == [("disk0", 0)]


@pytest.mark.parametrize("number", [1, 2])
def test_removing_and_inserting_what_is_not_there(number: int) -> None:
    machine = spread(number)
    for device in ("disk9", "", "floppy0", "keyboard"):
        with pytest.raises(NotFound) as caught:
            contract.remove_device(machine, device)
        assert caught.value.hint == "It has: disk0, disk1, dvd0, nic0."
    with pytest.raises(NotFound) as caught:
        contract.insert(machine, "disk0", "/a.iso")
    assert caught.value.hint
    assert contract.insert(machine, "dvd0", "").dvds[0].medium == ""


def test_windows_hardware_has_slots_of_its_own_and_boots() -> None:
    disks = (new(), new(bus="nvme"), new(bus="nvme"))
    dvds = (DvdRequest(bus="usb"), DvdRequest(), DvdRequest(bus="usb"))
    machine = machines.make(2, disks=disks, dvds=dvds, nics=(NicRequest(model="e1000e"), NicRequest()))
    assert [(d.bus, d.slot) for d in machine.disks] == [("scsi", 0), ("nvme", 0), ("nvme", 1)]
    assert [(d.bus, d.slot) for d in machine.dvds] == [("usb", 0), ("scsi", 1), ("usb", 1)]
    assert [(n.kind, n.model, n.slot) for n in machine.nics] == [("synthetic", "e1000e", 0), ("synthetic", "virtio", 1)]
    # the firmware cannot boot from the e1000e, so it is in no order
    assert machine.boot == ("disk0", "disk1", "disk2", "dvd0", "dvd1", "dvd2", "nic1")
    consistency.check(machine)


def test_a_port_of_the_host_is_forwarded_once() -> None:
    here = Forward(protocol="tcp", host_address="127.0.0.1", host_port=2222, guest_port=22)
    everywhere = replace(here, host_address="0.0.0.0", guest_port=23)  # noqa: S104  # nobody listens there
    other = replace(here, protocol="udp")
    machines.make(2, nics=(NicRequest(forwards=(here, other)),))
    for nics in ((NicRequest(forwards=(here, everywhere)),), (NicRequest(forwards=(here,)),) * 2):
        with pytest.raises(BadInput, match="tcp port 2222 of the host twice"):
            machines.make(2, nics=nics)
