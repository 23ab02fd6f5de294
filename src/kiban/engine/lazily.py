# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that run before their disks have been copied: `kiban import --lazy`.

Such a disk is a qcow2 over an NBD export of its source (`kiban.adapters.chains`). The guest writes into the qcow2; QEMU
copies the rest into it meanwhile (block-stream). What is true at any moment stands in three places, written in this
order: the qcow2's header, which QEMU makes whole; QEMU's list of nodes; vm.json, whose `rest` goes last. So whoever is
killed in between, the next start or service sees what is left to be done.

    start ─► servers ─► QEMU with qcow2 over NBD ─► block-stream ─► node removed ─► `rest` removed
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kiban.adapters import unixsocket
from kiban.adapters.chains import runner
from kiban.adapters.chains.handshake import EXPORT
from kiban.adapters.disk import taking
from kiban.adapters.qemu import devices
from kiban.adapters.qemu.process import Account
from kiban.adapters.whole import in_thread, whole
from kiban.engine.handle import Handle
from kiban.engine.progress import Progress, telling
from kiban.errors import Conflict, Failed, KibanError
from kiban.model.machine import Disk, Machine, Rest

COMMAND = "disks.copy"
"""Name of the job that copies."""
LOOK_SECONDS = 2.0
"""Seconds between looks at whether the servers still are there."""
POLL_SECONDS = 0.5
STOP_SECONDS = 2.0
log = logging.getLogger(__name__)


def waiting(machine: Machine) -> list[tuple[Disk, Rest]]:
    """The disks whose rest is elsewhere, with it."""
    return [(disk, disk.rest) for disk in machine.disks if disk.rest is not None]


def check_copied(handle: Handle, what: str) -> None:
    """Conflict when something is wanted that has to wait until all disks are copied."""
    if disks := waiting(handle.machine):
        names = ", ".join(disk.id for disk, _ in disks)
        raise Conflict(
            f"{handle.name} cannot be {what} yet: {names} of it is still being copied.",
            f"It is copied while the machine runs: {'kiban jobs' if handle.alive else f'kiban start {handle.name}'}",
            code="still-copying",
        )


def mark(path: Path, identity: str) -> str:
    """What tells that a disk's first file is as it was: its id, its size and the time it was last changed."""
    facts = path.stat()
    return f"{identity}:{facts.st_size}:{facts.st_mtime_ns}"


async def serve(handle: Handle, owner: Account) -> dict[str, devices.Source]:
    """Start the servers that a machine needs to be started, by the ids of their disks.

    Raises Conflict, NotFound and others of `runner.serve`, in one sentence: without its source such a disk is a part.
    """
    for disk, _ in waiting(handle.machine):
        if await asyncio.to_thread(taking.is_whole, handle.directory / disk.path):
            handle.save(_without_rest(handle.machine, disk.id))  # the service was killed before it could say so
    for disk, rest in waiting(handle.machine):
        await in_thread(_serve, handle, disk, rest, owner)
    return {disk.id: devices.Source(str(_place(handle, disk)), EXPORT) for disk, _ in waiting(handle.machine)}


def _place(handle: Handle, disk: Disk) -> Path:
    return handle.runtime / f"{disk.id}.nbd"


def _serve(handle: Handle, disk: Disk, rest: Rest, owner: Account) -> None:
    """Have the source served; Conflict when it is not what it was when the machine was imported."""
    place, path = _place(handle, disk), Path(rest.path)
    if unixsocket.answers(place):
        return
    try:
        folders = [Path(folder) for folder in rest.folders]
        served = runner.serve(path, rest.format, place, folders, client=(owner.uid, owner.gid))
        if mark(path, served.chain.links[0].id) != rest.mark:
            served.end()
            raise Conflict(f"{path} was changed since.", code="source-changed")
    except (KibanError, OSError) as error:
        reason = error.reason if isinstance(error, KibanError) else "no-source"
        raise Conflict(
            f"{disk.id} of {handle.name} has not been copied wholly, and its source cannot be read: {error}",
            f"Bring {path.parent} back as it was when it was imported, then: kiban start {handle.name}",
            code=reason,
        ) from None


def begin(handle: Handle, owner: Account) -> None:
    """Go on with copying the disks of a machine that runs, and see to its servers until that is done."""
    if waiting(handle.machine):
        handle.closers.append(_Copying(handle, owner))


class _Copying:
    """What goes on beside a machine until its disks are copied, or its QEMU ends."""

    def __init__(self, handle: Handle, owner: Account) -> None:
        self._handle = handle
        self._owner = owner
        self._watch = asyncio.create_task(self._keep_served())
        self._job = ""
        self._copies: asyncio.Task[None] | None = None
        if handle.jobs is not None:
            with contextlib.suppress(Conflict):  # the service is stopping
                self._job = handle.jobs.run(COMMAND, handle.name, partial(copy, handle)).id
        else:  # without jobs, as where one machine is all there is, the copying is nobody's business but its own
            self._copies = asyncio.create_task(copy(handle, lambda fraction, text: None))

    async def close(self) -> None:
        """Stop; the copying goes on at the machine's next start."""
        for task in (self._watch, self._copies):
            if task is not None:
                task.cancel()
        if self._job and self._handle.jobs is not None:
            with contextlib.suppress(Conflict):  # it is over
                self._handle.jobs.cancel(self._job)

    async def _keep_served(self) -> None:
        """A server that dies is replaced; meanwhile QEMU lets the guest wait."""
        handle, said = self._handle, ""
        while disks := waiting(handle.machine):
            for disk, rest in disks:
                try:
                    await in_thread(_serve, handle, disk, rest, self._owner)
                except KibanError as error:
                    if error.message != said:
                        said = error.message
                        handle.warnings.append(said)
                        handle.tell("trouble", what="source-lost", message=said, hint=error.hint)
                        log.warning("%s", said)
            await asyncio.sleep(LOOK_SECONDS)


async def copy(handle: Handle, progress: Progress) -> None:
    """Copy what is left, disk by disk, while the machine runs. Raises Failed when a source cannot be read any more."""
    disks = waiting(handle.machine)
    total, done = sum(rest.size for _, rest in disks) or 1, 0
    for disk, rest in disks:
        await _stream(handle, disk, telling(progress, f"copying {disk.id}", done / total, rest.size / total))
        done += rest.size


async def _stream(handle: Handle, disk: Disk, tell: Callable[[float], None]) -> None:
    # the job goes by itself when it ends: QEMU 7.2 crashes when it is asked for its nodes while one waits for that
    job, image = devices.copy_job(disk), handle.directory / disk.path
    if not await asyncio.to_thread(taking.is_whole, image):
        if await _status(handle, job) is None:
            await handle.live.run("block-stream", {"job-id": job, "device": devices.node(disk)})
        try:
            while (status := await _status(handle, job)) is not None:
                tell(status["current-progress"] / max(status["total-progress"], 1))
                await asyncio.sleep(POLL_SECONDS)
        except asyncio.CancelledError:
            await whole(_stop(handle, job))
            raise
        if not await asyncio.to_thread(taking.is_whole, image):
            raise Failed(
                f"{disk.id} of {handle.name} could not be copied: QEMU could not read its source, or write the copy.",
                "See why: kiban info. It is tried again at the next start.",
                code="copy-failed",
            )
    await _let_go(handle, disk)


async def _stop(handle: Handle, job: str) -> None:
    """Who cancels the job wants QEMU to copy no more. What was copied stays; a QEMU that has ended copies nothing."""
    with contextlib.suppress(KibanError, TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await handle.live.run("block-job-cancel", {"device": job, "force": True})


async def _status(handle: Handle, job: str) -> dict[str, Any] | None:
    jobs: list[dict[str, Any]] = await handle.live.run("query-jobs")
    return next((found for found in jobs if found["id"] == job), None)


async def _let_go(handle: Handle, disk: Disk) -> None:
    """The disk has everything: its source is not needed any more, and its server ends by itself."""
    async with handle.lock:
        nodes = await handle.live.run("query-named-block-nodes", {"flat": True})
        if any(found["node-name"] == devices.rest(disk) for found in nodes):
            await handle.live.run("blockdev-del", {"node-name": devices.rest(disk)})
        handle.save(_without_rest(handle.machine, disk.id))
    handle.tell("copied", device=disk.id)


def _without_rest(machine: Machine, device_id: str) -> Machine:
    disks = tuple(replace(disk, rest=None) if disk.id == device_id else disk for disk in machine.disks)
    return replace(machine, disks=disks)
