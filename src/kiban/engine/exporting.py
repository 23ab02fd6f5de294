# SPDX-License-Identifier: GPL-2.0-or-later
"""Exporting a machine that is off into a folder of its own, whole or not at all.

Its disks are claimed for as long as that takes, so it cannot start meanwhile; what is small is read at the beginning.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.disk import chain, changing
from kiban.adapters.disk.chain import Link
from kiban.adapters.disk.copying import Done
from kiban.adapters.disk.formats import FORMATS, image_format
from kiban.adapters.files import open_regular, replace_file
from kiban.adapters.store import directory as store
from kiban.adapters.store import exported
from kiban.engine import diskuse, tpm
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet
from kiban.engine.whole import in_thread
from kiban.errors import Conflict, Damaged
from kiban.model.export import DEFINITION, FIRMWARE, TPM_STATE, Exported, ExportRequest, disk_name, portable
from kiban.model.machine import Machine

SMALL = 4 << 20
"""Bytes that variables, keys and the state of a TPM may have at most; they have a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A machine that is held: its definition, the chain of each of its disks, and its small files."""

    machine: Machine
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
            return await _plain(folder, source, request, progress)


@asynccontextmanager
async def _held(host: Host, handle: Handle) -> AsyncIterator[Source]:
    async with AsyncExitStack() as stack:
        async with handle.lock:
            handle.check("export")
            machine = handle.machine
            _check_copied(machine)
            files = await in_thread(_small_files, handle.directory)
            disks = await in_thread(_open, stack.enter_context(ExitStack()), host, handle)
            links = [link for each in disks for link in each]
            await stack.enter_async_context(diskuse.working(host, f"Exporting {machine.name}", links))
        yield Source(machine=machine, disks=disks, files=files)


def _check_copied(machine: Machine) -> None:
    for disk in machine.disks:
        if disk.rest:
            raise Conflict(
                f"{disk.id} of {machine.name} is still being copied from {disk.rest.path}.",
                f"Let it run until that is done: kiban start {machine.name}; see kiban jobs",
                code="not-copied-yet",
            )


def _open(stack: ExitStack, host: Host, handle: Handle) -> list[list[Link]]:
    chains = []
    for disk in handle.machine.disks:
        links: list[Link] = []
        form = image_format(disk.format)
        chain.follow(stack, handle.directory / disk.path, form, host.disk_key(), links, strict=True)
        chains.append(links)
    return chains


def _small_files(directory: Path) -> dict[str, bytes]:
    places = {name: directory / name for name in FIRMWARE} | {TPM_STATE: directory / tpm.DIRECTORY / TPM_STATE}
    return {name: _small(place) for name, place in places.items() if place.exists()}


def _small(path: Path) -> bytes:
    with open_regular(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(SMALL + 1)
    if len(data) > SMALL:
        raise Damaged(f"{path} is larger than it can be.", "Restore it from a backup.")
    return data


_COPYING = 0.6
"""Of the whole work, by progress; the rest is reading what was made for its checksums."""


async def _plain(folder: Path, source: Source, request: ExportRequest, progress: Progress) -> Exported:
    machine, left = portable(source.machine)
    for name, data in {**source.files, DEFINITION: store.dump(machine)}.items():
        await in_thread(replace_file, folder / name, data)
    for number, (disk, links) in enumerate(zip(machine.disks, source.disks, strict=True)):
        tell = telling(
            progress, f"copying {disk.id}", number / len(machine.disks) * _COPYING, _COPYING / len(machine.disks)
        )
        await _copy(links, folder / disk_name(disk), tell)
    files = []
    paths = sorted(folder.iterdir())
    for number, path in enumerate(paths):
        share = (1 - _COPYING) / len(paths)
        files.append(
            await exported.look(path, telling(progress, f"checking {path.name}", _COPYING + number * share, share))
        )
    await in_thread(exported.write_manifest, folder, tuple(files))
    return Exported(path=request.path, kind=request.kind, files=tuple(files), left_out=left)


async def _copy(links: list[Link], target: Path, done: Done) -> None:
    """As it is; of a disk that is made on others, which may not be there where the folder goes, a whole one."""
    if len(links) == 1:
        await changing.clone(links, target, done)
    else:
        await changing.convert(links, target, FORMATS["qcow2"], done=done)


def telling(progress: Progress, text: str, before: float, share: float) -> Done:
    """Progress of a part of the work, which begins at `before` and is `share` of the whole."""
    progress(before, text)
    return lambda fraction: progress(before + fraction * share, text)
