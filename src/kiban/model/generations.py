# SPDX-License-Identifier: GPL-2.0-or-later
"""The two generations, every field spelled out.

No field has a default: a new field breaks both literals until somebody has decided it for both.
Sources: Microsoft, "Should I create a generation 1 or 2 virtual machine in Hyper-V?", "Generation 2 virtual machine
overview" (dn282285), and "Plan for Hyper-V scalability" for the limits (Windows Server 2016, the first release that
raised those of generation 2 above generation 1's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiban.errors import BadInput

GIB = 1024**3
TIB = 1024**4

Number = Literal[1, 2]
Bus = Literal["ide", "scsi", "nvme", "usb"]
AdapterKind = Literal["synthetic", "legacy"]
AdapterModel = Literal["virtio", "tulip", "e1000e"]
BootClass = Literal["floppy", "dvd", "disk", "nic"]
PxeProtocol = Literal["ipv4", "ipv6"]
Video = Literal["std", "cirrus", "synthetic"]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What machines of one generation have, may have and may boot from. Counts are per machine, memory is in bytes."""

    number: Number
    title: str
    # the board
    machine_family: Literal["pc-i440fx", "pc-q35"]
    firmware: Literal["bios", "uefi"]
    secure_boot: bool
    tpm: bool
    guest_bits: tuple[int, ...]
    max_cpus: int
    min_memory: int
    max_memory: int
    # storage
    ide_slots: int
    scsi_controllers: int
    scsi_units: int  # on each controller
    nvme_slots: int
    usb_slots: int  # beside keyboard and mouse
    floppy_drives: int
    disk_buses: tuple[Bus, ...]  # the first is the default, as for DVD drives
    dvd_buses: tuple[Bus, ...]
    boot_buses: tuple[Bus, ...]
    # people
    keyboard_and_mouse: Literal["ps2", "usb"]
    video: tuple[Video, ...]  # the first is the default
    com_ports: int
    com_ports_built_in: bool
    # network
    synthetic_adapters: int
    synthetic_models: tuple[AdapterModel, ...]  # the first is the default
    legacy_adapters: int
    pxe_adapter: AdapterKind
    pxe_model: AdapterModel
    pxe_protocols: tuple[PxeProtocol, ...]
    http_boot: bool
    # boot
    boot_order: Literal["by-class", "by-device"]
    boot_classes: tuple[BootClass, ...]  # the default order
    pause_after_boot_failure: bool


GEN1 = Generation(
    number=1,
    title="generation 1: the PC that runs anything",
    machine_family="pc-i440fx",
    firmware="bios",
    secure_boot=False,
    tpm=False,
    guest_bits=(16, 32, 64),
    max_cpus=64,
    min_memory=8 * 1024**2,
    max_memory=1 * TIB,
    ide_slots=4,
    scsi_controllers=4,
    scsi_units=64,
    nvme_slots=0,
    usb_slots=0,
    floppy_drives=1,
    disk_buses=("ide", "scsi"),
    dvd_buses=("ide",),
    boot_buses=("ide",),
    keyboard_and_mouse="ps2",
    video=("std", "cirrus"),
    com_ports=2,
    com_ports_built_in=True,
    synthetic_adapters=8,
    synthetic_models=("virtio",),
    legacy_adapters=4,
    pxe_adapter="legacy",
    pxe_model="tulip",
    pxe_protocols=("ipv4",),
    http_boot=False,
    boot_order="by-class",
    boot_classes=("floppy", "dvd", "disk", "nic"),
    pause_after_boot_failure=False,
)

GEN2 = Generation(
    number=2,
    title="generation 2: legacy-free, UEFI with Secure Boot",
    machine_family="pc-q35",
    firmware="uefi",
    secure_boot=True,
    tpm=True,
    guest_bits=(64,),
    max_cpus=240,
    min_memory=128 * 1024**2,
    max_memory=12 * TIB,
    ide_slots=0,
    scsi_controllers=4,
    scsi_units=64,
    nvme_slots=8,
    usb_slots=2,
    floppy_drives=0,
    disk_buses=("scsi", "nvme"),
    dvd_buses=("scsi", "usb"),
    boot_buses=("scsi", "nvme", "usb"),
    keyboard_and_mouse="usb",
    video=("synthetic",),
    com_ports=2,
    com_ports_built_in=False,
    synthetic_adapters=8,
    synthetic_models=("virtio", "e1000e"),
    legacy_adapters=0,
    pxe_adapter="synthetic",
    pxe_model="virtio",
    pxe_protocols=("ipv4", "ipv6"),
    http_boot=True,
    boot_order="by-device",
    boot_classes=("disk", "dvd", "nic"),
    pause_after_boot_failure=True,
)

GENERATIONS: dict[int, Generation] = {1: GEN1, 2: GEN2}
BUS_NAMES: dict[str, str] = {"ide": "IDE", "scsi": "SCSI", "nvme": "NVMe", "usb": "USB"}


def generation(number: int) -> Generation:
    """The literal for a number; BadInput for any other number."""
    if number not in GENERATIONS:
        raise BadInput(f"There is no generation {number}.", "Say --generation 1 or --generation 2.")
    return GENERATIONS[number]
