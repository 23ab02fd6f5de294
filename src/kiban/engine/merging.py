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
import json
import logging
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiban.adapters.disk import chain, merging
from kiban.adapters.disk.chain import Link
from kiban.adapters.files import open_regular
from kiban.engine import diskgrow, disks, diskuse
from kiban.engine.diskuse import Chained
from kiban.engine.handle import Handle
from kiban.engine.progress import Progress, quiet
from kiban.engine.whole import in_thread, whole
from kiban.errors import BadInput, Conflict, Failed, KibanError
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
    """A disk that is to be the parent instead of the child; whether the guest ran before it was stopped for that."""

    disk: str
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
    path, form = disks.find(host, ref)
    links: list[Link] = []
    with ExitStack() as stack:
        await in_thread(chain.follow, stack, path, form, host.disk_key(), links)
        _, parent = merging.check(links)
        running = diskgrow.user_of(host, path)
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
        progress(0.0, f"merging into {parent.path.name}")
        await merging.commit(links, host.disk_key(), lambda done: progress(done, f"merging into {parent.path.name}"))
        await whole(_hand_to_parent(host, owners, child, parent))


async def _hand_to_parent(host: Host, owners: list[Chained], child: Link, parent: Link) -> None:
    for one in owners:
        handle = host.find(one.machine)
        async with handle.lock:
            _name_parent(handle, _Change(one.disk, str(child.real), str(parent.real), parent.form.name, running=False))
    child.real.unlink()


def _name_parent(handle: Handle, change: _Change) -> None:
    """Make the parent a machine's disk."""
    place = Path(change.parent)
    own = place.parent == handle.directory.resolve()
    form = diskuse.FORMATS[change.form]
    machine = handle.machine
    handle.save(
        replace(
            machine,
            disks=tuple(
                replace(disk, path=place.name if own else str(place), format=form, owned=own)
                if disk.id == change.disk
                else disk
                for disk in machine.disks
            ),
        )
    )


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
        async with handle.lock:
            handle.check("look at")
            await _begin(host, handle, disk, links)
        try:
            await _until_ready(handle, disk, progress, f"merging into {parent.path.name}")
            await in_thread(os.fsync, parent.descriptor)  # most of it, while the guest runs
        except BaseException:
            await whole(_give_up(handle, disk))
            raise
        await whole(_change_over(handle, disk, child, parent))


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
        await handle.live.add_file(writable, await _fdset(handle, base))
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
        _check_job(handle, disk, job)
        progress(job["current-progress"] / max(job["total-progress"], 1), text)
        await asyncio.sleep(POLL_SECONDS)
    progress(1.0, text)


def _check_job(handle: Handle, disk: Disk, job: dict[str, Any]) -> None:
    if job["status"] in ("concluded", "null", "aborting"):
        why = str(job.get("error", "it was stopped"))
        raise Failed(
            f"Merging {disk.id} of {handle.name} failed: {why}.",
            "Its content is as it was; look at the space where the parent is",
            code="merge-failed",
        )


async def _give_up(handle: Handle, disk: Disk) -> None:
    """End the job; the guest goes on with the child, which covers what its parent has got already."""
    with contextlib.suppress(KibanError):  # QEMU is gone, and the job with it
        if (await _job(handle, disk))["status"] not in ("concluded", "null"):
            await handle.live.run("block-job-cancel", {"device": job_of(disk), "force": True})
        while (await _job(handle, disk))["status"] not in ("concluded", "null"):
            await asyncio.sleep(POLL_SECONDS)
        await handle.live.run("job-dismiss", {"id": job_of(disk)})


async def _change_over(handle: Handle, disk: Disk, child: Link, parent: Link) -> None:
    """Let the guest go on with the parent: it stands still from before the change until the definition says so."""
    async with handle.lock:
        change = _Change(disk.id, str(child.real), str(parent.real), parent.form.name, running=False)
        change = replace(change, running=await handle.live.status() == "running")
        _mark(handle).write_text(json.dumps(asdict(change)))  # by it a new service knows what was being done
        if change.running:
            await handle.live.run("stop")
        try:
            await handle.live.run("job-complete", {"id": job_of(disk)})
        finally:
            await _end_change(handle, disk, change)


async def _end_change(handle: Handle, disk: Disk, change: _Change) -> None:
    """From wherever it stands: to the parent where QEMU has changed over, else back to the child."""
    job = await _job(handle, disk)
    while job["status"] in ("waiting", "pending", "running", "paused"):
        await asyncio.sleep(POLL_SECONDS / 10)
        job = await _job(handle, disk)
    merged = job["status"] == "concluded" and "error" not in job
    if merged:
        with open_regular(Path(change.parent)) as descriptor:
            await in_thread(os.fsync, descriptor)
        _name_parent(handle, change)
    if change.running:
        await handle.live.run("cont")
    if merged:
        top = (await diskgrow.nodes(handle, disk))[0]
        await handle.live.run("job-dismiss", {"id": job_of(disk)})
        await handle.live.run("blockdev-del", {"node-name": top})
        Path(change.child).unlink(missing_ok=True)
    else:
        await _give_up(handle, disk)
    _mark(handle).unlink(missing_ok=True)
    if not merged and job["status"] != "null":
        _check_job(handle, disk, {**job, "status": "concluded"})


async def settle(handle: Handle) -> None:
    """Bring a merge to one of its ends that a service left when it was killed, before anything else is done."""
    change = _marked(handle)
    for disk in handle.definition.disks if handle.definition else ():
        if change is not None and change.disk == disk.id:
            with contextlib.suppress(Failed):  # that it came to nothing is in the log of the service that was killed
                await _end_change(handle, disk, change)
        elif (await _job(handle, disk))["status"] != "null":
            log.warning("merging %s of %s was given up: the service ended in the middle of it", disk.id, handle.name)
            await _give_up(handle, disk)


def _mark(handle: Handle) -> Path:
    return handle.runtime / "merging.json"


def _marked(handle: Handle) -> _Change | None:
    try:
        return _Change(**json.loads(_mark(handle).read_text()))
    except (OSError, ValueError, TypeError):
        return None
