# SPDX-License-Identifier: GPL-2.0-or-later
"""Exporting a machine that is off into a folder of its own, whole or not at all.

Its disks are claimed for as long as that takes, so it cannot start meanwhile; what is small is read at the beginning.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.disk import chain, changing
from kiban.adapters.disk.chain import Link
from kiban.adapters.disk.formats import FORMATS, READABLE, ImageFormat, image_format
from kiban.adapters.files import open_regular, replace_file
from kiban.adapters.firmware import templates
from kiban.adapters.store import directory as store
from kiban.adapters.store import exported
from kiban.adapters.whole import in_thread
from kiban.engine import diskuse, lazily, nvram, tpm
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet, telling
from kiban.errors import Damaged
from kiban.model import export_hyperv, export_ovf
from kiban.model.export import (
    DEFINITION,
    FIRMWARE,
    TPM_STATE,
    Exported,
    ExportedFile,
    ExportKind,
    ExportRequest,
    Portrait,
    disk_name,
    portable,
)
from kiban.model.machine import Machine

SMALL = 4 << 20
"""Bytes that variables, keys and the state of a TPM may have at most; they have a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A machine that is held: what it is, the chain of each of its disks, and its small files."""

    portrait: Portrait
    disks: Sequence[list[Link]]
    files: dict[str, bytes]


async def export(host: Host, handle: Handle, request: ExportRequest, progress: Progress = quiet) -> Exported:
    """Export a machine; on any failure, or Ctrl-C, nothing of it is left.

    Raises:
        Conflict: it is not off, one of its disks is still being copied or in use, or there is something at the path.
        NotFound, NotAllowed, HostLacks, Failed: about the path, its room, and the disks.
    """
    async with _held(host, handle) as source:
        with exported.made_whole(Path(request.path)) as folder:
            return await _fill(folder, source, request, progress)


@asynccontextmanager
async def _held(host: Host, handle: Handle) -> AsyncIterator[Source]:
    async with AsyncExitStack() as stack:
        async with handle.lock:
            handle.check("export")
            machine = handle.machine
            lazily.check_copied(handle, "exported")
            files = await in_thread(_small_files, handle.directory, machine)
            portrait = await in_thread(_portrait, handle.directory, machine)
            disks = await in_thread(_open, stack.enter_context(ExitStack()), host, handle)
            links = [link for each in disks for link in each]
            await stack.enter_async_context(diskuse.working(host, f"Exporting {machine.name}", links))
        yield Source(portrait=portrait, disks=disks, files=files)


def _open(stack: ExitStack, host: Host, handle: Handle) -> list[list[Link]]:
    chains = []
    for disk in handle.machine.disks:
        links: list[Link] = []
        form = image_format(disk.format)
        chain.follow(stack, handle.directory / disk.path, form, host.disk_key(), links, strict=True)
        chains.append(links)
    return chains


def _portrait(directory: Path, machine: Machine) -> Portrait:
    if machine.uefi is None:
        return Portrait(machine=machine)
    there, known = nvram.facts(directory, machine.uefi), templates.templates()
    own = str(known[there.template].hyperv_id) if there.template in known else ""
    order = tuple(nvram.order(directory, machine))
    return Portrait(machine=machine, secure_boot=there.secure_boot, template_id=own, order=order)


def _small_files(directory: Path, machine: Machine) -> dict[str, bytes]:
    """What belongs to the machine as it is: a TPM that was taken out leaves its state behind."""
    places = {name: directory / name for name in FIRMWARE} if machine.uefi else {}
    places = {name: place for name, place in places.items() if name == nvram.FILE or place.exists()}
    if machine.tpm:
        places[TPM_STATE] = directory / tpm.DIRECTORY / TPM_STATE
    return {name: _small(place) for name, place in places.items()}


def _small(path: Path) -> bytes:
    """The content of a file; NotFound, NotAllowed, and Damaged for one that is larger than it can be."""
    with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(SMALL + 1)
    if len(data) > SMALL:
        raise Damaged(f"{path} is larger than it can be.", "Restore it from a backup.")
    return data


_COPYING = 0.6
"""Of the whole work, by progress; the rest is reading what was made for its checksums."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What makes one kind of folder: the format that disks are converted to (None: they stay as they are), the files
    beside them and what is left out, and the list of all files."""

    form: ImageFormat | None
    describe: Callable[[Source, Path], tuple[dict[str, bytes], tuple[str, ...]]]
    listing: Callable[[Path, tuple[ExportedFile, ...]], None]


async def _fill(folder: Path, source: Source, request: ExportRequest, progress: Progress) -> Exported:
    kind = _KINDS[request.kind]
    disks = source.portrait.machine.disks
    for number, (disk, links) in enumerate(zip(disks, source.disks, strict=True)):
        share = _COPYING / len(disks)
        done = telling(progress, f"copying {disk.id}", number * share, share)
        form = kind.form or FORMATS["qcow2"]
        if len(links) == 1 and (kind.form is None or links[0].form.name == form.name):
            await changing.clone(links, folder / disk_name(disk), done)
        else:  # also what is made on others, which may not be there where the folder goes
            await changing.convert(links, folder / f"{disk.id}.{form.name}", form, done=done)
    texts, left = kind.describe(source, folder)
    for name, data in texts.items():
        await in_thread(replace_file, folder / name, data)
    files = await _look(folder, progress)
    await in_thread(kind.listing, folder, files)
    return Exported(path=request.path, kind=request.kind, files=files, left_out=left)


async def _look(folder: Path, progress: Progress) -> tuple[ExportedFile, ...]:
    files, paths = [], sorted(folder.iterdir())
    for number, path in enumerate(paths):
        share = (1 - _COPYING) / len(paths)
        done = telling(progress, f"checking {path.name}", _COPYING + number * share, share)
        files.append(await exported.look(path, done))
    return tuple(files)


def _as_it_is(source: Source, _: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    machine, left = portable(source.portrait.machine)
    return {**source.files, DEFINITION: store.dump(machine)}, left


def _for_hyperv(source: Source, _: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    left = (*portable(source.portrait.machine)[1], *export_hyperv.left_out(source.portrait))
    readme = export_hyperv.readme(source.portrait, left)
    texts = {"recreate.ps1": export_hyperv.script(source.portrait), "README.txt": readme}
    # with a mark at the beginning: Windows PowerShell takes any other file for one in the system's old encoding
    return {name: text.encode("utf-8-sig") for name, text in texts.items()}, left


def _as_ovf(source: Source, folder: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    machine, disks = source.portrait.machine, {}
    for disk, links in zip(machine.disks, source.disks, strict=True):
        name = f"{disk.id}.vmdk"
        size = (folder / name).stat().st_size
        disks[disk.id] = export_ovf.Vmdk(name=name, size=size, capacity=links[0].facts.virtual_size)
    text = export_ovf.descriptor(source.portrait, disks)
    return {f"{machine.name}.ovf": text}, (*portable(machine)[1], *export_ovf.left_out(source.portrait))


_KINDS: dict[ExportKind, _Kind] = {
    "kiban": _Kind(form=None, describe=_as_it_is, listing=exported.write_manifest),
    "hyper-v": _Kind(form=FORMATS["vhdx"], describe=_for_hyperv, listing=exported.write_sums),
    "ovf": _Kind(form=READABLE["vmdk"], describe=_as_ovf, listing=exported.write_ovf_manifest),
}
