# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest sees of its machine is what its generation's contract says, no more and no less."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Guest

from kiban.adapters.qemu.devices import HOTPLUG_PORTS
from kiban.adapters.qemu.layout import layout
from kiban.model.generations import generation

SEEN: dict[int, dict[str, Any]] = {
    1: {
        "firmware": "BIOS",
        "secure_boot": "none",
        "lockdown": "none",
        "host_bridge": "8086:1237",  # 440FX
        "tpm": "",
        "controller": ["IDE 8086:7010 ata_piix", "SCSI 1af4:1004 virtio-pci"],
        "disk": ["ATA 28 MiB", "SCSI 64 MiB"],
        "floppy": ["controller", "drive fd0"],
        "ps2": ["i8042 AUX port", "i8042 KBD port"],
        "usb_controller": [],
        "usb": [],
        "video": ["1234:1111 bochs-drm"],
        "com": ["ttyS0 0x3F8", "ttyS1 0x2F8"],
        "nic": ["1af4:1000 virtio-pci"],
    },
    2: {
        "firmware": "UEFI",
        "secure_boot": "on",
        "lockdown": "integrity",
        "host_bridge": "8086:29c0",  # Q35
        "tpm": "2",
        "controller": ["SCSI 1af4:1048 virtio-pci"],
        "disk": ["SCSI 28 MiB", "SCSI 64 MiB"],
        "floppy": [],
        "ps2": [],
        "usb_controller": ["1b36:000d xhci_hcd"],
        "usb": ["QEMU USB Keyboard", "QEMU USB Tablet"],
        "video": ["1234:1111 bochs-drm"],
        "com": [],
        "nic": ["1af4:1041 virtio-pci"],
    },
}
BOARD = {1: {"00.0", "01.0", "01.1", "01.3"}, 2: {"00.0", "1f.0"}}
"""The chipset's own functions: host bridge, ISA bridge, IDE and power management."""


def test_the_hardware_is_that_of_the_generation(guest: Guest) -> None:
    view, seen = guest.view, guest.hardware()
    expected = SEEN[view.generation]
    assert {key: sorted(seen[key]) if isinstance(seen[key], list) else seen[key] for key in expected} == expected
    assert [line.split()[0] for line in seen["dvd"]] == ["ATA" if view.generation == 1 else "SCSI"]
    assert int(str(seen["cpus"])) == view.cpus == 2
    assert 0.8 * view.memory < int(str(seen["memory_kib"])) * 1024 <= view.memory  # the kernel keeps some for itself
    guest.picture(f"disk-generation{view.generation}")


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_expected_above_is_the_contract(number: int) -> None:
    gen, seen = generation(number), SEEN[number]
    assert (seen["firmware"] == "UEFI") == (gen.firmware == "uefi")
    assert (seen["secure_boot"] == "on") == gen.secure_boot
    assert len(seen["com"]) == (gen.com_ports if gen.com_ports_built_in else 0)
    assert bool(seen["floppy"]) == bool(gen.floppy_drives)
    assert bool(seen["ps2"]) == (gen.keyboard_and_mouse == "ps2")
    assert any(line.startswith("IDE") for line in seen["controller"]) == bool(gen.ide_slots)
    assert bool(seen["tpm"]) == gen.tpm


def test_every_device_sits_where_the_layout_says(guest: Guest) -> None:
    number = guest.view.generation
    where = layout(number, 1)
    own = {where.video, where.rng, where.serial, where.usb} - {""}
    alone = {where.scsi[0], where.synthetic[0]}
    ports = {where.scsi[0], *where.synthetic[:HOTPLUG_PORTS]} if number == 2 else alone
    devices = [
        path.split("/")[4:]
        for path in guest.sh("cd /sys/bus/pci/devices; for d in *; do readlink -f $d; done").splitlines()
    ]
    on_root = {path[0].removeprefix("0000:00:") for path in devices}
    behind = {path[0].removeprefix("0000:00:") for path in devices if len(path) > 1}
    assert on_root == BOARD[number] | own | ports
    assert behind == (alone if number == 2 else set())
