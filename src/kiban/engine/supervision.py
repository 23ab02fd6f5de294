# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's QEMU from its first to its last moment: taken on after a start or a crash of the service, and seen off.

Started and adopted machines go through the same two functions, so a service that was killed comes back to machines that
are no different from those it started itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import subprocess
from datetime import UTC, datetime

import psutil

from kiban.adapters.qemu import process
from kiban.adapters.qemu.monitor import Monitor
from kiban.engine.handle import PARTIAL, SAVED, Handle
from kiban.engine.whole import whole
from kiban.errors import Failed, KibanError
from kiban.model.states import State

KILL_SECONDS = 10.0
LAST_WORDS_SECONDS = 5.0

REASONS = {
    "guest-shutdown": "the guest shut down",
    "guest-reset": "the guest reset",
    "guest-panic": "the guest panicked",
    "host-qmp-quit": "turned off",
    "host-signal": "ended by a signal from the host",
    "host-error": "stopped by an error of the host",
    "subsystem-reset": "stopped by a reset of a part",
}
"""Words for the ShutdownCause that QEMU gives in its SHUTDOWN event (QAPI run-state.json)."""


async def take_on(handle: Handle, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
    """Connect to the QEMU `pid` of a machine and watch it until it ends.

    Raises Failed with QEMU's last words when it ends before it answers. A child that is not taken on is ended; an
    adopted QEMU is somebody's running guest, so it goes on, watched, and can still be turned off.
    """
    handle.process, handle.last_shutdown = process.Ended(pid, child), ""
    handle.started = _started(pid)
    try:
        handle.monitor = await _connected(handle, handle.process)
    except BaseException:
        if child is not None:
            await whole(_end(handle.process))
            handle.process, handle.started = None, ""
            raise
        handle.supervision = asyncio.create_task(_see_off(handle, handle.process))
        raise
    handle.supervision = asyncio.create_task(_see_off(handle, handle.process))


async def _connected(handle: Handle, ended: process.Ended) -> Monitor:
    connecting = asyncio.create_task(Monitor.connect(handle.runtime / "qmp.sock", handle.on_event))
    ending = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait({connecting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done() and not connecting.exception():
            return connecting.result()
        if not ended.over:
            # it hung up, so it is about to end, and then it has said why
            await asyncio.wait({ending}, timeout=LAST_WORDS_SECONDS)
        if ended.over:
            raise Failed(f"QEMU did not start {handle.name}: {_words(handle, ended)}", "See also: kiban doctor")
        raise Failed(
            f"QEMU of {handle.name} cannot be talked to: {connecting.exception()}",
            f"Turn it off: kiban stop --force {handle.name}",
        )
    finally:
        connecting.cancel()
        ending.cancel()


def _started(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC).isoformat(timespec="seconds")
    return ""  # it has ended meanwhile


async def _see_off(handle: Handle, ended: process.Ended) -> None:
    await ended.wait()
    if handle.monitor is not None:
        await handle.monitor.drained()  # what QEMU said last, and with it the reason, may still be on its way
        await handle.monitor.close()
    reason = _reason(handle, ended)
    handle.process = handle.monitor = None
    handle.started = handle.accelerator = ""
    await clear(handle)
    with contextlib.suppress(KibanError):  # a full disk must not keep the machine from being off
        handle.keep_reason(reason)
    handle.enter(state_on_disk(handle), reason=reason)


async def clear(handle: Handle) -> None:
    """Remove what stood around a machine whose QEMU has ended: its servers, its sockets, memory it did not finish."""
    (handle.directory / PARTIAL).unlink(missing_ok=True)
    for closer in handle.closers:
        await closer.close()
    handle.closers.clear()
    shutil.rmtree(handle.runtime, ignore_errors=True)


def state_on_disk(handle: Handle) -> State:
    """The state of a machine without a QEMU."""
    return "saved" if (handle.directory / SAVED).exists() else "off"


def _reason(handle: Handle, ended: process.Ended) -> str:
    if (handle.directory / SAVED).exists():
        return "saved"
    if handle.last_shutdown:
        return REASONS.get(handle.last_shutdown, handle.last_shutdown)
    return _words(handle, ended)


def _words(handle: Handle, ended: process.Ended) -> str:
    if ended.status is not None and ended.status < 0:
        return f"QEMU was ended by {signal.Signals(-ended.status).name}"
    words = process.last_words(handle.directory / "qemu.log")
    return f"QEMU failed: {words}" if words else "QEMU ended without a word"


async def _end(ended: process.Ended) -> None:
    """End a QEMU for certain: ask, then kill."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        ended.signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                return await ended.wait()
    raise Failed(f"QEMU {ended.pid} does not end, not even by SIGKILL.", "The kernel holds it: look at dmesg.")


async def end(handle: Handle) -> None:
    """End a machine's QEMU at once and wait until the machine is off."""
    supervision = handle.supervision
    if handle.monitor is not None:
        with contextlib.suppress(KibanError, TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await handle.monitor.run("quit")
                await until_off(handle)
    if handle.process is not None:
        await _end(handle.process)
    if supervision is not None:
        await asyncio.shield(supervision)  # a caller who gives up does not take the watch with him


async def until_off(handle: Handle) -> None:
    """Wait for the end of a machine's QEMU, however long it takes."""
    if handle.supervision is not None:
        await asyncio.shield(handle.supervision)


async def leave(handle: Handle) -> None:
    """Let go of a machine whose QEMU goes on: the service is ending."""
    if handle.supervision is not None:
        handle.supervision.cancel()
    if handle.monitor is not None:
        await handle.monitor.close()
    if handle.process is not None:
        handle.process.close()
