# SPDX-License-Identifier: GPL-2.0-or-later
"""Saving a machine's memory to disk, and restoring it.

    running ─► memory.partial ─► stop ─► set aside ─► write into it ─► fsync, rename to memory.saved ─► quit
    start   ─► QEMU waits ─► read memory.saved ─► remove it ─► go on

The rename is the moment of truth: before it the machine goes on as if nothing had been, after it the machine is saved.
memory.saved never exists while the guest runs, so it can never be older than the disks. memory.partial is there from
before the first step until after the last one of going back: by it `kiban.engine.adoption` knows what a service was
doing that was killed between two of them.

QEMU refuses to migrate, even to a file, while a VHDX or VHD image is open (it could not reopen it elsewhere). The guest
is stopped and the image is not needed for its state, so it is set aside: the disk's node is pointed at an empty one,
and back again should the guest go on after all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from kiban.adapters.files import sync_directory
from kiban.adapters.qemu import devices, process
from kiban.adapters.whole import finished, in_thread, whole
from kiban.engine import lazily, supervision
from kiban.engine.handle import PARTIAL, SAVED, Handle
from kiban.engine.progress import Progress, quiet
from kiban.errors import Conflict, Failed, HostLacks, KibanError

POLL_SECONDS = 0.05
UNLIMITED = 1 << 40  # bytes per second; QEMU's default of 128 MiB/s is for networks


async def save(handle: Handle, progress: Progress = quiet) -> None:
    """Write the memory to disk and end QEMU; on any failure the machine goes on as it was."""
    async with handle.lock:
        handle.check("save")
        lazily.check_copied(handle, "saved")
        was = handle.state
        _check_space(handle)
        await check_movable(handle)
        await _check_parents(handle)
        await _check_no_jobs(handle)
        with _opened(handle.directory / PARTIAL, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as descriptor:
            try:
                await handle.live.run("stop")
                handle.state = "paused"
                await _set_aside(handle)
                await _write(handle, descriptor, progress)
                _keep(handle)
            except BaseException:
                if handle.monitor is not None:
                    await whole(undo(handle, go_on=was == "running"))
                raise
        with contextlib.suppress(OSError):  # the memory is on the disk; a power cut now may only lose its new name
            sync_directory(handle.directory)
        # a guest that was saved must not be resumed any more, whoever loses patience now
        await finished(supervision.end(handle))


async def check_movable(handle: Handle) -> None:
    """Conflict when QEMU has a device whose state it cannot keep, as 7.2 has with NVMe."""
    reasons = (await handle.live.run("query-migrate")).get("blocked-reasons", [])
    stuck = [reason.rpartition("/")[2] for reason in reasons if reason.startswith("non-migratable device")]
    if stuck:
        disks = [disk.id for disk in handle.machine.disks if disk.bus in stuck]
        what = f"its NVMe disks ({', '.join(disks)})" if disks else ", ".join(stuck)
        raise Conflict(
            f"{handle.name} cannot be saved: this QEMU cannot keep the state of {what}.",
            f"Shut it down instead: kiban stop {handle.name}",
        )


async def _check_parents(handle: Handle) -> None:
    """Conflict when a disk is made on a VHDX or VHD: QEMU has it open for as long as the disk."""
    kept = {devices.DRIVERS[form]: form for form in devices.KEPT_BEHIND}
    nodes = await handle.live.run("query-named-block-nodes", {"flat": True})
    forms = {node["node-name"]: kept[node["drv"]] for node in nodes if node["drv"] in kept}
    for disk in handle.machine.disks:
        for parent in devices.parent_names(disk):
            if parent in forms:
                raise Conflict(
                    f"{handle.name} cannot be saved: {disk.id} is made on a {forms[parent]}, which QEMU cannot let go.",
                    f"Shut it down instead: kiban stop {handle.name}; a qcow2 as parent can be saved with",
                    code="parent-stays-open",
                )


async def _check_no_jobs(handle: Handle) -> None:
    if await handle.live.run("query-block-jobs"):
        raise Conflict(
            f"{handle.name} cannot be saved while one of its disks is being merged.", "See kiban jobs", code="disk-busy"
        )


def _check_space(handle: Handle) -> None:
    """HostLacks when the memory will not fit: told before the guest is stopped for it.

    What a guest has never touched is not resident, and takes QEMU no space in the file. Should it take more after all,
    because of what is swapped out, the disk is full in the middle, and the machine goes on as it was.
    """
    stat, needed = os.statvfs(handle.directory), handle.machine.memory
    if handle.process is not None:
        with contextlib.suppress(psutil.Error):  # it ended just now
            needed = min(needed, psutil.Process(handle.process.pid).memory_info().rss)
    if stat.f_bavail * stat.f_frsize < needed:
        raise HostLacks(
            f"There is not enough space in {handle.directory} for the memory of {handle.name}.",
            "Make room, or shut the machine down instead: kiban stop " + handle.name,
            code="no-space",
        )


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostLacks(f"{path} cannot be opened: {error.strerror}.", f"Look at it: ls -l {path}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _write(handle: Handle, descriptor: int, progress: Progress) -> None:
    monitor = handle.live
    await monitor.run("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
    await monitor.send_file(descriptor, "memory")
    await monitor.run("migrate", {"uri": "fd:memory"})
    await _until_moved(handle, progress, "saving memory")
    await in_thread(_sync, descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise HostLacks(f"The memory cannot be written: {error.strerror}.", "Look at the disk: dmesg") from error


async def _until_moved(handle: Handle, progress: Progress, text: str) -> None:
    while True:
        answer: dict[str, Any] = await handle.live.run("query-migrate")
        status = answer.get("status", "none")
        if status == "completed":
            progress(1.0, text)
            return
        if status in ("failed", "cancelled"):
            words = answer.get("error-desc") or process.last_words(handle.directory / "qemu.log") or "no reason given"
            raise Failed(f"{text.capitalize()} of {handle.name} failed: {words}.")
        if ram := answer.get("ram"):
            progress(1 - ram["remaining"] / max(ram["total"], 1), text)
        await asyncio.sleep(POLL_SECONDS)


async def _set_aside(handle: Handle) -> None:
    for disk in handle.machine.disks:
        if disk.format in devices.KEPT_BEHIND:
            size = await _size(handle, devices.node(disk))
            await handle.live.run("blockdev-add", devices.empty_node(disk, size))
            await handle.live.run("blockdev-reopen", {"options": [devices.pointed_at(disk, devices.empty(disk))]})
            await handle.live.run("blockdev-del", {"node-name": devices.image(disk)})


async def _size(handle: Handle, node: str) -> int:
    nodes = await handle.live.run("query-named-block-nodes", {"flat": True})
    return next(int(n["image"]["virtual-size"]) for n in nodes if n["node-name"] == node)


def _keep(handle: Handle) -> None:
    try:
        (handle.directory / PARTIAL).replace(handle.directory / SAVED)
    except OSError as error:  # its QEMU may have ended, and taken it along, while it was brought to the disk
        raise Failed(f"The memory of {handle.name} could not be kept: {error.strerror}.") from error


async def undo(handle: Handle, *, go_on: bool) -> None:
    """Bring back a machine that was not saved after all: its disks, and its processors if it was running."""
    monitor = handle.live
    if await monitor.status() not in ("running", "paused"):
        await _let_go(handle)
    there = {n["node-name"] for n in await monitor.run("query-named-block-nodes", {"flat": True})}
    for disk in handle.machine.disks:
        if disk.format in devices.KEPT_BEHIND and devices.empty(disk) in there:
            if devices.image(disk) not in there:
                with _opened(handle.directory / disk.path, os.O_RDWR) as descriptor:
                    await monitor.run("blockdev-add", devices.image_node(disk, await monitor.add_file(descriptor)))
            await monitor.run("blockdev-reopen", {"options": [devices.pointed_at(disk, devices.image(disk))]})
            await monitor.run("blockdev-del", {"node-name": devices.empty(disk)})
    if go_on:
        await monitor.run("cont")
    (handle.directory / PARTIAL).unlink(missing_ok=True)
    handle.enter("running" if go_on else "paused")


async def _let_go(handle: Handle) -> None:
    try:
        await handle.live.run("migrate_cancel")
    except KibanError:
        return  # it was over already
    while (await handle.live.run("query-migrate")).get("status") in ("active", "setup", "cancelling", "device"):
        await asyncio.sleep(POLL_SECONDS)


async def restore(handle: Handle, progress: Progress = quiet) -> None:
    """Read the memory back into a QEMU that waits for it, and let the guest go on."""
    monitor = handle.live
    with _opened(handle.directory / SAVED, os.O_RDONLY) as descriptor:
        await monitor.send_file(descriptor, "memory")
        await monitor.run("migrate-incoming", {"uri": "fd:memory"})
        await _until_moved(handle, progress, "restoring memory")
    # from here on the guest may write to its disks, so its memory must not be found again
    (handle.directory / SAVED).unlink()
    sync_directory(handle.directory)
    await monitor.run("cont")


async def discard(handle: Handle) -> None:
    """Give the saved memory up, as pulling the plug would."""
    async with handle.lock:
        handle.check("discard")
        (handle.directory / SAVED).unlink(missing_ok=True)
        handle.enter("off")
        handle.keep_reason("its saved memory was given up")
