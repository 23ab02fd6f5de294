# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that was exported comes back, as another one: the same definition and content, a new id.

The folder may be anybody's. Nothing in it chooses a file of this host; what is copied is compared with its checksum
after that, and every image is looked at as any foreign one.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

from kiban.adapters.disk import taking
from kiban.adapters.disk.formats import image_format
from kiban.adapters.files import replace_file
from kiban.adapters.firmware import descriptors, keyrecord, templates, varstore
from kiban.adapters.firmware.descriptors import FirmwareBuild
from kiban.adapters.store import directory as store
from kiban.adapters.store import exported
from kiban.adapters.whole import in_thread
from kiban.engine import addresses, creating, nvram, ports, tpm
from kiban.engine.exporting import SMALL
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress, telling
from kiban.errors import BadInput, Damaged, HostLacks
from kiban.model import contract
from kiban.model.export import DEFINITION, FIRMWARE, TPM_STATE, ExportedFile, disk_name, portable
from kiban.model.foreign import Extent, ForeignDisk, Place
from kiban.model.generations import generation
from kiban.model.machine import Disk, Machine
from kiban.model.takeover import DiskFacts, ImportRequest, Notebook, Plan, PlannedDisk
from kiban.model.units import format_size

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"-([0-9]{1,3})\.([0-9]{1,3})")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a folder holds: the machine as it will be here, the sizes of its disks (bytes), and what is lost."""

    machine: Machine
    files: dict[str, ExportedFile]
    sizes: dict[str, int]
    build: FirmwareBuild | None
    left_out: tuple[str, ...]


def plan(folder: Path, request: ImportRequest) -> Plan:
    """What importing an exported machine will make. Nothing is written. It blocks.

    Raises BadInput, Damaged, NotFound and NotAllowed about the folder, HostLacks about the firmware.
    """
    found, book = _read(folder, request), Notebook()
    machine, board = found.machine, found.machine.board
    book.row("name", machine.name, machine.name)
    book.row("generation", str(machine.generation), str(machine.generation))
    book.row("machine type", board.machine_type, board.machine_type)
    if found.build:
        same = found.build.code_sha256 == board.firmware_code_sha256
        book.row("firmware", board.firmware_code_sha256[:12], "the same build" if same else str(found.build.code))
        book.row("keys and boot order", "in nvram.fd", "the same")
    book.row("processors", str(machine.cpus), str(machine.cpus))
    book.row("memory", format_size(machine.memory), format_size(machine.memory))
    for disk in machine.disks:
        book.row(disk.id, f"{disk.format}, {format_size(found.sizes[disk.id])}", f"{disk.bus} {disk.slot}")
    for nic in machine.nics:
        book.row(nic.id, nic.mac, nic.mac)
        for port in nic.forwards:
            book.row(f"port of {nic.id}", f"{port.protocol} {port.guest_port}", f"{port.host_address} {port.host_port}")
    if machine.tpm:
        book.row("TPM", "yes", "the same, with its state")
    return Plan(
        title="an exported machine",
        path=str(folder),
        name=machine.name,
        generation=machine.generation,
        disks=tuple(_planned(folder, disk, found) for disk in machine.disks),
        rows=tuple(book.rows),
        checkpoints=(),
        left_out=found.left_out,
        advice=(),
        macs=tuple(nic.mac for nic in machine.nics),
    )


async def import_machine(host: Host, folder: Path, request: ImportRequest, progress: Progress) -> Handle:
    """Make the machine of a folder again; raises as `plan`, and Conflict (name-taken), HostLacks (no-machine-type)."""
    found = await asyncio.to_thread(_read, folder, request)
    host.check_free(found.machine.name)
    _check_machine_type(found.machine, (await host.qemu()).machines)
    machine = replace(found.machine, id=str(uuid4()))

    async def fill(staged: Path) -> Machine:
        await in_thread(_put_small, host, folder, staged, found)
        for number, disk in enumerate(machine.disks):
            await _take(folder, staged, disk, found, partial(_share, progress, number, len(machine.disks)))
        return machine

    handle = await creating.appear(host, machine, fill)
    handle.warnings = [*ports.warnings(host, handle), *addresses.warnings(host, handle)]
    handle.tell("created")
    progress(1.0, "made")
    return handle


def _share(progress: Progress, number: int, count: int, fraction: float, text: str) -> None:
    progress((number + fraction) / count, text)


async def _take(folder: Path, staged: Path, disk: Disk, found: _Found, progress: Progress) -> None:
    file, target = found.files[disk_name(disk)], staged / disk_name(disk)
    with exported.opened(folder / file.name) as source:
        tell = telling(progress, f"copying {disk.id}", 0.0, 0.6)
        await taking.fetch_as_it_is(source, target, image_format(disk.format), tell)
    copied = await exported.look(target, telling(progress, f"checking {disk.id}", 0.6, 0.4))
    exported.check_sum(folder / file.name, file, copied.sha256)


def _read(folder: Path, request: ImportRequest) -> _Found:
    _check_asked(folder, request)
    files = exported.read_manifest(folder)
    if DEFINITION not in files:
        raise _unfit(folder, f"it does not list {DEFINITION}")
    text = exported.small(folder, files[DEFINITION], store.MAX_BYTES)
    machine, left = portable(store.parse(text, folder / DEFINITION))
    if request.name is not None:
        machine = replace(machine, name=contract.check_name(request.name))
    _check_words(folder, machine)
    _check_files(folder, machine, files)
    build = None
    if machine.uefi:
        build = descriptors.find_uefi(machine.board.machine_type, secure_boot=True)
        here = replace(machine.board, firmware_code=str(build.code), firmware_descriptor=str(build.descriptor))
        machine = replace(machine, board=here)  # the checksum stays: a start says when the build is another one
        _check_variables(folder, files[nvram.FILE], build)
    sizes = {disk.id: _size(folder, disk) for disk in machine.disks}
    return _Found(machine=machine, files=files, sizes=sizes, build=build, left_out=left)


def _check_asked(folder: Path, request: ImportRequest) -> None:
    said = (request.format, *request.parents, request.checkpoint, request.guest)
    if request.lazy or request.generation is not None or any(said):
        raise BadInput(
            f"{folder} holds an exported machine, which is made again as it was.",
            "Leave out everything but --name; change it afterwards with kiban set",
            code="made-as-it-was",
        )


def _check_words(folder: Path, machine: Machine) -> None:
    """What consistency leaves to the contract, since no definition of ours could have it otherwise."""
    family = generation(machine.generation).machine_family
    board = machine.board
    if not board.machine_type.startswith(family) or not _VERSION.fullmatch(board.machine_type[len(family) :]):
        raise _unfit(folder, f"{board.machine_type!a} is no machine type of that generation")
    if machine.uefi and not _SHA256.fullmatch(board.firmware_code_sha256):
        raise _unfit(folder, "its firmware has no checksum")
    if machine.uefi and machine.uefi.template not in (*templates.templates(), templates.CUSTOM):
        raise _unfit(folder, f"it has no Secure Boot template that is known: {machine.uefi.template[:40]!a}")
    if not machine.guest.isprintable() or not machine.created.isprintable():
        raise _unfit(folder, "a word in it cannot be shown")


def _check_files(folder: Path, machine: Machine, files: dict[str, ExportedFile]) -> None:
    needed = {DEFINITION, *map(disk_name, machine.disks)}
    needed |= {nvram.FILE} if machine.uefi else set()
    needed |= {TPM_STATE} if machine.tpm else set()
    optional = set(FIRMWARE) if machine.uefi else set()
    if missing := sorted(needed - set(files)):
        raise _unfit(folder, f"it does not list {missing[0]}")
    if foreign := sorted(set(files) - needed - optional):
        raise _unfit(folder, f"it lists {foreign[0]}, which the machine does not have")


def _check_variables(folder: Path, file: ExportedFile, build: FirmwareBuild) -> None:
    size = build.vars_template.stat().st_size
    if file.size != size:
        raise HostLacks(
            f"The firmware variables in {folder} have {file.size} bytes, and this host's firmware keeps {size}.",
            "Install the firmware that it was made with; see firmware in the exported vm.json",
            code="other-firmware",
        )


def _check_machine_type(machine: Machine, newest: dict[str, str]) -> None:
    wanted = machine.board.machine_type
    family = generation(machine.generation).machine_family
    if _number(wanted) > _number(newest.get(family, "-0.0")):
        raise HostLacks(
            f"{machine.name} is built on {wanted}, and this host's QEMU has {newest.get(family, 'none of those')}.",
            "Install the QEMU of the host that it comes from, or a newer one.",
            code="no-machine-type",
        )


def _number(machine_type: str) -> tuple[int, int]:
    found = _VERSION.search(machine_type)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _size(folder: Path, disk: Disk) -> int:
    path = folder / disk_name(disk)
    with exported.opened(path) as descriptor:
        return taking.check_whole(descriptor, path, image_format(disk.format))


def _put_small(host: Host, folder: Path, staged: Path, found: _Found) -> None:
    for name in FIRMWARE:
        if name in found.files:
            replace_file(staged / name, exported.small(folder, found.files[name], SMALL))
    if found.machine.uefi:
        try:
            varstore.describe_store(staged / nvram.FILE, found.machine.uefi.template)
            keyrecord.load_custom(staged)
            keyrecord.load_change(staged)
        except Damaged:
            raise _unfit(folder, "its firmware variables or keys cannot be understood") from None
    if found.machine.tpm:
        tpm.put(staged, exported.small(folder, found.files[TPM_STATE], SMALL), host.account())


def _planned(folder: Path, disk: Disk, found: _Found) -> PlannedDisk:
    path, size = str(folder / disk_name(disk)), found.sizes[disk.id]
    place = Place(bus="unknown", controller=0, location=disk.slot)
    extent = Extent(path=path, offset=0, size=found.files[disk_name(disk)].size)
    source = ForeignDisk(place=place, path=path, image=disk.format, capacity=size, file=extent)
    return PlannedDisk(id=disk.id, source=source, facts=DiskFacts(size=size, files=(path,)), lazy=False)


def _unfit(folder: Path, what: str) -> BadInput:
    return BadInput(f"{folder} holds no machine that was exported: {what}.", "Export it again.", code="damaged-export")
