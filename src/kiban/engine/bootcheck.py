# SPDX-License-Identifier: GPL-2.0-or-later
"""What a generation 2 machine would boot, and whether its firmware lets it: before a start, after it, or when asked.

The media are those of the boot order in NVRAM, with the entries that the guest made for itself, and then what the
firmware looks through when all of that fails. Nothing is written; of a running machine's disk it is read what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kiban.adapters.bootcheck import runner
from kiban.adapters.bootcheck.exchange import Asked
from kiban.adapters.firmware import templates
from kiban.adapters.firmware import trust as firmware_trust
from kiban.adapters.firmware.bootorder import BootEntry
from kiban.adapters.qemu import process
from kiban.engine import diskuse, nvram
from kiban.engine.handle import Handle
from kiban.errors import BadInput, KibanError, NotInGeneration
from kiban.model.bootcheck import Medium, Report
from kiban.model.machine import Disk, Machine, boot_class
from kiban.model.trust import Signature, Trust

PATIENCE = 2.0
"""Seconds that a start waits for its check once the machine runs; a later warning is told as an event."""

FORMATS = {".vhdx": "vhdx", ".vhd": "vhd", ".qcow2": "qcow2", ".raw": "raw", ".img": "raw", ".iso": "iso"}
BOOT_FILES = (
    *("bootx64.efi", "shimx64.efi", "bootnetx64.efi", "debian-installer/amd64/bootnetx64.efi"),
    *("EFI/BOOT/BOOTX64.EFI", "grubx64.efi", "ipxe.efi"),
)
"""What a network boot folder is searched for when its boot file is not named."""
_checks: set[asyncio.Task[None]] = set()  # asyncio itself keeps no hold of a task
_log = logging.getLogger(__name__)


def media_of(machine: Machine, directory: Path, entries: Sequence[BootEntry]) -> list[Medium]:
    """What the firmware of a machine tries, first to last.

    Args:
        machine: of generation 2.
        directory: its own, to which paths of disks are relative.
        entries: its boot entries as nvram.entries gives them.
    """
    tried = [medium for entry in entries if entry.active for medium in _of_entry(machine, directory, entry)]
    if machine.uefi is not None and not machine.uefi.pause_after_boot_failure:
        # EDK2's boot manager adds what it finds by itself: removable media, disks, then adapters
        order = ("dvd", "disk", "nic")
        rest = sorted(machine.device_ids(), key=lambda device: order.index(boot_class(device)))
        tried += [_medium(machine, directory, device) for device in rest]
    return list(dict.fromkeys(tried))


def _of_entry(machine: Machine, directory: Path, entry: BootEntry) -> Iterator[Medium]:
    # where only the partition is named, the firmware looks for it on all disks
    devices = [entry.device] if entry.device else [disk.id for disk in machine.disks] if entry.partition else []
    for device in devices:
        medium = _medium(machine, directory, device)
        place = medium.kind in ("disk", "dvd")
        yield replace(medium, partition=entry.partition, loader=entry.file) if place else medium


def _medium(machine: Machine, directory: Path, device: str) -> Medium:
    empty = Medium(device=device, kind="none", path="", format="")
    for disk in machine.disks:
        if disk.id == device:
            return _disk(directory, disk)
    for dvd in machine.dvds:
        if dvd.id == device and dvd.medium:
            return Medium(device=device, kind="dvd", path=dvd.medium, format="iso")
    for nic in machine.nics:
        if nic.id == device and nic.boot:
            return replace(empty, kind="folder", path=nic.boot.folder, loader=nic.boot.file, protocol=nic.boot.protocol)
    return empty


def _disk(directory: Path, disk: Disk) -> Medium:
    return Medium(device=disk.id, kind="disk", path=str(directory / disk.path), format=disk.format)


async def explain(handle: Handle, trust: Trust | None = None) -> Report:
    """What a machine would boot, and whether it may.

    Args:
        handle: the machine; it may run.
        trust: instead of what its own NVRAM says.

    Raises NotInGeneration for generation 1, and what kiban.adapters.bootcheck.runner.explain raises.
    """
    if handle.machine.uefi is None:
        raise NotInGeneration(
            f"{handle.name} is a generation 1 machine: its BIOS asks nobody what it may start.",
            "Secure Boot is generation 2's: kiban create NAME --generation 2",
        )
    media, own = await asyncio.to_thread(_question, handle, trust)
    report = await _ask(media, own, handle.name)
    disks = {medium.device for medium in media if medium.kind == "disk"}
    if handle.alive and any(stage.device in disks for stage in report.stages):
        note = f"{handle.name} is {handle.state}, so what is on its disk may change."
        report = replace(report, sentence=f"{report.sentence} {note}")
    return report


def _question(handle: Handle, trust: Trust | None = None) -> tuple[list[Medium], Trust]:
    machine = handle.machine
    own = trust or firmware_trust.read(handle.directory / nvram.FILE, machine.uefi.template if machine.uefi else "")
    media = media_of(machine, handle.directory, nvram.entries(handle.directory, machine))
    made_on = {disk.id: diskuse.parents_of(handle, disk) for disk in machine.disks}
    return [replace(medium, parents=made_on.get(medium.device, ())) for medium in media], own


async def explain_path(path: str, *, template: str = "", form: str = "", file: str = "") -> Report:
    """The same for a new machine that would boot an ISO, a disk image, a folder over the network or a bare EFI program.

    Args:
        path: absolute.
        template: Secure Boot template of that machine; the default one if not said.
        form: format of a disk image; by the name's end if not said, and never by its contents.
        file: boot file of a folder; a usual one if not said.

    Raises BadInput, NotFound, and what kiban.adapters.bootcheck.runner.explain raises.
    """
    medium = await asyncio.to_thread(_medium_of_path, Path(path), form, file)
    return await _ask([medium], template_trust(template or templates.DEFAULT), "NAME")


def template_trust(name: str) -> Trust:
    """What a new machine of that template trusts, Secure Boot on. Raises BadInput."""
    keys = templates.keys_of(name)
    pk, kek, db, dbx = (
        tuple(Signature(entry.kind, entry.data, str(entry.owner)) for entry in entries)
        for entries in (keys.pk, keys.kek, keys.db, keys.dbx)
    )
    return Trust(secure_boot=True, template=name, pk=pk, kek=kek, db=db, dbx=dbx)


def _medium_of_path(path: Path, form: str, file: str) -> Medium:
    if path.is_dir():
        return Medium(
            device=path.name, kind="folder", path=str(path), format="", loader=file or _boot_file(path), protocol="tftp"
        )
    if file:
        raise BadInput(f"{path} is no folder, so it has no boot file to name.", "Leave --file out, or name a folder.")
    if path.suffix.lower() == ".efi" and not form:
        real = path.resolve()  # what lies beside it is not to be let in by a link
        return Medium(
            device=path.name, kind="folder", path=str(real.parent), format="", loader=real.name, protocol="tftp"
        )
    chosen = form or ("raw" if path.is_block_device() else FORMATS.get(path.suffix.lower(), ""))
    match chosen:
        case "iso":
            return Medium(device=path.name, kind="dvd", path=str(path), format="iso")
        case "raw" | "qcow2" | "vhdx" | "vhd":
            return Medium(device=path.name, kind="disk", path=str(path), format=chosen)
    known = ", ".join(sorted(set(FORMATS.values())))
    raise BadInput(
        f"{path.name} does not say by its name what it is.", f"Say --format with one of {known}.", code="unknown-format"
    )


def _boot_file(folder: Path) -> str:
    for name in BOOT_FILES:
        if (folder / name).is_file():
            return name
    raise BadInput(f"Which file of {folder} is to be booted?", "Say --file NAME, relative to the folder.")


async def _ask(media: Sequence[Medium], trust: Trust, machine: str) -> Report:
    owner = process.account()
    known = {name: [e.data for e in templates.keys_of(name).db if e.kind == "x509"] for name in templates.templates()}
    asked = Asked(machine=machine, template=trust.template, templates=known)
    return await runner.explain(media, trust, asked=asked, uid=owner.uid, gid=owner.gid)


def begin(handle: Handle) -> asyncio.Task[None] | None:
    """Check a machine that is being started, beside its start; None where nothing can be refused.

    What would be refused becomes one of the machine's warnings and an event. It starts all the same: the guest may have
    other plans, and the firmware has the last word.
    """
    if handle.machine.uefi is None or any(disk.rest for disk in handle.machine.disks):
        return None  # what has not been copied yet cannot be looked at
    task = asyncio.create_task(_warn(handle, handle.warnings), name=f"check of {handle.name}'s boot media")
    _checks.add(task)
    task.add_done_callback(_checks.discard)
    return task


async def wait(task: asyncio.Task[None] | None) -> None:
    """Give a check the chance to end, PATIENCE at most; what it finds later is told all the same."""
    if task is not None:
        await asyncio.wait({task}, timeout=PATIENCE)


def cancel(task: asyncio.Task[None] | None) -> None:
    """Give a check up: the machine did not start."""
    if task is not None:
        task.cancel()


async def _warn(handle: Handle, warnings: list[str]) -> None:
    try:
        media, own = await asyncio.to_thread(_question, handle)
        if not own.secure_boot:
            return
        report = await _ask(media, own, handle.name)
    except KibanError as error:  # a start never fails by it
        _log.warning("what %s would boot cannot be said: %s", handle.name, error)
        return
    if report.verdict == "refused" or any(stage.verdict == "refused" for stage in report.stages):
        # into the list of this start; another one may have begun meanwhile
        warnings.append(f"{report.sentence} ({report.hint})" if report.hint else report.sentence)
        handle.tell("trouble", what="boot-refused", message=report.sentence, hint=report.hint)
