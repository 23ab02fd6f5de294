# SPDX-License-Identifier: GPL-2.0-or-later
"""Screenshots for all who ask, which whoever may look may do as often as he likes.

A machine's devices stand still while QEMU makes one. So each machine has one made at a time, with a rest after it, and
few machines do at a time. Whoever asks gets one that was begun after that, never an old one, and all who ask before the
next one begins get the same.
"""

from __future__ import annotations

import asyncio
import time
from weakref import WeakKeyDictionary

from kiban.engine import screen
from kiban.engine.handle import Handle

AT_ONCE = 2
"""Machines that have one made at a time."""
SHARE = 3
"""A machine's rest is so many times as long as the picture took; at most STUCK counts."""
STUCK = 1.0
"""Seconds after which a QEMU that does not show its screen holds up the other machines no longer."""


class Shots:
    """The screenshots of a host's machines."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._cameras: WeakKeyDictionary[Handle, Camera] = WeakKeyDictionary()

    async def take(self, handle: Handle) -> bytes:
        """A machine's screen as a PNG; Conflict when it does not run."""
        handle.check("look at")
        camera = self._cameras.setdefault(handle, Camera(self._turn))
        return await camera.take(handle)


class Camera:
    """The screenshots of one machine; `turn` is for AT_ONCE."""

    def __init__(self, turn: asyncio.Semaphore) -> None:
        self._turn = turn
        self._free = asyncio.Lock()
        self._next: asyncio.Task[bytes] | None = None

    async def take(self, handle: Handle) -> bytes:
        """The next one, also if the others who wait for it go away."""
        if self._next is None:
            self._next = asyncio.create_task(self._make(handle))
        return await asyncio.shield(self._next)

    async def _make(self, handle: Handle) -> bytes:
        await self._free.acquire()
        async with self._turn:
            self._next = None  # who asks from now on wants to see what comes after this
            began = time.monotonic()
            making = asyncio.create_task(screen.picture(handle, "png"))
            await asyncio.wait({making}, timeout=STUCK)
        try:
            return await making
        finally:
            rest = SHARE * min(time.monotonic() - began, STUCK)
            asyncio.get_running_loop().call_later(rest, self._free.release)
