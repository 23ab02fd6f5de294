# SPDX-License-Identifier: GPL-2.0-or-later
"""A differencing disk goes back into its parent, with its machine off or running.

Off, or nobody's:  the child accepts any state of its parent ─► commit ─► definition names the parent ─► child removed
Running:           the same ─► QEMU commits while the guest writes ─► the guest stops for a moment ─► QEMU changes over
                   ─► definition names the parent ─► the guest goes on ─► child removed

The child covers all that changes in its parent until the guest writes to the parent itself, and before it does, the
definition names the parent. So a kill at any point leaves a definition that names a disk with all of the content.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiban.adapters.disk import chain, merging, seal
from kiban.adapters.disk.chain import Link
from kiban.adapters.disk.formats import image_format
from kiban.adapters.files import open_regular, replace_file
from kiban.adapters.qemu import devices
from kiban.adapters.whole import finished, in_thread, whole
from kiban.engine import diskgrow, disks, diskuse, supervision
from kiban.engine.diskuse import Chained
from kiban.engine.handle import Handle
from kiban.engine.progress import Progress, quiet
from kiban.engine.unfinished import noted
from kiban.errors import BadInput, Conflict, Failed, HostLacks, KibanError
from kiban.model.machine import Disk
from kiban.model.requests import DiskRef

if TYPE_CHECKING:
    from kiban.engine.host import Host  # which takes machines on, merges that were broken off included

POLL_SECONDS = 0.2
_LIVE = ("qcow2",)
"""Formats of a parent that a running machine's disk can be merged into: the guest goes on with it, saved ones included.

With a raw one QEMU 7.2 gets into the way of its own file locks, and it can neither grow nor leave open a VHDX or VHD.
"""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Change:
    """A disk that is to be the parent instead of the child.

    `node` is QEMU's of the child, "" without one; `running` whether the guest ran before it was stopped for that.
    """

    disk: str
    node: str
    child: str
    parent: str
    form: str
    running: bool


async def merge(host: Host, ref: DiskRef, progress: Progress = quiet) -> tuple[Path, str]:
    """Merge a differencing disk into its parent and remove it.

    Returns the parent, which the child's machine then has, and its format.

    Raises BadInput (no-parent, bad-size), Conflict (disk-busy, has-children, is-saved), HostLacks (no-space) and what
    opening the chain raises.
    """
    async with disks.opened(host, ref) as links:
        child, parent = merging.check(links)
        running = diskgrow.user_of(host, child.real)
        if running is not None:
            await _merge_running(host, *running, links, progress)
        else:
            await _merge_off(host, links, progress)
        return parent.real, parent.form.name


async def _merge_off(host: Host, links: list[Link], progress: Progress) -> None:
    child, parent = links[:2]
    what = f"Merging {child.path.name}"
    async with diskuse.working(host, what, links, writes=links[:2], child=child.key) as known:
        owners = [one for one in known if one.links and one.links[0].key == child.key]
        text, key = f"merging into {parent.path.name}", host.disk_key()
        progress(0.0, text)
        with noted(host.paths, child.real):
            try:
                await merging.commit(links, key, lambda done: progress(done, text))
                await finished(_hand_to_parent(host, owners, child, parent))
            except BaseException:
                with contextlib.suppress(KibanError):  # it can be done again all the same
                    await whole(merging.conclude(links, key))
                raise


async def _hand_to_parent(host: Host, owners: list[Chained], child: Link, parent: Link) -> None:
    names = str(child.real), str(parent.real), parent.form.name
    for one in owners:
        handle = host.find(one.machine)
        async with handle.lock:
            _name_parent(handle, _Change(one.disk, "", *names, running=False))
    child.real.unlink()


def _name_parent(handle: Handle, change: _Change) -> None:
    """Make the parent a machine's disk."""
    if _names_parent(handle, change):
        return
    place = Path(change.parent)
    own = place.parent == handle.directory.resolve()
    path, form = place.name if own else str(place), diskuse.FORMATS[change.form]
    old, machine = diskgrow.disk_of(handle, change.disk), handle.machine
    new = replace(old, path=path, format=form, owned=own)
    handle.save(replace(machine, disks=tuple(new if disk == old else disk for disk in machine.disks)))


def _names_parent(handle: Handle, change: _Change) -> bool:
    disk = diskgrow.disk_of(handle, change.disk)
    return handle.directory.resolve() / disk.path == Path(change.parent)


async def _merge_running(host: Host, handle: Handle, disk: Disk, links: list[Link], progress: Progress) -> None:
    child, parent = links[:2]
    if parent.form.name not in _LIVE:
        raise BadInput(
            f"{parent.path} is a {parent.form.name}, with which a running machine cannot go on.",
            f"kiban stop {handle.name}; merging with the machine off works",
            code="stop-first",
        )
    keys = {link.key for link in links}
    with host.claims.taken(f"Merging {disk.id} of {handle.name}", keys - {child.key}, {child.key, parent.key}):
        await _check_parent_free(host, handle, disk, parent)
        try:
            async with handle.lock:
                handle.check("look at")
                await _begin(host, handle, disk, links)
            await _until_ready(handle, disk, progress, f"merging into {parent.path.name}")
            await in_thread(os.fsync, parent.descriptor)  # most of it, while the guest runs
            await finished(_change_over(handle, disk, child, parent))
        except BaseException:
            if not _mark(handle).exists():
                await whole(_give_up(handle, disk))
            raise


async def _check_parent_free(host: Host, handle: Handle, disk: Disk, parent: Link) -> None:
    for one in await in_thread(diskuse.chains, host):
        keys = [link.key for link in one.links]
        if parent.key in keys and (one.machine, one.disk) != (handle.name, disk.id):
            if keys[0] == parent.key:
                raise Conflict(f"{parent.path} is {one.own}.", "kiban disk info", code="disk-busy")
            raise diskuse.has_children(parent.path, one)


async def _begin(host: Host, handle: Handle, disk: Disk, links: list[Link]) -> None:
    top, base = (await diskgrow.nodes(handle, disk))[:2]
    await in_thread(merging.prepare, links, host.disk_key())
    writable = os.open(f"/proc/self/fd/{links[1].descriptor}", os.O_RDWR | os.O_CLOEXEC)
    try:
        await handle.live.add_file(writable, await _fdset(handle, base), job_of(disk))
    finally:
        os.close(writable)
    more = {"device": top, "base-node": base, "auto-dismiss": False, "auto-finalize": True}
    await handle.live.run("block-commit", {"job-id": job_of(disk), **more})


def job_of(disk: Disk) -> str:
    """QEMU's name of the job that merges a disk."""
    return f"merge-{disk.id}"


async def _fdset(handle: Handle, node: str) -> int:
    """Where QEMU has the open files of a node; one for writing is put beside the one for reading."""
    nodes = await handle.live.run("query-named-block-nodes", {"flat": True})
    name = next(str(each["file"]) for each in nodes if each["node-name"] == node)
    return int(name.removeprefix("/dev/fdset/"))


async def _job(handle: Handle, disk: Disk) -> dict[str, Any]:
    jobs = await handle.live.run("query-jobs")
    found: dict[str, Any] = next((job for job in jobs if job["id"] == job_of(disk)), {"status": "null"})
    return found


async def _until_ready(handle: Handle, disk: Disk, progress: Progress, text: str) -> None:
    while (job := await _job(handle, disk))["status"] != "ready":
        if job["status"] in ("concluded", "null", "aborting"):
            raise _failed(handle, disk, job)
        progress(job["current-progress"] / max(job["total-progress"], 1), text)
        await asyncio.sleep(POLL_SECONDS)
    progress(1.0, text)


def _failed(handle: Handle, disk: Disk, job: dict[str, Any]) -> KibanError:
    why = str(job.get("error", "it was stopped"))
    if os.strerror(errno.ENOSPC) in why:
        return HostLacks(
            f"There is no space left where the parent of {disk.id} of {handle.name} is.",
            "Free some; its content is as it was",
            code="no-space",
        )
    return Failed(
        f"Merging {disk.id} of {handle.name} failed: {why}.",
        "Its content is as it was; look at the disk where the parent is: dmesg",
        code="merge-failed",
    )


async def _give_up(handle: Handle, disk: Disk) -> None:
    """End the job; the guest goes on with the child, which covers what its parent has got already."""
    try:
        await _end_job(handle, disk)
        await _close_parent(handle, disk)
    except KibanError:  # QEMU is gone, and the job with it; one that hangs may still be writing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(supervision.END_SECONDS):
                await supervision.until_off(handle)
        if handle.process is not None:
            return
    await _conclude(handle, disk)


async def _end_job(handle: Handle, disk: Disk) -> None:
    while (job := await _job(handle, disk))["status"] not in ("concluded", "null"):
        with contextlib.suppress(Failed):  # it ended just now
            await handle.live.run("block-job-cancel", {"device": job_of(disk), "force": True})
        await asyncio.sleep(POLL_SECONDS)
    if job["status"] == "concluded":
        await handle.live.run("job-dismiss", {"id": job_of(disk)})


async def _close_parent(handle: Handle, disk: Disk) -> None:
    """Have QEMU let go of the parent for writing, which 7.2 does not do by itself, and would until it ends."""
    names = await diskgrow.nodes(handle, disk)
    nodes = {node["node-name"]: node for node in await handle.live.run("query-named-block-nodes", {"flat": True})}
    base = nodes.get(names[1]) if len(names) > 1 else None
    if base is not None and not base["ro"]:
        [file] = [name for name, node in nodes.items() if node["drv"] == "file" and node["file"] == base["file"]]
        below = names[2] if len(names) > 2 else None
        options = devices.read_only(base["node-name"], file, below)
        await handle.live.run("blockdev-reopen", {"options": [options]})
    await handle.live.remove_file(job_of(disk))  # which holds QEMU's locks, in the way of the next attempt


async def _conclude(handle: Handle, disk: Disk) -> None:
    """Let a disk that is not being merged any more accept its parent as it is now, and no later state."""
    path, links, key = handle.directory / disk.path, list[Link](), seal.load_key(handle.disk_key)
    with ExitStack() as stack, contextlib.suppress(KibanError):  # what is wrong with it is told at its next use
        if diskuse.has_parent(path, disk):
            await in_thread(chain.follow, stack, path, image_format(disk.format), key, links, strict=True)
            await whole(merging.conclude(links, key, in_use=handle.process is not None))


async def _change_over(handle: Handle, disk: Disk, child: Link, parent: Link) -> None:
    """Let the guest go on with the parent: it stands still from before the change until the definition says so."""
    async with handle.lock:
        handle.save(handle.machine)  # a full disk is found out while nothing has been changed
        running = await handle.live.status() == "running"
        node = (await diskgrow.nodes(handle, disk))[0]
        change = _Change(disk.id, node, str(child.real), str(parent.real), parent.form.name, running=running)
        replace_file(_mark(handle), json.dumps(asdict(change)).encode())  # a new service knows by it what was done
        await _end_change(handle, disk, change)


async def _end_change(handle: Handle, disk: Disk, change: _Change) -> None:
    """From wherever it stands: to the parent where QEMU can change over, else back to the child."""
    if change.running:
        await handle.live.run("stop")
    job = await _completed(handle, disk)
    merged = _names_parent(handle, change) or (job["status"] == "concluded" and "error" not in job)
    if merged:
        await in_thread(_sync, Path(change.parent))
        _name_parent(handle, change)
    if change.running:
        await handle.live.run("cont")
    if merged:
        await _remove_child(handle, disk, change)
    else:
        await _give_up(handle, disk)
    _mark(handle).unlink(missing_ok=True)
    if not merged:
        raise _failed(handle, disk, job)


async def _completed(handle: Handle, disk: Disk) -> dict[str, Any]:
    """The job when it is over. Until then nobody knows which disk QEMU writes to, so the guest must not run."""
    while (job := await _job(handle, disk))["status"] not in ("concluded", "null"):
        if job["status"] == "ready":
            with contextlib.suppress(Failed):  # it completes already
                await handle.live.run("job-complete", {"id": job_of(disk)})
        await asyncio.sleep(POLL_SECONDS / 10)
    return job


def _sync(path: Path) -> None:
    with open_regular(path) as descriptor:
        os.fsync(descriptor)


async def _remove_child(handle: Handle, disk: Disk, change: _Change) -> None:
    # the job first: QEMU 7.2 crashes when it is asked for its nodes while a job of another kind waits for that
    await _end_job(handle, disk)
    if change.node in await diskgrow.nodes(handle, disk):
        await handle.live.run("blockdev-del", {"node-name": change.node})
    Path(change.child).unlink(missing_ok=True)


async def settle(handle: Handle) -> None:
    """Bring a merge to one of its ends that a service left when it was killed, before anything else is done.

    Raises HostLacks when the definition cannot be written that the guest has to have before it goes on.
    """
    change = _marked(handle)
    for disk in handle.definition.disks if handle.definition else ():
        if change is not None and change.disk == disk.id:
            with contextlib.suppress(Failed):  # that it came to nothing is in the log of the service that was killed
                await _end_change(handle, disk, change)
        elif await in_thread(_is_begun, handle, disk):
            log.warning("merging %s of %s was given up: the service ended in the middle of it", disk.id, handle.name)
            await _give_up(handle, disk)


def _is_begun(handle: Handle, disk: Disk) -> bool:
    path = handle.directory / disk.path
    if not diskuse.has_parent(path, disk):
        return False
    with ExitStack() as stack, contextlib.suppress(KibanError):
        child = chain.open_link(stack, path, image_format(disk.format))
        return merging.is_begun(child, seal.load_key(handle.disk_key))
    return False


def _mark(handle: Handle) -> Path:
    return handle.runtime / "merging.json"


def _marked(handle: Handle) -> _Change | None:
    try:
        return _Change(**json.loads(_mark(handle).read_text()))
    except (OSError, ValueError, TypeError):
        return None
