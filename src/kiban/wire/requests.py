# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service is asked for. A member that is left out or null means "you choose", or "leave it as it is"."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kiban.model.generations import AdapterKind, AdapterModel, Bus, PxeProtocol, Video
from kiban.model.machine import ComKind, DiskFormat, Protocol, Sectors
from kiban.wire.base import (
    LINE,
    Address,
    Cpus,
    DiskSize,
    Flag,
    HostPath,
    MachineName,
    MediumPath,
    Memory,
    Notes,
    Port,
    Seconds,
    Whole,
    Wire,
    Word,
)

BootItem = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[a-z]+[0-9]*$")]
BootOrder = Annotated[
    tuple[BootItem, ...],
    Field(
        max_length=300,
        description="What to boot from, first to last: classes (disk, dvd, nic, floppy); generation 2 also device ids.",
        examples=[["dvd", "disk"]],
    ),
]


Slot = Annotated[
    int,
    Field(
        ge=0,
        le=255,
        description="Where on its bus: on IDE 0-3, on SCSI controller * 64 + unit; the first free one when left out.",
    ),
    Whole,
]


class NewDisk(Wire):
    """A disk: `size` makes a new one, `path` takes an existing image, whose format must be named."""

    size: DiskSize | None = None
    path: HostPath | None = None
    format: DiskFormat | None = None
    """Format of the image; qcow2 for a new disk."""
    bus: Bus | None = None
    """What the guest has a driver for, or the generation's first, when left out."""
    copy_: Annotated[bool, Field(strict=True, alias="copy")] = False
    """Copy an existing image into the machine instead of using it where it is."""
    link: Flag = False
    """Make a differencing disk on an existing image, which itself is only read."""
    slot: Slot | None = None
    sectors: Sectors = "512"
    """Bytes of a logical and a physical sector: 512 and 512, 512 and 4096 (512e), 4096 and 4096 (4k)."""


class NewForward(Wire):
    """A port of the host that leads into the guest."""

    protocol: Protocol = "tcp"
    host_address: Address = "127.0.0.1"
    host_port: Port
    guest_port: Port


class NewNetBoot(Wire):
    """A folder of the host that the machine boots from over its network."""

    folder: HostPath
    file: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
    """File that the firmware loads, relative to the folder."""
    protocol: Literal["tftp", "http"] = "tftp"


class NewNic(Wire):
    """A network adapter."""

    network: Literal["nat", "none"] = "nat"
    kind: AdapterKind | None = None
    """Synthetic, or legacy where generation 1 is to boot from it, when left out."""
    model: AdapterModel | None = None
    """What the guest has a driver for, or virtio, when left out; e1000e on generation 2 only."""
    mac: (
        Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$", examples=["52:54:00:12:34:56"])] | None
    ) = None
    forwards: Annotated[tuple[NewForward, ...], Field(max_length=64)] = ()
    boot: NewNetBoot | None = None


class NicChanges(Wire):
    """What to change of a network adapter; what is left out stays."""

    network: Literal["nat", "none"] | None = None
    kind: AdapterKind | None = None
    model: AdapterModel | None = None
    mac: (
        Annotated[str, Field(pattern=r"^(new|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})$", examples=["52:54:00:12:34:56"])]
        | None
    ) = None
    """An address, or "new" for one of its own."""
    forwards: Annotated[tuple[NewForward, ...], Field(max_length=64)] | None = None
    """All of them, in place of those that there are."""
    boot: NewNetBoot | Literal["none"] | None = None
    """What to boot from over the network, or "none"."""


class NewCom(Wire):
    """A COM port and where it leads."""

    number: Literal[1, 2]
    kind: ComKind
    path: MediumPath = ""
    """The socket or file; empty for the machine's own socket."""


class NewDvd(Wire):
    """A DVD drive."""

    iso: MediumPath = ""
    bus: Bus | None = None
    """What the guest has a driver for, or the generation's first, when left out."""
    slot: Slot | None = None


class Place(Wire):
    """Where to attach a drive."""

    bus: Bus | None = None
    """Its own when left out."""
    slot: Slot | None = None


class Medium(Wire):
    """What to put into a drive."""

    iso: HostPath


class NewMachine(Wire):
    """A machine to create."""

    name: MachineName
    generation: Annotated[int, Field(ge=0, le=1000, examples=[2]), Whole] = 2
    """1 or 2."""
    cpus: Cpus | None = None
    memory: Memory | None = None
    disks: Annotated[tuple[NewDisk, ...], Field(max_length=260)] = ()
    dvds: Annotated[tuple[MediumPath | NewDvd, ...], Field(max_length=260)] = ()
    """DVD drives; the path of an ISO is short for a drive with it, and "" for an empty one."""
    floppy: MediumPath | None = None
    nics: Annotated[tuple[NewNic, ...], Field(max_length=12)] | None = None
    """One NAT adapter when left out."""
    boot: BootOrder = ()
    pxe_protocol: PxeProtocol | None = None
    secure_boot: Flag | None = None
    template: Word | None = None
    """Secure Boot template: which loaders the firmware trusts."""
    keys: HostPath | None = None
    """Folder of the keys of the template custom."""
    pause_after_boot_failure: Flag | None = None
    tpm: Flag | None = None
    coms: Annotated[tuple[NewCom, ...], Field(max_length=2)] = ()
    guest: Word | None = None
    """Guest operating system: osinfo's short id, such as debian12."""
    video: Video | None = None
    autostart: Flag = False
    notes: Notes = ""


class MachineChanges(Wire):
    """What to change; what is left out stays."""

    cpus: Cpus | None = None
    memory: Memory | None = None
    secure_boot: Flag | None = None
    template: Word | None = None
    keys: HostPath | None = None
    pause_after_boot_failure: Flag | None = None
    pxe_protocol: PxeProtocol | None = None
    tpm: Flag | None = None
    boot: BootOrder | None = None
    coms: Annotated[tuple[NewCom, ...], Field(max_length=2)] | None = None
    floppy: MediumPath | None = None
    video: Video | None = None
    guest: Word | None = None
    autostart: Flag | None = None
    notes: Notes | None = None


class Rename(Wire):
    """A new name."""

    name: MachineName


class Stop(Wire):
    """How to stop: ask the guest to shut down and wait for `timeout` seconds, or turn it off (`force`)."""

    force: Flag = False
    timeout: Seconds = 60


class Restart(Wire):
    """How long to wait for the guest to shut down before the machine is started again."""

    timeout: Seconds = 60


class Keys(Wire):
    """Keys to press together."""

    keys: Annotated[str, Field(min_length=1, max_length=100, pattern=LINE, examples=["ctrl-alt-delete"])]


class Text(Wire):
    """Text to type as on a US keyboard."""

    text: Annotated[str, Field(min_length=1, max_length=65536, pattern=r"^[^\x00]*$", examples=["root\n"])]


KeyFiles = Annotated[tuple[HostPath, ...], Field(max_length=64)]


class Enroll(Wire):
    """Files of keys (PEM, DER, .esl, .auth) to trust, by where they go. A new PK takes the place of the old one."""

    pk: KeyFiles = ()
    kek: KeyFiles = ()
    db: KeyFiles = ()
    mok: KeyFiles = ()
    """shim's own list of the machine's owner."""


class Revoke(Wire):
    """What to refuse from now on."""

    files: KeyFiles = ()
    """Certificates and signature lists, known by their extension, and EFI programs, by the hash that is signed."""
    sha256: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")], ...], Field(max_length=512)] = ()
    """Authenticode hashes of EFI programs."""


class ResetKeys(Wire):
    """Whose keys to put into the store anew."""

    template: Word | None = None
    """The machine's own template when left out."""


class Web(Wire):
    """Where the web manager is to be."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """On loopback; 0 takes the one that it is on, or a usual one."""
