# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking on the machines that run already when the service starts.

A machine runs exactly if its lock is held. What an operation was doing when the service was killed is read from QEMU's
run state and the machine's directory, and brought to one of its two ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from kiban.adapters.qemu import process
from kiban.engine import netboot, saving, strays, supervision, tpm
from kiban.engine.handle import PARTIAL, SAVED, Handle
from kiban.errors import KibanError

log = logging.getLogger(__name__)
UNWATCHED = "it ended while the service was not running"


async def adopt(handles: Sequence[Handle]) -> None:
    """Take on every machine that runs; tidy those that do not."""
    running = [h for h in handles if _runs(h)]
    pids = process.holders([h.directory / "lock" for h in running])
    async with asyncio.TaskGroup() as group:
        for handle in running:
            group.create_task(_adopt(handle, pids.get(handle.directory / "lock", 0)))
    for handle in handles:
        if handle.state in ("off", "saved") and handle not in running:
            await _tidy(handle)
        with contextlib.suppress(OSError):  # there is always the next time
            strays.put_away(handle)


def _runs(handle: Handle) -> bool:
    try:
        return process.is_locked(handle.directory / "lock")
    except KibanError as error:
        # one unreadable directory must not keep the service from its other machines
        log.warning("whether %s runs cannot be seen: %s", handle.name, error)
        handle.warnings.append(f"Whether it runs cannot be seen: {error}")
        return False


async def _adopt(handle: Handle, pid: int) -> None:
    handle.state = "starting"
    try:
        await supervision.take_on(handle, pid)
        await _settle(handle)
        if handle.alive and handle.definition:
            await netboot.serve(handle)
        if handle.monitor is not None:
            handle.accelerator = await handle.monitor.accelerator()
    except (KibanError, OSError) as error:
        if handle.process is None and not _runs(handle):
            handle.state = supervision.state_on_disk(handle)  # it ended while we looked
            await _tidy(handle)
            return
        log.warning("%s runs as process %d but cannot be taken on: %s", handle.name, pid, error)
        handle.warnings.append(f"It runs as process {pid}, but its QEMU cannot be reached: {error}")
        return
    if handle.monitor is not None:
        handle.tell("adopted", pid=pid)


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
    handle.state = "running" if status == "running" else "paused"


async def _tidy(handle: Handle) -> None:
    if (handle.directory / PARTIAL).exists() or handle.runtime.exists():
        # it was started, and nobody saw its end
        handle.reason = UNWATCHED
        with contextlib.suppress(KibanError):
            handle.keep_reason(UNWATCHED)
        await tpm.end_left(handle)
        await supervision.clear(handle)
