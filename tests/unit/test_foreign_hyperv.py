# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a Hyper-V configuration: a real one, and ones of ours in both forms, which must mean the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import foreign_makers as make
import pytest
from specimens import specimen

from kiban.adapters.foreign import hyperv, hyperv_xml, vmcx_keys
from kiban.adapters.foreign.blob import Blob
from kiban.errors import BadInput
from kiban.model.foreign import ForeignDisk, ForeignMachine, ForeignMemory, ForeignNic, Place

MIB, GIB = 1 << 20, 1 << 30


def from_vmcx(tree: Any) -> ForeignMachine:
    return hyperv.describe(vmcx_keys.read_settings(Blob(make.vmcx(tree), "vm.vmcx")), "vmcx", "vm.vmcx")


def from_xml(data: bytes) -> ForeignMachine:
    return hyperv.describe(hyperv_xml.read_settings(Blob(data, "vm.xml")), "xml", "vm.xml")


def disk(bus: Any, controller: int, location: int, path: str) -> ForeignDisk:
    place = Place(bus=bus, controller=controller, location=location)
    return ForeignDisk(place=place, path=path, image="vhdx", capacity=None, file=None)


def test_a_real_machine_of_generation_1() -> None:
    data = specimen("descriptor/hyperv/test.vmcx")
    machine = hyperv.describe(vmcx_keys.read_settings(Blob(data, "test.vmcx")), "vmcx", "test.vmcx")
    assert (machine.name, machine.generation, machine.firmware, machine.version) == ("Other Location", 1, "bios", "9.0")
    assert (machine.id, machine.created) == ("282874fc-59d6-4f30-bc04-5fdd909c82e0", "2021-08-22T21:41:00+00:00")
    assert (machine.cpus, machine.memory) == (1, ForeignMemory(startup=GIB, minimum=None, maximum=None))
    path = r"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks\Other Location.vhdx"
    assert machine.disks == (disk("ide", 0, 0, path),)
    assert [(d.place, d.path) for d in machine.dvds] == [(Place(bus="ide", controller=1, location=0), "")]
    assert machine.nics == (
        ForeignNic(
            name="Network Adapter", kind="synthetic", model="", mac="", static_mac=False, switch="", connected=False
        ),
    )
    assert machine.boot == ("dvd", "disk", "nic", "floppy")
    assert (machine.floppy, machine.coms, machine.tpm, machine.secure_boot) == (None, (), False, None)
    off = [service.name for service in machine.integration_services if not service.enabled]
    assert (len(machine.integration_services), off) == (6, ["Guest Service Interface"])
    assert not [sentence for sentence in machine.left_out if "device" in sentence]


def test_a_machine_of_generation_2_with_everything() -> None:
    machine = from_vmcx(make.generation2())
    assert (machine.name, machine.generation, machine.notes) == ("Web Server", 2, "Größe\nzwei")
    assert (machine.firmware, machine.secure_boot, machine.template_id) == ("uefi", True, make.UEFI_CA)
    assert (machine.tpm, machine.pause_after_boot_failure, machine.pxe_protocol) == (True, True, "ipv6")
    assert machine.memory == ForeignMemory(startup=2 * GIB, minimum=512 * MIB, maximum=8 * GIB)
    assert (machine.cpus, machine.autostart, machine.boot) == (4, True, ())
    assert machine.disks == (
        disk("scsi", 0, 0, r"D:\VMs\web\Virtual Hard Disks\web.vhdx"),
        disk("scsi", 1, 5, r"E:\data\data.vhdx"),
    ), "the manifest's numbers say which controller is the first"
    assert [(d.place.location, d.path) for d in machine.dvds] == [(1, r"C:\iso\debian.iso")]
    assert machine.nics == (
        ForeignNic(
            name="LAN",
            kind="synthetic",
            model="",
            mac="00:15:5d:01:07:dc",
            static_mac=True,
            switch="External",
            connected=True,
        ),
    )
    assert [(com.number, com.connection) for com in machine.coms] == [(1, r"\\.\pipe\web")]


@pytest.mark.parametrize(
    "what",
    ["GPU Partition", "SCSI 1:6", "VLAN", "BIOS GUID dddddddd", "boot order", "TPM", "weight of the proc", "Nested"],
)
def test_what_has_no_place_is_said(what: str) -> None:
    assert [s for s in from_vmcx(make.generation2()).left_out if what in s]


def changed(path: str, value: Any) -> dict[str, Any]:
    tree = make.generation2()
    at = tree
    *parents, last = path.split("/")
    for name in parents:
        at = at.setdefault(name, {})
    at[last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("settings/processors/limit_cpuid", True, "compatibility"),
        ("settings/memory/sgx", {"enabled": True}, "SGX"),
        ("settings/memory/bank/target_memory_buffer", 20, "buffer of 20 %"),
        ("global_settings/disk_merge_pending", True, "merge"),
        ("global_settings/power/host_startup/action", 1, "when it ran before"),
        ("savedstate", {"vsvlocation": "x"}, "saved memory"),
        ("security", {"shielded": True}, "below security"),
        (f"_{make.B}_/controller0/drive5/persistent_reservations_supported", True, "shared"),
        (f"_{make.B}_/controller0/drive5/iops_limit", 100, "IOPS"),
        (f"_{make.B}_/controller0/drive5/pathname", r"E:\set.vhds", "neither a VHD nor a VHDX"),
        (f"_{make.BIOS}_/num_lock", True, "NumLock"),
    ],
)
def test_more_of_what_is_said(path: str, value: Any, what: str) -> None:
    before = from_vmcx(make.generation2()).left_out
    (sentence,) = set(from_vmcx(changed(path, value)).left_out) - set(before)
    assert what in sentence


def test_both_forms_mean_the_same() -> None:
    tree = make.generation2()
    assert replace(from_xml(make.xml(tree)), origin="vmcx") == from_vmcx(tree)


def test_xml_is_utf_16_but_may_be_utf_8() -> None:
    data = make.xml(make.generation2())
    assert data[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert from_xml(data) == from_xml(make.xml(make.generation2(), encoding="utf-8"))


def test_before_templates_secure_boot_meant_windows() -> None:
    tree = changed(f"_{make.BIOS}_/secure_boot_template_id", "")
    assert from_xml(make.xml(tree)).template_id == "1734c6e8-3154-4dda-ba5f-a874cc483422"
    assert from_vmcx(tree).template_id == ""


def test_before_generations_all_were_the_first() -> None:
    tree = make.generation2()
    del tree["properties"]["subtype"]
    assert from_xml(make.xml(tree)).generation == 1
    with pytest.raises(BadInput, match="neither generation 1 nor 2") as caught:
        from_vmcx(changed("properties/subtype", 2))
    assert caught.value.reason == "unknown-generation"


def test_a_legacy_adapter_is_told_by_its_address() -> None:
    tree = make.generation2()
    tree["manifest"].update([make.device(9, make.IDE[:-1] + "0", "Legacy Network Adapter", make.GEN2_ID)])
    tree[f"_{make.GEN2_ID}_"] = {"MacAddress": "00155D0107DD", "MacAddressIsStatic": False}
    machine = from_vmcx(tree)
    assert [(nic.kind, nic.mac, nic.name) for nic in machine.nics][1:] == [
        ("legacy", "00:15:5d:01:07:dd", "Legacy Network Adapter")
    ]
    assert not [s for s in machine.left_out if "Legacy" in s]


def test_a_tpm_that_is_off_is_none() -> None:
    assert not from_vmcx(changed(f"_{make.TPM}_", {"Enabled": False})).tpm


def test_two_devices_that_are_the_same_are_refused() -> None:
    tree = make.generation2()
    tree["manifest"].update([make.device(9, make.SCSI, "Synthetic SCSI Controller", make.A)])
    with pytest.raises(BadInput, match="two devices are the same"):
        from_vmcx(tree)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><configuration>&a;</configuration>', "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><configuration/>', "document type"),
        ("<configuration>&undefined;</configuration>", "not XML"),
        ("<configuration><properties></configuration>", "not XML"),
        ("<a>" * 70 + "</a>" * 70, "nested more deeply"),
        ("<a>" + "<b/>" * 200_001 + "</a>", "more elements"),
        ("<machine/>", "no Hyper-V configuration"),
        ("", "not XML"),
        ('<?xml version="1.0" encoding="no-such-thing"?><configuration/>', "not XML|encoding"),
        ('<configuration><properties><a type="integer">12x</a></properties></configuration>', "integer a is"),
        (
            '<configuration><properties><a type="integer">' + "9" * 5000 + "</a></properties></configuration>",
            "integer a",
        ),
        ('<configuration><properties><a type="bytes">@@@</a></properties></configuration>', "bytes a is"),
    ],
)
def test_hostile_xml_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        from_xml(text.encode())


def test_large_xml_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadInput, match="more than the") as caught:
        from_xml(b" " * ((16 << 20) + 1))
    assert caught.value.reason == "too-large"
