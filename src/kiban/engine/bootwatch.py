# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at the screen of a generation 2 machine that boots, until it is known whether it got past its firmware.

With no COM port the firmware's words are on the display alone, and the guest notices nothing of a look. There is one
look at a time in the whole service, and after each a pause of three times its length, so a hundred machines that boot
together are looked at less often instead of slowing the host. Nobody looks for ever: a watch ends when an operating
system has the screen, or after LIMIT seconds, and begins again with a reset or a key that is pressed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import zlib
from dataclasses import replace
from weakref import WeakKeyDictionary

from kiban.adapters.screen import text
from kiban.adapters.screen.words import Words, understand
from kiban.engine import bootcheck, drives, nvram, screen
from kiban.engine.bootrule import Rule
from kiban.engine.handle import Handle
from kiban.errors import KibanError
from kiban.model.outcome import Boot

LIMIT = 600.0
"""Seconds of a fresh boot; PXE, which tries one protocol after the other, may take most of them to give up."""
LATE = 30.0
"""Seconds for a machine that ran before it was watched, and after a key."""
QUICK, SLOW, QUICK_SECONDS = 1.0, 3.0, 30.0
"""Seconds between two looks at first, and later."""
SHARE = 3
"""Pauses are so many times as long as the look before them, over all machines."""
STALE = 30.0
"""Seconds after a reset until which an unchanged screen is the old one: nobody clears it before the firmware does."""
STUCK = 1.0
"""Seconds after which a QEMU that does not show its screen holds up the others no longer."""
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_log = logging.getLogger(__name__)


def begin(handle: Handle, *, fresh: bool) -> None:
    """Watch a machine until its QEMU ends. `fresh` is a boot from its beginning, not a guest that ran before."""
    if handle.monitor is not None and handle.definition is not None and handle.definition.uefi is not None:
        handle.closers.append(_Watch(handle, fresh=fresh))


class _Watch:
    def __init__(self, handle: Handle, *, fresh: bool) -> None:
        self._handle = handle
        self._rule = Rule(fresh=fresh)
        self._began = time.monotonic()
        self._limit = LIMIT if fresh else LATE
        self._base = 0  # bytes read before the boot began
        self._resets = handle.resets
        self._last = self._stale = Words("dark")
        _tell(handle, Boot(state=self._rule.state))
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the watch: QEMU has ended."""
        self._task.cancel()
        self._handle.boot = Boot()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    async def _run(self) -> None:
        try:
            while True:
                if self._handle.state in ("running", "stopping"):
                    await self._look()
                await self._pause()
        except KibanError as error:  # mostly since QEMU is ending
            _log.debug("the boot of %s is not watched any more: %s", self._handle.name, error)
            if self._handle.boot.state == "firmware":
                _tell(self._handle, Boot())

    async def _look(self) -> None:
        self._last = words = await _seen(self._handle)
        if words.stage != "dark" and words == self._stale and self._seconds < STALE:
            return
        self._stale = Words("dark")
        read = await _bytes_read(self._handle) - self._base if words.stage == "dark" else 0
        before = self._rule.state
        self._rule.look(words, seconds=self._seconds, read=read)
        if self._rule.state != before:
            _tell(self._handle, await _explained(self._handle, self._rule))

    async def _pause(self) -> None:
        """Wait for the next look; as long as it takes when there is nothing to be seen before a reset or a key."""
        stirred = self._handle.stirred
        try:
            async with asyncio.timeout(self._interval()):
                await stirred.wait()
        except TimeoutError:
            return
        stirred.clear()
        if self._handle.resets != self._resets:
            await self._again()
        else:
            self._limit = max(self._limit, self._seconds + LATE)

    def _interval(self) -> float | None:
        if self._rule.over:
            return None
        if self._seconds > self._limit:
            if self._rule.state == "firmware":
                _tell(self._handle, Boot())
            return None
        return QUICK if self._seconds < QUICK_SECONDS and self._rule.state != "started" else SLOW

    async def _again(self) -> None:
        """A reset: all over from the beginning."""
        self._resets = self._handle.resets
        self._stale = self._last
        self._rule = Rule(fresh=True)
        self._began, self._limit = time.monotonic(), LIMIT
        self._base = await _bytes_read(self._handle)
        _tell(self._handle, Boot(state=self._rule.state))


def _tell(handle: Handle, boot: Boot) -> None:
    if boot != handle.boot:
        handle.boot = boot
        handle.tell(
            "boot", state=boot.state, device=boot.device, text=boot.text, sentence=boot.sentence, hint=boot.hint
        )


async def _seen(handle: Handle) -> Words:
    """What the screen says now, when it is this machine's turn."""
    lock = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with lock:
        began = time.monotonic()
        looking = asyncio.create_task(_words(handle))
        looking.add_done_callback(_note)  # also when the watch ends before it
        await asyncio.wait({looking}, timeout=STUCK)
        await asyncio.sleep(SHARE * (time.monotonic() - began))
    return await looking


def _note(looking: asyncio.Task[Words]) -> None:
    if not looking.cancelled() and (error := looking.exception()):
        _log.debug("a look at a screen failed: %s", error)


async def _words(handle: Handle) -> Words:
    picture = await screen.picture(handle, "ppm")
    return await asyncio.to_thread(lambda: replace(understand(text.read(picture)), picture=zlib.crc32(picture)))


async def _bytes_read(handle: Handle) -> int:
    """Bytes that the guest has read of its disks and DVDs since QEMU started."""
    return sum(read for read, *_ in (await drives.counters(handle)).values())


async def _explained(handle: Handle, rule: Rule) -> Boot:
    """The state of a boot with all that can be said about it."""
    if rule.state not in ("refused", "failed"):
        return Boot(state=rule.state)
    device, secure = await asyncio.to_thread(_looked_up, handle, rule.words.entry)
    words = rule.words.words
    in_menu = rule.words.stage == "menu"  # which hides why; a refusal may have flashed by
    if secure and (rule.state == "refused" or in_menu):
        with contextlib.suppress(KibanError):
            report = await bootcheck.explain(handle)
            if report.verdict == "refused" and (report.stages or not in_menu):
                device = device or (report.stages[-1].device if report.stages else "")
                return Boot(state="refused", device=device, text=words, sentence=report.sentence, hint=report.hint)
    if rule.state == "failed" or not secure:
        hint = f"See what it tried: kiban screenshot {handle.name}"
        sentence = f"{'Nothing was booted' if in_menu else 'There was nothing to boot'}: {words}."
        return Boot(state="failed", device=device, text=words, sentence=sentence, hint=hint)
    place = device or rule.words.title or "its loader"
    sentence, hint = f"Secure Boot refused {place}: {words}.", f"See why: kiban secureboot explain {handle.name}"
    return Boot(state="refused", device=device, text=words, sentence=sentence, hint=hint)


def _looked_up(handle: Handle, entry: str) -> tuple[str, bool]:
    """The device of a boot entry, and whether Secure Boot is on."""
    machine = handle.machine
    found = (e.device for e in nvram.entries(handle.directory, machine) if e.name == entry and e.device)
    secure = machine.uefi is not None and nvram.facts(handle.directory, machine.uefi).secure_boot
    return next(found, ""), secure
