# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks as files, on the wire: what is asked for and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kiban.model.machine import DiskFormat
from kiban.model.requests import DiskRef, MountRequest, NewImage
from kiban.wire.base import DiskSize, Flag, HostPath, Sent, Wire

Readable = Literal["qcow2", "vhdx", "vhd", "raw", "vmdk", "vdi"]
Ref = Annotated[
    str,
    Field(
        min_length=2,
        max_length=4000,
        pattern=r"^(/[^\x00-\x1f\x7f]*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}:disk[0-9]+)$",
        description="Absolute path of a disk image on the host of the service, or MACHINE:DISK.",
        examples=["/srv/images/data.vhdx", "web:disk0"],
    ),
]
Folders = Annotated[tuple[HostPath, ...], Field(max_length=32)]


class Disk(Wire):
    """A disk."""

    disk: Ref
    format: Readable | None = None
    """Format of a file; what the end of its name says when left out."""

    def ref(self) -> DiskRef:
        """As the engine has it."""
        return _ref(self.disk, self.format)


class Look(Disk):
    """A disk to look at."""

    folders: Folders = ()
    """Where parents of a differencing VHD or VHDX may lie, besides its own folder."""


class NewDiskImage(Wire):
    """A disk to be made: empty, of `size` bytes, or a differencing one on `parent`, as large as that unless said."""

    path: HostPath
    format: DiskFormat | None = None
    size: DiskSize | None = None
    fixed: Flag = False
    """Take all its room at once."""
    parent: Ref | None = None
    parent_format: Readable | None = None

    def image(self) -> NewImage:
        """As the engine has it."""
        parent = None if self.parent is None else _ref(self.parent, self.parent_format)
        return NewImage(path=self.path, format=self.format or "", size=self.size, fixed=self.fixed, parent=parent)


class Convert(Look):
    """A disk, and what to make of it and all that it is made on."""

    path: HostPath
    """Of the new disk."""
    to: DiskFormat | None = None
    """Format of the new disk; what the end of its name says when left out."""
    fixed: Flag = False
    verify: Flag = False
    """Compare every byte afterwards."""

    def image(self) -> NewImage:
        """What is to be made."""
        return NewImage(path=self.path, format=self.to or "", fixed=self.fixed)


class Clone(Disk):
    """A disk, and where a copy of it is to be."""

    path: HostPath


class Resize(Disk):
    """A disk, and its new size in bytes."""

    size: DiskSize
    shrink: Flag = False
    """Let it become smaller; what is cut off must be empty."""


class Mount(Look):
    """A disk, and the folder of the host to show it in: a new or an empty one."""

    directory: HostPath
    writable: Flag = False
    """Let it be written to; only for qcow2, VHDX, VHD and raw."""

    def request(self) -> MountRequest:
        """As the engine has it."""
        ref = self.ref()
        return MountRequest(disk=ref, directory=self.directory, writable=self.writable, folders=self.folders)


class Unmount(Wire):
    """A folder that a disk is mounted in."""

    directory: HostPath


class DiskMount(Sent):
    """A disk that is mounted on the host."""

    disk: str
    """As it was named when it was mounted."""
    directory: str
    view: Literal["raw"]
    """What there is: disk.raw, the whole disk as one file."""
    writable: bool


class DiskUse(Sent):
    """A machine that has a disk: as its own, which it writes to, or under one of its own."""

    machine: str
    disk: str
    state: str
    writes: bool


class DiskLink(Sent):
    """An image. Sizes are in bytes."""

    path: str
    format: str
    kind: str = Field(examples=["dynamic"])
    """fixed, dynamic or differencing."""
    virtual_size: int
    actual_size: int
    """What its file takes on the host."""
    logical_sector: int
    physical_sector: int
    dirty: bool
    """It was not closed properly; whoever opens it for writing next puts it right."""
    snapshots: int
    """Inside the image."""
    parent: str
    """Path of the image that it is made on; empty for none."""
    uses: list[DiskUse]


class DiskInfo(Sent):
    """A disk and its relatives: what it is made on and what machines have made on that, parents before children."""

    path: str
    """Of the disk that was asked for; in a list, of the first parent or of one that is not there."""
    links: list[DiskLink]
    problem: str
    """Why the chain cannot be followed to its end; empty normally."""


class DiskCheck(Sent):
    """What a check found."""

    known: bool
    """Whether the format has a check at all."""
    errors: int
    """Places where data may be lost."""
    leaks: int
    """Clusters that take room for nothing."""


def info_json(found: object) -> Any:
    """A disk as plain JSON, which is what a job keeps."""
    return DiskInfo.model_validate(found).model_dump(mode="json")


def check_json(found: object) -> Any:
    """The same of what a check found."""
    return DiskCheck.model_validate(found).model_dump(mode="json")


def mount_json(made: object) -> Any:
    """The same of a disk that was mounted."""
    return DiskMount.model_validate(made).model_dump(mode="json")


def _ref(text: str, form: str | None) -> DiskRef:
    if text.startswith("/"):
        return DiskRef(path=text, format=form or "")
    machine, _, disk = text.partition(":")
    return DiskRef(machine=machine, disk=disk)
