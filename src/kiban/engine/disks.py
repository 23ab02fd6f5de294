# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks as files: make, convert, clone, resize, compact, check. A disk is named by its path, or as MACHINE:DISK.

What takes long is a job; each leaves the old content or the new one, whatever ends it. See kiban.engine.merging for
merging, and kiban.engine.diskview for looking at a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kiban.adapters.disk import chain, changing, images
from kiban.adapters.disk.chain import Link
from kiban.adapters.disk.changing import Check
from kiban.adapters.disk.formats import FORMATS, READABLE, ImageFormat, format_of, image_format
from kiban.adapters.whole import in_thread
from kiban.engine import diskforeign, diskgrow, diskuse
from kiban.engine.progress import Progress, quiet, telling
from kiban.engine.unfinished import noted
from kiban.errors import BadInput
from kiban.model.requests import DiskRef, NewImage

if TYPE_CHECKING:
    from kiban.engine.host import Host  # which takes machines on, merges that were broken off included


def find(host: Host, ref: DiskRef) -> tuple[Path, ImageFormat]:
    """Path and format of a disk; NotFound, or BadInput where its format is not said."""
    if not ref.machine:
        return Path(ref.path), format_of(Path(ref.path), ref.format, READABLE)
    handle = host.find(ref.machine)
    disk = diskgrow.disk_of(handle, ref.disk)
    return handle.directory / disk.path, image_format(disk.format)


@asynccontextmanager
async def opened(host: Host, ref: DiskRef) -> AsyncIterator[list[Link]]:
    """The chain of a disk; raises as `chain.opened` and `find` do."""
    path, form = find(host, ref)
    links: list[Link] = []
    with ExitStack() as stack:
        await in_thread(chain.follow, stack, path, form, host.disk_key(), links)
        yield links


async def create(host: Host, new: NewImage, progress: Progress = quiet) -> Path:
    """Make an empty disk, or a differencing one on a parent; returns where it is."""
    path, form = Path(new.path), format_of(Path(new.path), new.format, FORMATS)
    if new.parent is None:
        if new.size is None:
            raise BadInput("A new disk needs a size.", "Say how large: kiban disk create a.qcow2 20G", code="no-size")
        progress(0.0, f"making {path.name}")
        with noted(host.paths, path):
            await images.create(path, form.name, new.size, fixed=new.fixed)
        return path
    if form.name != "qcow2" or new.fixed:
        raise BadInput(
            f"A differencing disk is a dynamic qcow2 here, not a {'fixed ' * new.fixed}{form.name}.",
            "Its parent may be of any format; name the child .qcow2",
            code="bad-format",
        )
    async with opened(host, new.parent) as links, diskuse.working(host, f"Making {path.name}", links):
        with noted(host.paths, path):
            await changing.create_child(path, links, host.disk_key(), new.size)
    return path


async def convert(
    host: Host, ref: DiskRef, new: NewImage, folders: Sequence[str], *, verify: bool = False, progress: Progress = quiet
) -> Path:
    """Make one whole disk of a chain.

    Args:
        host: where.
        ref: the disk.
        new: what is made; its size and parent do not count.
        folders: where the parents of a VHD or VHDX may lie, besides its own.
        verify: compare every byte afterwards.
        progress: of it.
    """
    target, form = Path(new.path), format_of(Path(new.path), new.format, FORMATS)
    done = telling(progress, f"converting to {form.name}")
    path, source_form = find(host, ref)
    if await in_thread(diskforeign.is_foreign, path, source_form):
        async with diskforeign.served(host, path, source_form, folders) as source:
            with noted(host.paths, target):
                await changing.convert_node(source, target, form, fixed=new.fixed, verify=verify, done=done)
        return target
    async with opened(host, ref) as links, diskuse.working(host, f"Converting {path.name}", links):
        with noted(host.paths, target):
            await changing.convert(links, target, form, fixed=new.fixed, verify=verify, done=done)
    return target


async def clone(host: Host, ref: DiskRef, target: str, progress: Progress = quiet) -> Path:
    """Copy a disk as it is, at once where the file system can; of a differencing one a second child of its parent."""
    async with opened(host, ref) as links, diskuse.working(host, f"Copying {links[0].path.name}", links):
        with noted(host.paths, Path(target)):
            await changing.clone(links, Path(target), telling(progress, "copying"))
    return Path(target)


async def resize(host: Host, ref: DiskRef, size: int, *, shrink: bool, progress: Progress = quiet) -> Path:
    """Give a disk another size in bytes; one of a running machine grows under its guest's eyes."""
    path, _ = find(host, ref)
    done = telling(progress, "changing its size")
    if await diskgrow.while_running(host, path, size):
        return path
    async with opened(host, ref) as links:
        check_kept(links)
        async with diskuse.working(host, f"Resizing {path.name}", links, writes=links[:1]):
            with noted(host.paths, links[0].real):
                await changing.resize(links, size, shrink=shrink, done=done)
    return path


async def compact(host: Host, ref: DiskRef, progress: Progress = quiet) -> Path:
    """Give back the room of what is zero."""
    async with opened(host, ref) as links:
        check_kept(links)
        async with diskuse.working(host, f"Compacting {links[0].path.name}", links, writes=links[:1]):
            with noted(host.paths, links[0].real):
                await changing.rebuild(links, done=telling(progress, "compacting"))
        return links[0].path


async def check(host: Host, ref: DiskRef, progress: Progress = quiet) -> Check:
    """Look whether an image is consistent in itself; its parents are looked at as far as opening them does."""
    async with opened(host, ref) as links, diskuse.working(host, f"Checking {links[0].path.name}", links):
        progress(0.0, "checking")
        return await changing.check(links)


def check_kept(links: Sequence[Link]) -> None:
    """BadInput (read-only-format) for a disk of a format that is only read here."""
    if links[0].form.name not in FORMATS:
        raise BadInput(
            f"A {links[0].form.name} is only read here.",
            "Convert it first: kiban disk convert",
            code="read-only-format",
        )
