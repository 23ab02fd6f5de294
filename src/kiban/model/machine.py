# SPDX-License-Identifier: GPL-2.0-or-later
"""The definition of a machine, as it stands in its vm.json.

Plain frozen data. `kiban.model.contract` decides what may stand in it; `kiban.adapters.store` reads and writes it.
Everything a guest is built on is resolved when the machine is created and never again: the versioned machine type, the
firmware build, the layout (which device sits at which address) and each device's slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiban.model.generations import AdapterKind, AdapterModel, BootClass, Bus, Number, PxeProtocol, Video

DiskFormat = Literal["qcow2", "vhdx", "vhd", "raw"]
Sectors = Literal["512", "512e", "4k"]
"""What a disk says of its sectors."""
SECTOR_BYTES: dict[Sectors, tuple[int, int]] = {"512": (512, 512), "512e": (512, 4096), "4k": (4096, 4096)}
"""That in bytes: of a logical and of a physical one."""
ComKind = Literal["none", "socket", "file"]
Protocol = Literal["tcp", "udp"]

VERSION = 1
"""Version of vm.json; a directory with another one is refused, not guessed at."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the guest was built on."""

    machine_type: str  # QEMU's versioned name, such as pc-q35-7.2
    layout: int  # a key of kiban.adapters.qemu.layout.LAYOUTS
    cpu: str  # QEMU's CPU model, or "" for the accelerator's best
    video: Video
    firmware_code: str  # path of the UEFI code flash; "" with BIOS
    firmware_code_sha256: str
    firmware_descriptor: str


@dataclass(frozen=True, kw_only=True)
class Uefi:
    """Generation 2's firmware settings. The keys and the boot entries themselves are in the machine's NVRAM file."""

    secure_boot: bool
    template: str
    pause_after_boot_failure: bool
    pxe_protocol: PxeProtocol
    order_is_due: bool  # devices came or went while the guest ran; NVRAM gets the order before the next start


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Where a disk's content is that has not been copied into its image yet: a chain of Hyper-V's disks."""

    path: str  # absolute, of the chain's first file
    format: Literal["vhdx", "vhd"]
    folders: tuple[str, ...]  # where its parents may lie
    size: int  # of the disk, in bytes
    mark: str  # of the first file; another one means that it was changed


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A hard disk: an image file on a slot of a controller."""

    id: str
    path: str  # absolute, or relative to the machine's directory
    format: DiskFormat
    bus: Bus
    slot: int  # IDE: 0-3 (bus = slot // 2); SCSI: 64 on each controller; NVMe: a controller for each
    owned: bool  # made by Kiban for this machine, and removed with it
    rest: Rest | None = None  # until it has been copied
    sectors: Sectors = "512"


@dataclass(frozen=True, kw_only=True)
class Dvd:
    """A DVD drive, with or without an ISO in it."""

    id: str
    bus: Bus
    slot: int
    medium: str  # path of an ISO, or "" for no medium


@dataclass(frozen=True, kw_only=True)
class Floppy:
    """The floppy drive's medium."""

    medium: str  # path of an image, or ""


@dataclass(frozen=True, kw_only=True)
class Forward:
    """A port of the host that leads into the guest."""

    protocol: Protocol
    host_address: str
    host_port: int
    guest_port: int


@dataclass(frozen=True, kw_only=True)
class NetBoot:
    """A folder that the machine can boot from over its network."""

    folder: str
    file: str  # relative to folder
    protocol: Literal["tftp", "http"]
    port: int  # of the HTTP server on loopback; 0 with TFTP, which QEMU serves itself
    secret: str  # first part of the URL's path; whoever knows it may read the folder


@dataclass(frozen=True, kw_only=True)
class Nic:
    """A network adapter."""

    id: str
    kind: AdapterKind
    model: AdapterModel
    slot: int
    mac: str
    network: Literal["nat", "none"]
    forwards: tuple[Forward, ...]
    boot: NetBoot | None


@dataclass(frozen=True, kw_only=True)
class Com:
    """A COM port and where it leads."""

    number: Literal[1, 2]
    kind: ComKind
    path: str  # of the socket or file; "" for the machine's own socket in its runtime directory


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine.

    `memory` is in bytes. `boot` is the order of classes on generation 1; on generation 2 it is the order of device ids
    last asked for, while the order in force is the one in NVRAM.
    """

    version: int
    id: str  # UUID; also the name of the machine's directory
    name: str
    generation: Number
    created: str  # ISO 8601, UTC
    cpus: int
    memory: int
    guest: str  # osinfo short id, or ""
    hyperv: bool  # give a Windows guest its enlightenments (KVM only)
    board: Board
    uefi: Uefi | None
    tpm: bool
    disks: tuple[Disk, ...]
    dvds: tuple[Dvd, ...]
    floppy: Floppy | None
    nics: tuple[Nic, ...]
    coms: tuple[Com, ...]
    boot: tuple[str, ...]
    autostart: bool
    notes: str

    def device_ids(self) -> tuple[str, ...]:
        """Ids of the devices that generation 2 may boot from, in the order of the hardware."""
        return (*(d.id for d in self.disks), *(d.id for d in self.dvds), *(n.id for n in self.nics))


def boot_class(device_id: str) -> BootClass:
    """The class of a device id: `disk0` is a disk."""
    kind = device_id.rstrip("0123456789")
    if kind not in ("floppy", "dvd", "disk", "nic"):
        raise ValueError(device_id)
    return kind  # type: ignore[return-value]  # narrowed by the test above, which mypy does not follow


def next_id(prefix: str, taken: list[str]) -> str:
    """The first id of a kind of device (`disk`, `dvd`, `nic`) that is not taken."""
    return next(name for n in range(1000) if (name := f"{prefix}{n}") not in taken)
