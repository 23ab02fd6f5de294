# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine as another program describes it, in one neutral form, before anybody decides what Kiban makes of it.

`kiban.adapters.foreign` fills it from a Hyper-V configuration, an OVF or a lone disk. Nothing in it has been checked
against the generation contract, and whatever has no place in it stands in `left_out` as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["vmcx", "xml", "ovf", "disk"]
ForeignBus = Literal["ide", "scsi", "sata", "nvme", "unknown"]
ImageKind = Literal["qcow2", "vhdx", "vhd", "raw", "vmdk", "vdi", "unknown"]
ForeignBootClass = Literal["floppy", "dvd", "disk", "nic"]
NicKind = Literal["synthetic", "legacy"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a drive is: the number of the controller on its bus, and the drive's on the controller; both from 0."""

    bus: ForeignBus
    controller: int
    location: int


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Bytes of a file of the host: a whole file, or a part of an archive, which can be read where it is."""

    path: str  # absolute
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class ForeignDisk:
    """A virtual hard disk."""

    place: Place
    path: str  # as it is written in the description, often a path of another host
    image: ImageKind  # by the name or by what the description says; nobody has looked into the file
    capacity: int | None  # in bytes, where the description says it
    file: Extent | None  # where it was found; None when it was not


@dataclass(frozen=True, kw_only=True)
class ForeignDvd:
    """A DVD drive; `path` is of its medium as it is written in the description, "" when it is empty."""

    place: Place
    path: str
    file: Extent | None


@dataclass(frozen=True, kw_only=True)
class ForeignFloppy:
    """The medium in the floppy drive."""

    path: str
    file: Extent | None


@dataclass(frozen=True, kw_only=True)
class ForeignNic:
    """A network adapter. `mac` is in lower case with colons, "" when none was ever given; `switch` may be ""."""

    name: str
    kind: NicKind
    model: str  # the source's name of the hardware, "" where the kind says it all
    mac: str
    static_mac: bool
    switch: str
    connected: bool


@dataclass(frozen=True, kw_only=True)
class ForeignCom:
    r"""A COM port that leads somewhere, such as `\\.\pipe\name`."""

    number: int  # from 1
    connection: str


@dataclass(frozen=True, kw_only=True)
class ForeignMemory:
    """Memory in bytes; `minimum` and `maximum` are None unless it is dynamic."""

    startup: int
    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, kw_only=True)
class IntegrationService:
    """One of Hyper-V's integration services, by Hyper-V's name."""

    name: str
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class ForeignCheckpoint:
    """A checkpoint, with the whole machine as it was. `parent` is the id of another checkpoint, "" for a root."""

    id: str
    parent: str
    name: str
    created: str  # ISO 8601, UTC; "" when it is not known
    machine: ForeignMachine


@dataclass(frozen=True, kw_only=True)
class ForeignMachine:
    """Everything that a description says. `None` means that the source does not say it."""

    origin: Origin
    name: str
    id: str  # the machine's own there, or ""
    version: str  # of the configuration, such as 9.0, or of the OVF
    created: str  # ISO 8601, UTC, or ""
    generation: Literal[1, 2] | None
    firmware: Literal["bios", "uefi"] | None
    secure_boot: bool | None
    template_id: str  # Hyper-V's id of the Secure Boot template, in lower case, or ""
    tpm: bool
    pause_after_boot_failure: bool | None
    pxe_protocol: Literal["ipv4", "ipv6"] | None
    cpus: int | None
    memory: ForeignMemory | None
    disks: tuple[ForeignDisk, ...]
    dvds: tuple[ForeignDvd, ...]
    floppy: ForeignFloppy | None
    nics: tuple[ForeignNic, ...]
    coms: tuple[ForeignCom, ...]
    boot: tuple[ForeignBootClass, ...]  # () when the source does not say it
    autostart: bool | None
    notes: str
    integration_services: tuple[IntegrationService, ...]
    checkpoints: tuple[ForeignCheckpoint, ...]  # each after its parent
    current_checkpoint: str  # id of the one that the machine goes on from, or ""
    left_out: tuple[str, ...]
