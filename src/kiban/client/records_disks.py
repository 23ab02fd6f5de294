# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers about disks as files."""

from __future__ import annotations

from kiban.client.records import Record

TYPE_CHECKING = False  # as type checkers understand it
if TYPE_CHECKING:
    from typing import ClassVar


class DiskUse(Record):
    """A machine that has a disk: as its own, which it `writes` to, or under one of its own."""

    machine: str
    disk: str
    state: str
    writes: bool


class DiskLink(Record):
    """An image; sizes in bytes, `kind` fixed, dynamic or differencing, `parent` a path or empty."""

    path: str
    format: str
    kind: str
    virtual_size: int
    actual_size: int
    logical_sector: int
    physical_sector: int
    dirty: bool
    snapshots: int
    parent: str
    uses: list[DiskUse]
    _parts: ClassVar = {"uses": DiskUse}


class DiskInfo(Record):
    """A disk (`path`) and its relatives, parents before children; `problem` is why its chain has no end.

    In a list of all, `path` is of the first parent, or of a disk that is not there, and then there are no links.
    """

    path: str
    links: list[DiskLink]
    problem: str
    _parts: ClassVar = {"links": DiskLink}


class DiskCheck(Record):
    """What a check found: `errors` lose data, `leaks` only room; `known` where the format has a check."""

    known: bool
    errors: int
    leaks: int


class DiskMount(Record):
    """A disk that is mounted: `disk` as it was named, `directory` where, `view` raw for a file disk.raw in there."""

    disk: str
    directory: str
    view: str
    writable: bool
