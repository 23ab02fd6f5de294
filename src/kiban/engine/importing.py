# SPDX-License-Identifier: GPL-2.0-or-later
"""Importing a machine from elsewhere: found, read, planned, and made like any other, whole or not at all.

The source is only read. Hyper-V's disks are read by a confined process, which serves their chain over NBD; the others
by qemu-img, with their format named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kiban.adapters.chains import runner
from kiban.adapters.disk import changing, taking
from kiban.adapters.disk.copying import Done
from kiban.adapters.disk.formats import READABLE
from kiban.adapters.firmware import templates
from kiban.adapters.foreign import checkpoints, finding, names, reading
from kiban.engine import creating, diskforeign, lazily, profiles, returning
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet, telling
from kiban.errors import BadInput
from kiban.model import takeover_plan
from kiban.model.foreign import Extent, ForeignDisk, ForeignMachine, ImageKind
from kiban.model.machine import Machine, Rest
from kiban.model.takeover import DiskFacts, ForeignPlan, ImportRequest, Plan, PlannedDisk

CHAINS: tuple[ImageKind, ...] = ("vhdx", "vhd")
FORMATS: dict[str, ImageKind] = {
    "vhdx": "vhdx",
    "vhd": "vhd",
    "qcow2": "qcow2",
    "raw": "raw",
    "vmdk": "vmdk",
    "vdi": "vdi",
}


async def plan(request: ImportRequest) -> Plan:
    """What importing the machine at a path will make. Nothing is written.

    Raises:
        NotFound: nothing is there; a disk or a parent of one is missing; no such checkpoint.
        BadInput: it is nothing that can be imported, damaged, or what was asked for does not fit.
        Conflict: a parent was changed after its child was made.
        NotAllowed, Damaged, HostLacks, TimedOut, Failed: about reading it.
    """
    source = await asyncio.to_thread(_found, Path(request.path), request.format)
    if source.kind == "kiban":
        return await asyncio.to_thread(returning.plan, source.root, request)
    return (await _planned(source, request))[0]


async def import_machine(host: Host, request: ImportRequest, progress: Progress = quiet) -> Handle:
    """Import the machine at a path; on any failure, or Ctrl-C, nothing of it is left. Raises as `plan` and `create`."""
    progress(0.0, "reading the description")
    source = await asyncio.to_thread(_found, Path(request.path), request.format)
    if source.kind == "kiban":
        return await returning.import_machine(host, source.root, request, progress)
    made, folders = await _planned(source, request)
    host.check_free(made.request.name)
    taker = _Taker(host, made, folders)
    return await creating.create(host, made.request, progress, taker.make_disks)


async def _planned(source: finding.Source, request: ImportRequest) -> tuple[ForeignPlan, tuple[Path, ...]]:
    machine = await asyncio.to_thread(reading.read, source)
    machine = _named(machine, request.format)
    folders = _folders(source.root, request.parents)
    if any(sentence.startswith("Which checkpoint was made") for sentence in machine.left_out):
        machine = await asyncio.to_thread(_tree, machine, folders)
    machine = takeover_plan.chosen(machine, request.checkpoint)
    takeover_plan.check_whole(machine)
    facts = [await asyncio.to_thread(_facts, disk, folders) for disk in machine.disks]
    known = takeover_plan.Known(
        title=source.title,
        path=str(source.path),
        disks=facts,
        templates={str(t.hyperv_id): name for name, t in templates.templates().items()},
        windows=await asyncio.to_thread(profiles.is_windows, request.guest) if request.guest else None,
    )
    return takeover_plan.make(machine, request, known), folders


def _found(path: Path, form: str | None) -> finding.Source:
    """What is there; a file whose format was named is a disk, whatever its name says."""
    if form is None or path.is_dir():
        return finding.find(path)
    if form not in FORMATS:
        raise BadInput(f"{form[:40]!r} is no format of disks.", f"Use one of {', '.join(FORMATS)}.")
    return finding.lone_disk(path)


def _named(machine: ForeignMachine, form: str | None) -> ForeignMachine:
    if form is not None and machine.origin != "disk":
        raise BadInput("The description says which format its disks have.", "Leave out --format.")
    disks = tuple(replace(disk, image=FORMATS[form] if form else disk.image) for disk in machine.disks)
    return replace(machine, disks=disks)


def _folders(root: Path, parents: Sequence[str]) -> tuple[Path, ...]:
    own = [folder for folder in finding.listing(root)[1] if folder.name.lower() == finding.DISKS.lower()]
    return (root, *own, *map(Path, parents))


def _facts(disk: ForeignDisk, folders: tuple[Path, ...]) -> DiskFacts:
    """The size of a disk and its files; everything that cannot be read is refused here, before anything is made."""
    file = disk.file
    assert file is not None  # noqa: S101  # the caller has checked that all are there
    if disk.image == "unknown":
        raise BadInput(
            f"{names.shown(file.path)} does not say by its name what format it has.",
            "Import it alone, with its format named: kiban import DISK --format raw",
            code="unknown-format",
        )
    if disk.image not in CHAINS:
        return DiskFacts(size=taking.size_of(file, disk.image), files=(file.path,))
    if not _is_whole(file):
        raise BadInput(f"In {file.path} there is a {disk.image} disk.", f"Unpack it: tar -xf {file.path}")
    chain = runner.describe(Path(file.path), disk.image, folders)
    top = chain.links[0]
    files = tuple(str(link.path) for link in chain.links)
    return DiskFacts(size=chain.size, files=files, id=top.id, sectors=top.sectors)


def _is_whole(file: Extent) -> bool:
    return file.offset == 0 and file.size == Path(file.path).stat().st_size


def _tree(machine: ForeignMachine, folders: tuple[Path, ...]) -> ForeignMachine:
    """The machine with its checkpoints put together from the chains of its disks, where the settings do not tell."""
    parents: dict[str, str] = {}
    for disk in [*machine.disks, *(disk for c in machine.checkpoints for disk in c.machine.disks)]:
        if disk.file and disk.image in CHAINS and disk.file.path not in parents:
            links = [str(link.path) for link in runner.describe(Path(disk.file.path), disk.image, folders).links]
            parents.update(zip(links, [*links[1:], ""], strict=True))
    return checkpoints.by_disks(machine, lambda path: parents.get(path, ""))


_COPYING = 0.9
"""Of the whole work, by progress."""


class _Taker:
    """Brings the disks of a plan into a machine's directory."""

    def __init__(self, host: Host, plan: ForeignPlan, folders: tuple[Path, ...]) -> None:
        self._host = host
        self._plan = plan
        self._folders = folders

    async def make_disks(self, staged: Path, machine: Machine, progress: Progress) -> Machine:
        """Copy them one after the other; progress goes by their sizes."""
        total, done = sum(disk.facts.size for disk in self._plan.disks) or 1, 0
        rests: dict[str, Rest] = {}
        for disk, here in zip(self._plan.disks, machine.disks, strict=True):
            before, share = _COPYING * done / total, _COPYING * disk.facts.size / total
            tell = telling(progress, f"copying {here.id}", before, share)
            if disk.lazy:
                rests[here.id] = await self._put_off(disk, staged / here.path)
            else:
                await self._take(disk, staged / here.path, tell)
            done += disk.facts.size
        return replace(machine, disks=tuple(replace(disk, rest=rests.get(disk.id)) for disk in machine.disks))

    async def _put_off(self, disk: PlannedDisk, target: Path) -> Rest:
        """Make the disk that grows while the machine runs, and say where the rest of it is."""
        path, kind = Path(disk.facts.files[0]), disk.source.image
        assert kind in ("vhdx", "vhd")  # noqa: S101  # a plan says so of no other
        await taking.create_over(target, disk.facts.size)
        return Rest(
            path=str(path),
            format=kind,
            folders=tuple(str(folder) for folder in self._folders),
            size=disk.facts.size,
            mark=lazily.mark(path, disk.facts.id),
        )

    async def _take(self, disk: PlannedDisk, target: Path, tell: Done) -> None:
        file, kind = disk.source.file, disk.source.image
        assert file is not None  # noqa: S101  # a plan is of disks that are there
        if kind not in CHAINS:
            await taking.fetch_file(file, kind, target, tell)
            return
        form, places = READABLE[kind], [str(folder) for folder in self._folders]
        async with diskforeign.served(self._host, Path(file.path), form, places) as source:
            await changing.convert_node(source, target, READABLE["qcow2"], done=tell)
