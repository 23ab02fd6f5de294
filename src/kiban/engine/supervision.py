# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's QEMU from its first to its last moment: taken on after a start or a crash of the service, and seen off.

Started and adopted machines are watched and seen off by the same functions, so a service that was killed comes back to
machines that are no different from those it started itself.
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
from kiban.adapters.qemu.monitor import CONNECT_SECONDS, Monitor
from kiban.adapters.whole import whole
from kiban.engine.handle import PARTIAL, REWIRING, SAVED, Handle
from kiban.errors import Failed, KibanError
from kiban.model.states import State

ASK_SECONDS = 5.0  # for an answer, which takes a while on a busy host; a QEMU that hangs gives none
END_SECONDS = 10.0
LAST_WORDS_SECONDS = 5.0

REASONS = {
    "guest-shutdown": "the guest shut down",
    "guest-reset": "the guest reset",
    "guest-panic": "the guest panicked",
    "host-qmp-quit": "turned off",
    "host-signal": "ended by a signal from the host",
    "host-error": "stopped by an error of the host",
    "subsystem-reset": "stopped by a reset of a part",
    "killed": "turned off; its QEMU did not answer and was killed",
}
"""Words for the ShutdownCause that QEMU gives in its SHUTDOWN event (QAPI run-state.json), and for one of our own."""


async def take_on(handle: Handle, child: subprocess.Popen[bytes]) -> None:
    """Connect to the QEMU that was just started for a machine and watch it until it ends.

    Raises Failed with QEMU's last words when it ends before it answers. A child that is not taken on is ended.
    """
    ended = _begin(handle, process.Ended(child.pid, child))
    try:
        handle.monitor = await connected(handle, ended)
    except BaseException:
        await whole(_end(ended))
        handle.process, handle.started = None, ""
        raise
    _watch(handle, ended)


def watch(handle: Handle, pid: int) -> process.Ended:
    """Watch the QEMU `pid`, which runs already, until it ends; talking to it is another matter: `connected`."""
    ended = _begin(handle, process.Ended(pid))
    _watch(handle, ended)
    return ended


def _begin(handle: Handle, ended: process.Ended) -> process.Ended:
    handle.process, handle.last_shutdown = ended, ""
    handle.started = _started(ended.pid)
    return ended


def _watch(handle: Handle, ended: process.Ended) -> None:
    handle.supervision = asyncio.create_task(_see_off(handle, ended))


async def connected(handle: Handle, ended: process.Ended, limit: float | None = CONNECT_SECONDS) -> Monitor:
    """A connection to a machine's QEMU; Failed when that ends or cannot be talked to, within `limit` seconds."""
    place = handle.runtime / "qmp.sock"
    connecting = asyncio.create_task(Monitor.connect(place, handle.on_event, limit))
    connecting.add_done_callback(_look_at)  # whoever gave it up
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
        ending.cancel()
        if ended.over:
            # it is about to notice that, and who breaks that off has the library complain in the log
            await asyncio.wait({connecting}, timeout=LAST_WORDS_SECONDS)
        connecting.cancel()


def _look_at(connecting: asyncio.Task[Monitor]) -> None:
    if not connecting.cancelled():
        connecting.exception()


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
    handle.warnings = []  # they were about this run
    await clear(handle)
    with contextlib.suppress(KibanError):  # a full disk must not keep the machine from being off
        handle.keep_reason(reason)
    handle.enter(state_on_disk(handle), reason=reason)


async def clear(handle: Handle) -> None:
    """Remove what stood around a machine whose QEMU has ended: its servers, its sockets, what was not finished."""
    for left in (PARTIAL, REWIRING):
        (handle.directory / left).unlink(missing_ok=True)
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
        words = REASONS.get(handle.last_shutdown, handle.last_shutdown)
        # shim turns the machine off when it may not run itself (SBAT)
        refused = handle.last_shutdown == "guest-shutdown" and handle.boot.state == "refused"
        return f"{words}: {handle.boot.sentence}" if refused else words
    return _words(handle, ended)


def _words(handle: Handle, ended: process.Ended) -> str:
    if ended.status is not None and ended.status < 0:
        return f"QEMU was ended by {signal.Signals(-ended.status).name}"
    words = process.last_words(handle.directory / "qemu.log")
    return f"QEMU failed: {words}" if words else "QEMU ended without a word"


async def end(handle: Handle) -> None:
    """End a machine's QEMU at once and wait until the machine is off."""
    supervision, ended = handle.supervision, handle.process
    if ended is not None and not await _ended(ended, handle.monitor):
        handle.last_shutdown = handle.last_shutdown or "killed"
        await _kill(ended)
    if supervision is not None:
        await asyncio.shield(supervision)  # a caller who gives up does not take the watch with him


async def _ended(ended: process.Ended, monitor: Monitor | None = None) -> bool:
    """Ask a QEMU to end; whether it did. One that heard it may take its time to write what it has to write."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            if monitor is None:
                ended.signal(signal.SIGTERM)
                await ended.wait()
            else:
                with contextlib.suppress(Failed):  # it hung up instead of an answer
                    await monitor.run("quit")
        async with asyncio.timeout(END_SECONDS):
            await ended.wait()
    except TimeoutError:
        return False
    return True


async def _kill(ended: process.Ended) -> None:
    ended.signal(signal.SIGKILL)
    try:
        async with asyncio.timeout(END_SECONDS):
            await ended.wait()
    except TimeoutError:
        raise Failed(
            f"QEMU {ended.pid} does not end, not even by SIGKILL.", "The kernel holds it: look at dmesg."
        ) from None


async def _end(ended: process.Ended) -> None:
    if not await _ended(ended):
        await _kill(ended)


async def until_off(handle: Handle) -> None:
    """Wait for the end of a machine's QEMU, however long it takes."""
    if handle.supervision is not None:
        await asyncio.shield(handle.supervision)


async def leave(handle: Handle) -> None:
    """Let go of a machine whose QEMU goes on: the service is ending."""
    if handle.adoption is not None:
        handle.adoption.cancel()
        await asyncio.wait({handle.adoption})
    if handle.supervision is not None:
        handle.supervision.cancel()
    if handle.monitor is not None:
        await handle.monitor.close()
    if handle.process is not None:
        handle.process.close()
