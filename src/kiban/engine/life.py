# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a machine: start, shut down, turn off, restart, reset, pause, resume."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from kiban.adapters.firmware import descriptors
from kiban.adapters.whole import whole
from kiban.engine import adoption, bootcheck, bootwatch, merging, nvram, saving, supervision
from kiban.engine.handle import Handle
from kiban.engine.launch import launch, wait_gone
from kiban.engine.progress import Progress, quiet
from kiban.errors import HostLacks, KibanError, TimedOut

if TYPE_CHECKING:
    from kiban.engine.host import Host  # a host loads its machines and starts some of them: the other way round


async def start(host: Host, handle: Handle, progress: Progress = quiet) -> None:
    """Start a machine, or restore a saved one. Returns when QEMU runs; the guest's boot goes on."""
    async with handle.lock:
        handle.check("start")
        before, handle.warnings = handle.state, []
        handle.enter("starting")
        check = None
        try:
            if before == "off":
                _settle_order(handle)
                check = bootcheck.begin(handle)  # gets its turn when the launch first waits, so QEMU runs by then
            await launch(host, handle, incoming=before == "saved")
            if before == "saved":
                await saving.restore(handle, progress)
        except BaseException as error:
            await whole(supervision.end(handle))
            _not_started(handle, error)
            bootcheck.cancel(check)
            raise
        handle.enter("running")
        bootwatch.begin(handle, fresh=before == "off")
        with contextlib.suppress(asyncio.CancelledError):  # it runs: who gives up now gives up a look at its firmware
            await _compare_firmware(handle)
    with contextlib.suppress(asyncio.CancelledError):  # the same
        await bootcheck.wait(check)


async def _compare_firmware(handle: Handle) -> None:
    # after the start: reading the build takes longer than all of Kiban's own part in it
    board = handle.machine.board
    if board.firmware_code:
        with contextlib.suppress(HostLacks):  # gone only now; QEMU has it in memory
            warning = await asyncio.to_thread(
                descriptors.check_build, Path(board.firmware_code), board.firmware_code_sha256
            )
            handle.warnings += [warning] if warning else []


def _settle_order(handle: Handle) -> None:
    machine = handle.machine
    if machine.uefi and machine.uefi.order_is_due:
        handle.save(nvram.follow(handle.directory, machine, alive=False))


def _not_started(handle: Handle, error: BaseException) -> None:
    if adoption.runs(handle):
        adoption.notice(handle)  # somebody else was faster
        return
    # not the state before: a restore that failed late has given its saved memory up already
    state = supervision.state_on_disk(handle)
    if isinstance(error, KibanError) and state == "off":
        with contextlib.suppress(KibanError):  # a full disk may be why it did not start
            handle.keep_reason(f"it did not start: {error.message}")
    handle.enter(state)


async def shut_down(handle: Handle, timeout: float, progress: Progress = quiet) -> None:
    """Press the power button and wait up to `timeout` seconds for the guest to turn itself off.

    TimedOut leaves the machine running: a guest that is asked, and takes its time, is not to lose its data.
    """
    async with handle.lock:
        handle.check("shut down")
        await handle.live.run("system_powerdown")
        handle.enter("stopping")
    progress(0.0, "waiting for the guest to shut down")
    try:
        gone = await wait_gone(handle, timeout)
    except asyncio.CancelledError:
        _still_running(handle)
        raise
    if not gone:
        _still_running(handle)
        raise TimedOut(
            f"{handle.name} did not shut down within {timeout:.0f} s.",
            f"Its guest may not listen to the power button. Turn it off: kiban stop --force {handle.name}",
        )


def _still_running(handle: Handle) -> None:
    if handle.state == "stopping":
        handle.enter("running")


async def turn_off(handle: Handle) -> None:
    """Cut the power."""
    handle.check("turn off")
    # not under the lock: somebody who waits for a guest, or a start that hangs, must not keep this from working
    await supervision.end(handle)


async def restart(host: Host, handle: Handle, timeout: float, progress: Progress = quiet) -> None:
    """Shut down and start again, so that changes which wait for the next start take hold."""
    await shut_down(handle, timeout, progress)
    await start(host, handle, progress)


async def reset(handle: Handle) -> None:
    """Press the reset button."""
    async with handle.lock:
        handle.check("reset")
        await handle.live.run("system_reset")
        if handle.state == "paused":
            await _go_on(handle)


async def pause(handle: Handle) -> None:
    """Stop the processors; memory stays where it is."""
    async with handle.lock:
        handle.check("pause")
        await handle.live.run("stop")
        handle.enter("paused")


async def resume(handle: Handle) -> None:
    """Let the processors go on."""
    async with handle.lock:
        handle.check("resume")
        await _go_on(handle)


async def _go_on(handle: Handle) -> None:
    await merging.settle(handle)  # one that a full disk holds up must be over before the guest writes
    await handle.live.run("cont")
    handle.enter("running")
