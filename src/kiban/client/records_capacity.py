# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers with about the capacity of its host; all in bytes. See kiban.client.records."""

from __future__ import annotations

from kiban.client.records import Record

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import ClassVar


class Given(Record):
    """How many machines, and what they have been given together."""

    machines: int
    cpus: int
    memory: int


class FileSystem(Record):
    """A file system by where it is mounted, what takes room there, and what disks may take besides (`growth`)."""

    path: str
    size: int
    free: int
    machines: int
    images: int
    library: int
    growth: int


class Holding(Record):
    """What a machine takes, or with an empty `id` an image that disks of machines (`users`) are made on."""

    name: str
    id: str
    takes: int
    disks: int
    saved: int
    other: int
    provisioned: int
    growth: int
    users: list[str]


class Capacity(Record):
    """The host and what its machines have of it, those that take most first."""

    processors: int
    memory: int
    memory_available: int
    all: Given
    running: Given
    file_systems: list[FileSystem]
    holdings: list[Holding]
    _parts: ClassVar = {"all": Given, "running": Given, "file_systems": FileSystem, "holdings": Holding}
