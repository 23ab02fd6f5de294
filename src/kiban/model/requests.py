# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person asks for, before the generation contract has made a machine of it.

`None` and empty tuples mean "not said": `kiban.model.contract` and the guest profile then choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kiban.model.generations import AdapterKind, AdapterModel, Bus, PxeProtocol, Video
from kiban.model.machine import ComKind, DiskFormat, Forward, Sectors


@dataclass(frozen=True, kw_only=True)
class DiskRequest:
    """A new disk (`size`, in bytes) or an existing image (`path`, with its format named)."""

    size: int | None = None
    path: str | None = None
    format: DiskFormat | None = None  # qcow2 for a new disk; must be said for an existing one
    bus: Bus | None = None  # the generation's first when not said
    copy: bool = False  # take a private copy of an existing image into the machine's directory
    link: bool = False  # make a differencing disk on it there, and leave the image itself as it is
    slot: int | None = None  # as of `kiban.model.machine.Disk`, with its bus; the first free one when not said
    sectors: Sectors = "512"


@dataclass(frozen=True, kw_only=True)
class DvdRequest:
    """A DVD drive, with an ISO in it (`iso`, a path) or empty."""

    iso: str = ""
    bus: Bus | None = None  # the generation's first when not said
    slot: int | None = None  # the first free one when not said


@dataclass(frozen=True, kw_only=True)
class NetBootRequest:
    """A folder to boot from over the network, and the file in it that the firmware loads."""

    folder: str
    file: str
    protocol: Literal["tftp", "http"] = "tftp"


@dataclass(frozen=True, kw_only=True)
class NicRequest:
    """A network adapter."""

    network: Literal["nat", "none"] = "nat"
    kind: AdapterKind | None = None  # legacy when generation 1 is to boot from it, else synthetic
    model: AdapterModel | None = None  # the first that its kind has when not said
    mac: str | None = None
    forwards: tuple[Forward, ...] = ()
    boot: NetBootRequest | None = None


@dataclass(frozen=True, kw_only=True)
class NicChanges:
    """A change of an adapter: `None` leaves a setting as it is. What it is and its boot folder want the machine off."""

    network: Literal["nat", "none"] | None = None
    kind: AdapterKind | None = None
    model: AdapterModel | None = None
    mac: str | None = None  # "new": one of its own
    forwards: tuple[Forward, ...] | None = None  # all of them
    boot: NetBootRequest | Literal["none"] | None = None


@dataclass(frozen=True, kw_only=True)
class ComRequest:
    """A COM port that leads to a socket (the machine's own without a path) or a file."""

    number: Literal[1, 2]
    kind: ComKind
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class MachineRequest:
    """A machine to create. Sizes are in bytes."""

    name: str
    generation: int = 2
    cpus: int | None = None
    memory: int | None = None
    disks: tuple[DiskRequest, ...] = ()
    dvds: tuple[DvdRequest, ...] = ()
    floppy: str | None = None  # path of an image; None when not asked for
    nics: tuple[NicRequest, ...] | None = None  # None: one NAT adapter
    boot: tuple[str, ...] = ()  # classes (disk, dvd, nic, floppy), or on generation 2 also device ids
    pxe_protocol: PxeProtocol | None = None
    secure_boot: bool | None = None
    template: str | None = None
    keys: str | None = None  # folder of the keys of the template custom
    pause_after_boot_failure: bool | None = None
    tpm: bool | None = None
    coms: tuple[ComRequest, ...] = ()
    guest: str | None = None  # osinfo short id
    video: Video | None = None
    autostart: bool = False
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """An edit of a machine: `None` leaves a setting as it is. All but the last four want the machine off."""

    cpus: int | None = None
    memory: int | None = None
    secure_boot: bool | None = None
    template: str | None = None
    keys: str | None = None  # folder of the keys of the template custom
    pause_after_boot_failure: bool | None = None
    pxe_protocol: PxeProtocol | None = None
    tpm: bool | None = None
    boot: tuple[str, ...] | None = None
    coms: tuple[ComRequest, ...] | None = None
    floppy: str | None = None  # "" takes the medium out
    video: Video | None = None
    guest: str | None = None
    autostart: bool | None = None
    notes: str | None = None


@dataclass(frozen=True, kw_only=True)
class DiskRef:
    """A disk: a file, or a machine's disk by its id.

    The format of a file is what its name's end says where none is named; a machine's disk has its own.
    """

    path: str = ""
    format: str = ""
    machine: str = ""  # name or id
    disk: str = ""  # disk0


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A disk image to be made at a path where nothing is yet. `size` is in bytes; None: that of what it is made of."""

    path: str
    format: str = ""  # as of a DiskRef
    size: int | None = None
    fixed: bool = False
    parent: DiskRef | None = None  # for a differencing disk


@dataclass(frozen=True, kw_only=True)
class MountRequest:
    """A disk to be mounted in a folder of the host, read-only or to be written to.

    `folders` are where the parents of a VHD or VHDX may lie, besides its own.
    """

    disk: DiskRef
    directory: str
    writable: bool = False
    folders: tuple[str, ...] = ()
