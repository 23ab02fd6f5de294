# SPDX-License-Identifier: GPL-2.0-or-later
"""The OVF descriptor of a machine: as the standard has it, and read back by our own importer as the same machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import machines
import pytest
from test_export_hyperv import generation1, generation2

from kiban.adapters.foreign import finding, reading
from kiban.model import contract, export_ovf, takeover_plan
from kiban.model.export import Portrait
from kiban.model.export_ovf import OVF, RASD, Vmdk
from kiban.model.machine import Disk, Machine
from kiban.model.requests import MachineRequest
from kiban.model.takeover import DiskFacts, ForeignPlan, ImportRequest

MIB = 1 << 20
KINDS = pytest.mark.parametrize("machine", [generation1(), generation2()], ids=["generation1", "generation2"])


def files(machine: Machine) -> dict[str, Vmdk]:
    return {d.id: Vmdk(name=f"{d.id}.vmdk", size=100 + n, capacity=8 * MIB) for n, d in enumerate(machine.disks)}


def written(folder: Path, portrait: Portrait) -> ET.Element:
    text = export_ovf.descriptor(portrait, files(portrait.machine))
    (folder / f"{portrait.machine.name}.ovf").write_bytes(text)
    for file in files(portrait.machine).values():
        (folder / file.name).write_bytes(bytes(file.size))
    return ET.fromstring(text)  # noqa: S314  # it is ours


def planned(folder: Path) -> ForeignPlan:
    """The plan that our own import makes of it."""
    machine = reading.read(finding.find(folder))
    facts = [DiskFacts(size=disk.capacity or 0, files=(disk.path,)) for disk in machine.disks]
    known = takeover_plan.Known(title="", path=str(folder), disks=facts, templates={}, windows=None)
    return takeover_plan.make(machine, ImportRequest(path=str(folder)), known)


def texts(item: ET.Element) -> dict[str, str]:
    return {member.tag.removeprefix(f"{{{RASD}}}"): member.text or "" for member in item}


def made(request: MachineRequest, number: int) -> Machine:
    return contract.make(request, machines.board(number), machines.fresh())


@KINDS
def test_the_importer_reads_the_same_machine(tmp_path: Path, machine: Machine) -> None:
    machine = replace(machine, memory=512 * MIB, notes='Größe <&> zwei\nund "drei"')
    written(tmp_path, Portrait(machine=machine, secure_boot=machine.uefi is not None))
    plan = planned(tmp_path)
    again = made(plan.request, machine.generation)
    same = ("name", "generation", "cpus", "memory", "tpm", "notes", "coms")
    assert {name: getattr(again, name) for name in same} == {name: getattr(machine, name) for name in same}
    assert [(d.id, d.bus, d.slot) for d in again.disks] == [(d.id, d.bus, d.slot) for d in in_order(machine)]
    assert [disk.facts.size for disk in plan.disks] == [8 * MIB, 8 * MIB]
    assert [Path(disk.source.path).stem for disk in plan.disks] == [d.id for d in disks_in_order(machine)]
    assert [(n.kind, n.model, n.mac, n.network) for n in again.nics] == [
        (n.kind, n.model, n.mac, n.network) for n in machine.nics
    ]
    if machine.uefi and again.uefi:
        assert again.uefi.secure_boot
        assert [dvd.bus for dvd in again.dvds] == ["scsi"], "what was on USB is on SATA there"
    else:
        assert [(d.bus, d.slot) for d in again.dvds] == [(d.bus, d.slot) for d in machine.dvds]
    assert not plan.left_out


def disks_in_order(machine: Machine) -> list[Disk]:
    """As the importer counts them: by controllers."""
    buses = ("ide", "scsi", "nvme")
    return sorted(machine.disks, key=lambda disk: (buses.index(disk.bus), disk.slot))


def in_order(machine: Machine) -> list[Disk]:
    return [replace(disk, id=f"disk{number}") for number, disk in enumerate(disks_in_order(machine))]


@KINDS
def test_the_descriptor_is_as_the_standard_has_it(tmp_path: Path, machine: Machine) -> None:
    root = written(tmp_path, Portrait(machine=machine))
    assert [child.tag for child in root] == [
        f"{{{OVF}}}{name}" for name in ("References", "DiskSection", "NetworkSection", "VirtualSystem")
    ]
    items = [texts(item) for item in root.iter(f"{{{OVF}}}Item")]
    ids = [item["InstanceID"] for item in items]
    assert len(set(ids)) == len(ids)
    assert all(key.isdigit() for key in ids), "some programs read numbers only"
    assert {item["Parent"] for item in items if "Parent" in item} <= set(ids)
    assert all(list(item) == sorted(item) for item in items), "the schema has them in this order"
    networks = {network.get(f"{{{OVF}}}name") for network in root.iter(f"{{{OVF}}}Network")}
    assert {item["Connection"] for item in items if "Connection" in item} <= networks
    hrefs = {file.get(f"{{{OVF}}}id"): file for file in root.iter(f"{{{OVF}}}File")}
    for disk in root.iter(f"{{{OVF}}}Disk"):
        file = hrefs[disk.get(f"{{{OVF}}}fileRef")]
        assert (tmp_path / str(file.get(f"{{{OVF}}}href"))).stat().st_size == int(str(file.get(f"{{{OVF}}}size")))


def test_what_xml_does_not_have_is_replaced_and_said(tmp_path: Path) -> None:
    machine = replace(generation1(), notes="a\x01b\x1b[2J\ufffec")
    written(tmp_path, Portrait(machine=machine))
    assert planned(tmp_path).request.notes == "a\ufffdb\ufffd[2J\ufffdc"
    assert any("notes" in sentence for sentence in export_ovf.left_out(Portrait(machine=machine)))


def test_what_an_ovf_does_not_say_is_listed() -> None:
    machine = generation2()
    machine = replace(machine, disks=(machine.disks[0], replace(machine.disks[1], sectors="4k")))
    left = " ".join(export_ovf.left_out(Portrait(machine=machine, secure_boot=True)))
    assert all(
        word in left for word in ("4096 bytes of disk1", "boot order", "USB", "8080", "Secure Boot", "BOOTX64", "TPM")
    )
