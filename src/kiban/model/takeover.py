# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to become of a machine from elsewhere: the plan of an import, as plain data.

`kiban.model.takeover_plan` makes it of a description (`kiban.model.foreign`), the engine carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kiban.model.foreign import ForeignDisk
from kiban.model.generations import Number
from kiban.model.machine import Sectors
from kiban.model.requests import MachineRequest


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What a person asks for. Paths are absolute.

    `format` is of a lone disk whose name does not say it; `parents` are folders where parent disks may lie besides the
    source's own; `checkpoint` is a name or id of one whose state is wanted instead of the present one.
    """

    path: str
    name: str | None = None
    generation: int | None = None
    format: str | None = None
    parents: tuple[str, ...] = ()
    checkpoint: str | None = None
    guest: str | None = None  # osinfo short id
    lazy: bool = False


@dataclass(frozen=True, kw_only=True)
class DiskFacts:
    """What was found out about a disk's files: its size in bytes, the files of its chain, the disk's own
    first, and the id of that, where its format has one, and what it says of its sectors."""

    size: int
    files: tuple[str, ...]
    id: str = ""
    sectors: Sectors = "512"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing: what it is there, and what it will be here."""

    what: str
    there: str
    here: str


@dataclass(frozen=True, kw_only=True)
class PlannedDisk:
    """A disk to take over. `id` is the device it becomes, `lazy` whether it may be copied while the machine runs."""

    id: str
    source: ForeignDisk
    facts: DiskFacts
    lazy: bool


@dataclass(frozen=True, kw_only=True)
class CheckpointRow:
    """A checkpoint of the tree: how deep it is, and whether the state that is imported goes on from it."""

    id: str
    name: str
    created: str
    depth: int
    taken: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an import will make, of that name and generation.

    `left_out` has a sentence for each thing that is not taken over, `advice` for each that the guest may have to know;
    `macs` are the addresses that its adapters keep.
    """

    title: str
    path: str
    name: str
    generation: Number
    disks: tuple[PlannedDisk, ...]
    rows: tuple[Row, ...]
    checkpoints: tuple[CheckpointRow, ...]
    left_out: tuple[str, ...]
    advice: tuple[str, ...]
    macs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ForeignPlan(Plan):
    """The plan of a machine from another program: `disks` belong to the disks of `request`, in their order."""

    request: MachineRequest


@dataclass
class Notebook:
    """What a plan says, gathered on the way."""

    rows: list[Row] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def row(self, what: str, there: str, here: str) -> None:
        """Note what becomes of a thing."""
        self.rows.append(Row(what=what, there=there, here=here))
