# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks as files, and the disks of machines: make, convert, clone, resize, compact, check, merge, mount, look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiban.adapters.disk.changing import Check
from kiban.adapters.whole import finished
from kiban.engine import disks, diskview, merging, mounting
from kiban.engine.diskview import DiskView
from kiban.engine.host import Host
from kiban.engine.mounts import MountView
from kiban.engine.progress import Progress
from kiban.model.requests import DiskRef, MountRequest, NewImage


async def info(host: Host, ref: DiskRef, folders: Sequence[str] = ()) -> DiskView:
    """A disk, what it is made on, what is made on it, and who uses those."""
    return await diskview.look(host, ref, folders)


async def list_all(host: Host) -> list[DiskView]:
    """The disks of all machines, those that are made on one another together."""
    return await diskview.families(host)


async def create(host: Host, new: NewImage, *, progress: Progress) -> DiskView:
    """Make an empty disk, or a differencing one."""
    return await _made(host, await disks.create(host, new, progress), new.format)


async def convert(
    host: Host, ref: DiskRef, new: NewImage, folders: Sequence[str], verify: bool, *, progress: Progress
) -> DiskView:
    """Make one whole disk, of another format or the same, of a disk and all that it is made on."""
    made = await disks.convert(host, ref, new, folders, verify=verify, progress=progress)
    return await _made(host, made, new.format)


async def clone(host: Host, ref: DiskRef, target: str, *, progress: Progress) -> DiskView:
    """Copy a disk as it is."""
    _, form = disks.find(host, ref)
    return await _made(host, await disks.clone(host, ref, target, progress), form.name)


async def resize(host: Host, ref: DiskRef, size: int, shrink: bool, *, progress: Progress) -> DiskView:
    """Give a disk another size; that of a running machine grows at once."""
    await disks.resize(host, ref, size, shrink=shrink, progress=progress)
    return await _changed(host, ref)


async def compact(host: Host, ref: DiskRef, *, progress: Progress) -> DiskView:
    """Give back the room of what is zero."""
    await disks.compact(host, ref, progress)
    return await _changed(host, ref)


async def check(host: Host, ref: DiskRef, *, progress: Progress) -> Check:
    """Look whether an image is consistent in itself."""
    return await disks.check(host, ref, progress)


async def merge(host: Host, ref: DiskRef, *, progress: Progress) -> DiskView:
    """Put a differencing disk back into its parent, also under a running machine, which goes on with the parent."""
    parent, form = await merging.merge(host, ref, progress)
    return await _made(host, parent, form)


async def mount(host: Host, wanted: MountRequest, *, progress: Progress) -> MountView:
    """Show what is on a disk in a folder of the host."""
    return await mounting.mount(host, wanted, progress)


async def unmount(host: Host, directory: str, *, progress: Progress) -> None:
    """End that; everything that was written is in the image then."""
    progress(0.0, "writing what was not written yet")
    await mounting.unmount(host, directory)


async def mounts(host: Host) -> list[MountView]:
    """What is mounted."""
    return mounting.listed(host)


async def _made(host: Host, path: Path, form: str) -> DiskView:
    return await _changed(host, DiskRef(path=str(path), format=form))


async def _changed(host: Host, ref: DiskRef) -> DiskView:
    """The disk as it is now; to be stopped here would say of a disk that is made or changed that it is not."""
    return await finished(diskview.look(host, ref))
