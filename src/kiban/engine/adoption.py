# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking on the machines that somebody else has started: an earlier service, or another one meanwhile.

A machine runs exactly if its lock is held. What an operation was doing when the service was killed is read from QEMU's
run state and the machine's directory, and brought to one of its two ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from kiban.adapters.qemu import process
from kiban.adapters.qemu.monitor import Monitor
from kiban.engine import bootwatch, cables, lazily, merging, netboot, saving, strays, supervision, tpm
from kiban.engine.handle import PARTIAL, REWIRING, SAVED, Handle
from kiban.errors import Conflict, HostLacks, KibanError

log = logging.getLogger(__name__)
UNWATCHED = "it ended while the service was not running"
SILENT = "Its QEMU does not answer: it hangs, or somebody else has its monitor."
PATIENCE = 2.0
"""Seconds that the start of the service waits for the QEMUs it takes on."""
LOOK_SECONDS = 0.5
STARTING_SECONDS = 90.0


async def adopt(handles: Sequence[Handle]) -> None:
    """Take on every machine that runs; tidy those that do not.

    A QEMU that hangs is waited for beside the service's work: it is the others that people want back.
    """
    running = [h for h in handles if runs(h)]
    found = process.holders([h.directory / "lock" for h in running])
    begun = [_begin(handle, found.get(handle.directory / "lock")) for handle in running]
    if begun:
        await asyncio.wait(begun, timeout=PATIENCE)
    for handle in handles:
        if handle.state in ("off", "saved") and handle not in running:
            await _tidy(handle)
        with contextlib.suppress(OSError):  # there is always the next time
            strays.put_away(handle)


def notice(handle: Handle) -> None:
    """Take on a machine that somebody else has started, or is about to."""
    _begin(handle, None)


def runs(handle: Handle) -> bool:
    """Whether a machine's lock is held."""
    try:
        return process.is_locked(handle.directory / "lock")
    except KibanError as error:
        # one unreadable directory must not keep the service from its other machines
        log.warning("whether %s runs cannot be seen: %s", handle.name, error)
        handle.warnings.append(f"Whether it runs cannot be seen: {error}")
        return False


def _begin(handle: Handle, holder: process.Holder | None) -> asyncio.Task[None]:
    handle.state = "running"
    handle.tell("state", state="running")
    patience = asyncio.get_running_loop().call_later(PATIENCE, _say_silent, handle)

    def done(_: object) -> None:
        patience.cancel()
        handle.warnings = [warning for warning in handle.warnings if warning != SILENT]

    handle.adoption = asyncio.create_task(_adopt(handle, holder))
    handle.adoption.add_done_callback(done)
    return handle.adoption


def _say_silent(handle: Handle) -> None:
    log.warning("%s runs, but its QEMU does not answer", handle.name)
    handle.warnings.append(SILENT)


async def _adopt(handle: Handle, holder: process.Holder | None) -> None:
    try:
        pid = await _pid(handle, holder)
        if pid is None:
            await _not_there(handle)
            return
        ended = supervision.watch(handle, pid)
        monitor = await supervision.connected(handle, ended, None)
        async with handle.lock:
            await _take_on(handle, ended, monitor)
    except (KibanError, OSError) as error:
        if handle.process is None or handle.process.over:
            await _not_there(handle)
            return
        log.warning("%s runs as process %d but cannot be taken on: %s", handle.name, handle.process.pid, error)
        handle.warnings.append(f"It runs as process {handle.process.pid}, but its QEMU cannot be reached: {error}")


async def _pid(handle: Handle, holder: process.Holder | None) -> int | None:
    """The QEMU that holds a machine's lock; None when nobody does any more.

    Whoever starts it has the lock before it. A process that cannot be told from such a starter is taken for QEMU only
    after longer than a start can take.
    """
    lock = handle.directory / "lock"
    limit = asyncio.get_running_loop().time() + STARTING_SECONDS
    while runs(handle):
        holder = holder or (await asyncio.to_thread(process.holders, [lock])).get(lock)
        if holder and (holder.inherited or asyncio.get_running_loop().time() > limit):
            return holder.pid
        holder = None
        await asyncio.sleep(LOOK_SECONDS)
    return None


async def _take_on(handle: Handle, ended: process.Ended, monitor: Monitor) -> None:
    if ended.over:  # it ended while we waited for somebody's operation to be over
        await monitor.close()
        return
    handle.monitor = monitor
    await _settle(handle)
    if handle.alive and handle.definition:
        await cables.settle(handle)
        await netboot.serve(handle)
        lazily.begin(handle, process.account())
        bootwatch.begin(handle, fresh=False)
    if handle.monitor is not None:
        handle.accelerator = await handle.monitor.accelerator()
        handle.tell("adopted", pid=ended.pid)


async def _not_there(handle: Handle) -> None:
    """It ended while we looked."""
    if handle.process is not None:
        await supervision.until_off(handle)
        return
    async with handle.lock:
        handle.enter(supervision.state_on_disk(handle))
        await _tidy(handle)


async def _settle(handle: Handle) -> None:
    monitor, saved = handle.live, handle.directory / SAVED
    status = await monitor.status()
    if status == "inmigrate":
        # the service died while it restored; the file still has everything
        await supervision.end(handle)
        return
    if saved.exists() and status in ("postmigrate", "paused"):
        # saved, or restored but not yet let go: the file is whole and the disks have not been written since
        await supervision.end(handle)
        return
    if (handle.directory / PARTIAL).exists():
        # the service died while it saved; whether the guest ran before is not known, and running is what it is for
        await saving.undo(handle, go_on=True)
        return
    try:
        await merging.settle(handle)
    except HostLacks as error:
        log.warning("%s stands still until its merge can be ended: %s", handle.name, error)
        handle.warnings.append(f"It stands still until its merge can be ended, by resuming it: {error}")
    handle.enter("running" if await monitor.status() == "running" else "paused")


async def _tidy(handle: Handle) -> None:
    if any(left.exists() for left in (handle.directory / PARTIAL, handle.directory / REWIRING, handle.runtime)):
        # it was started, and nobody saw its end
        with contextlib.suppress(Conflict), process.locked(handle.directory / "lock"):
            handle.reason = UNWATCHED
            with contextlib.suppress(KibanError):
                handle.keep_reason(UNWATCHED)
            await tpm.end_left(handle)
            await supervision.clear(handle)
