# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks of machines that run: which node of QEMU's is a disk's, and growing it under its guest's eyes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kiban.adapters.disk.formats import check_size, image_format
from kiban.adapters.qemu import devices
from kiban.engine import diskuse
from kiban.engine.handle import Handle
from kiban.errors import BadInput, Conflict, Failed, NotFound
from kiban.model import contract
from kiban.model.machine import Disk
from kiban.model.units import format_size

if TYPE_CHECKING:
    from kiban.engine.host import Host  # which takes machines on, merges that were broken off included


def disk_of(handle: Handle, disk_id: str) -> Disk:
    """A disk of a machine by its id; NotFound."""
    for disk in handle.machine.disks:
        if disk.id == disk_id:
            return disk
    raise NotFound(f"{handle.name} has no disk {disk_id[:20]}.", f"kiban info {handle.name}", code="no-such-disk")


def user_of(host: Host, path: Path) -> tuple[Handle, Disk] | None:
    """The machine that runs and writes to that file, and its disk."""
    key = diskuse.key_of(path)
    for handle in host.handles.values():
        for disk in handle.definition.disks if handle.alive and handle.definition else ():
            if key is not None and diskuse.key_of(handle.directory / disk.path) == key:
                return handle, disk
    return None


async def nodes(handle: Handle, disk: Disk) -> list[str]:
    """The nodes of a disk that QEMU has, the one that the guest's device uses first.

    After a merge under a running guest that is the node of what was the parent.
    """
    there = {node["node-name"] for node in await handle.live.run("query-named-block-nodes", {"flat": True})}
    return [name for name in devices.node_names(disk) if name in there]


async def while_running(host: Host, path: Path, size: int) -> bool:
    """Grow a disk whose machine runs to `size` bytes; False, and nothing done, when none does.

    Raises BadInput for a format that QEMU cannot grow while it is used, or a smaller size; Conflict.
    """
    found = user_of(host, path)
    if found is None:
        return False
    handle, disk = found
    async with handle.lock:
        handle.check("edit")
        if disk.format in devices.KEPT_BEHIND:
            raise BadInput(
                f"{disk.id} of {handle.name} is a {disk.format}, which cannot grow while the machine runs.",
                f"kiban stop {handle.name}, or keep it as qcow2: kiban disk convert",
                code="stop-first",
            )
        check_size(image_format(disk.format), size)
        contract.check_whole_sectors(size, disk.sectors)
        node = (await nodes(handle, disk))[0]
        now = await _size(handle, node)
        if size < now:
            raise Conflict(
                f"{disk.id} of {handle.name} has {format_size(now)} and cannot become smaller while the machine runs.",
                f"kiban stop {handle.name}",
                code="is-running",
            )
        key = diskuse.key_of(path)
        host.claims.check((), {key} if key else ())
        if size > now:
            await handle.live.run("block_resize", {"node-name": node, "size": size})
        if await _size(handle, node) != size:
            raise Failed(f"{disk.id} of {handle.name} did not become {format_size(size)}.", "See kiban disk info")
        handle.tell("disk-resized", disk=disk.id, size=size)
    return True


async def _size(handle: Handle, node: str) -> int:
    found = await handle.live.run("query-named-block-nodes", {"flat": True})
    return next(int(each["image"]["virtual-size"]) for each in found if each["node-name"] == node)
