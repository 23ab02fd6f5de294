# SPDX-License-Identifier: GPL-2.0-or-later
"""Importing and exporting a machine, as it is asked for and answered. `kiban.model.takeover` and `kiban.model.export`
say what each member means.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kiban.model.export import ExportRequest
from kiban.model.takeover import ImportRequest, Plan
from kiban.wire.base import Flag, HostPath, MachineName, Sent, Whole, Wire, Word


class Import(Wire):
    """A machine to import from the host of the service. Its source is only read."""

    path: HostPath
    """A folder of an export, a .vmcx, .xml, .ovf, .ova, or a lone disk."""
    name: MachineName | None = None
    """The source's own when left out."""
    generation: Annotated[int, Field(ge=1, le=2), Whole] | None = None
    """Wanted where the source does not say it."""
    format: Literal["qcow2", "vhdx", "vhd", "raw", "vmdk", "vdi"] | None = None
    """Of a lone disk; by the end of its name when left out."""
    parents: Annotated[tuple[HostPath, ...], Field(max_length=16)] = ()
    """Folders where parent disks may lie, besides the source's own."""
    checkpoint: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Name or id of the checkpoint whose state is wanted instead of the present one."""
    guest: Word | None = None
    """Guest operating system: osinfo's short id, such as win2k22."""
    lazy: Flag = False
    """Let the machine start at once, from the source's disks; they are copied while it runs."""


class PlanRow(Sent):
    """One thing: what it is there, and what it will be here."""

    what: str = Field(examples=["processors"])
    there: str
    here: str


class PlanDisk(Sent):
    """A disk to take over."""

    id: str = Field(examples=["disk0"])
    format: str
    """Of the source; here it becomes a qcow2."""
    size: int
    """Bytes of the disk."""
    files: list[str]
    """The files that it consists of: its own, then its parents."""
    lazy: bool


class PlanCheckpoint(Sent):
    """A checkpoint; the one before it with a smaller `depth` is its parent."""

    id: str
    name: str
    created: str
    depth: int
    taken: bool
    """Whether the state that is imported goes on from it."""


class ImportPlan(Sent):
    """What an import will make."""

    title: str = Field(examples=["a Hyper-V machine"])
    path: str
    name: str
    generation: int
    rows: list[PlanRow]
    disks: list[PlanDisk]
    checkpoints: list[PlanCheckpoint]
    left_out: list[str]
    """A sentence for each thing that is not taken over."""
    advice: list[str]
    """A sentence for each thing that the guest may have to know."""


class Export(Wire):
    """Where to export a machine to, on the host of the service, and for whom."""

    path: HostPath
    """A folder that is not there yet, or empty."""
    kind: Literal["kiban", "hyper-v", "ovf"] = "kiban"
    """For whom: "kiban" to import it again, "hyper-v" with VHDX disks and the PowerShell lines that make it there,
    "ovf" as a package with VMDK disks for other programs."""


class ExportFile(Sent):
    """A file of an exported machine."""

    name: str = Field(examples=["disk0.qcow2"])
    size: int
    """In bytes."""
    sha256: str


class ExportResult(Sent):
    """What an export has made; it is the result of the job."""

    path: str
    kind: str
    files: list[ExportFile]
    left_out: list[str]
    """A sentence for each thing that did not go along."""


def request(wanted: Import) -> ImportRequest:
    """An import that is asked for."""
    return ImportRequest(**wanted.model_dump())


def answer(plan: Plan) -> ImportPlan:
    """A plan to show."""
    disks: list[dict[str, Any]] = [
        {
            "id": disk.id,
            "format": disk.source.image,
            "size": disk.facts.size,
            "files": list(disk.facts.files),
            "lazy": disk.lazy,
        }
        for disk in plan.disks
    ]
    return ImportPlan(
        title=plan.title,
        path=plan.path,
        name=plan.name,
        generation=plan.generation,
        rows=[PlanRow.model_validate(row) for row in plan.rows],
        disks=[PlanDisk(**disk) for disk in disks],
        checkpoints=[PlanCheckpoint.model_validate(each) for each in plan.checkpoints],
        left_out=list(plan.left_out),
        advice=list(plan.advice),
    )


def exported_json(made: object) -> Any:
    """What an export has made as plain JSON, which is what a job keeps."""
    return ExportResult.model_validate(made).model_dump(mode="json")


def export_request(wanted: Export) -> ExportRequest:
    """An export that is asked for."""
    return ExportRequest(**wanted.model_dump())
