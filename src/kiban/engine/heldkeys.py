# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that viewers hold down, for a keyboard whose guest repeats them by itself.

A guest repeats a key of a USB keyboard until it hears that it was released; Linux begins after a quarter of a second.
If that word is late, on a slow line or a busy host, one press becomes a row of letters; if it never comes, as from a
Mac for what is pressed along with Cmd, there is no end of them. So a key is released here soon after it was pressed,
and what the viewer's own keyboard repeats is one press each. QEMU's PS/2 keyboard repeats nothing by itself. Shift,
Ctrl and their like stay down until they are released.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

HOLD_SECONDS = 0.1
_KEY_EVENT = struct.Struct(">BB2xI")  # RFC 6143, 7.5.4
_EXTENDED = struct.Struct(">BBHII")  # QEMU's Extended Key Event of the community's rfbproto: 255, 0, down, keysym, key
_MODIFIERS = frozenset({*range(0xFFE1, 0xFFEF), 0xFF7E, 0xFE03, 0xFE11})
"""X11's keysyms from Shift_L to Hyper_R, Mode_switch, ISO_Level3_Shift and ISO_Level5_Shift."""


class HeldKeys:
    """Makes short presses of the key events of one viewer; `late` is given the releases that are due by themselves."""

    def __init__(self, late: Callable[[bytes], None]) -> None:
        self._late = late
        self._held: dict[int, asyncio.TimerHandle] = {}

    def passed(self, message: bytes) -> bytes:
        """What the keyboard is told for a viewer's key event: perhaps more, perhaps nothing."""
        down, keysym, key = _read(message)
        if keysym in _MODIFIERS:
            return message
        timer = self._held.pop(key, None)
        if timer is not None:
            timer.cancel()
        if not down:
            return message if timer is not None else b""
        release = _release(message)
        self._held[key] = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._due, key, release)
        return (release if timer is not None else b"") + message

    def _due(self, key: int, release: bytes) -> None:
        del self._held[key]
        self._late(release)

    def close(self) -> None:
        """Release nothing any more: QEMU does so when a viewer hangs up."""
        for timer in self._held.values():
            timer.cancel()
        self._held.clear()


def _read(message: bytes) -> tuple[bool, int, int]:
    """Whether it is pressed, its keysym, and what tells it from other keys: a keysym changes with Shift."""
    if message[0] == 4:
        _, down, keysym = _KEY_EVENT.unpack(message)
        return bool(down), keysym, keysym
    _, _, down, keysym, keycode = _EXTENDED.unpack(message)
    return bool(down), keysym, keycode


def _release(message: bytes) -> bytes:
    if message[0] == 4:
        return _KEY_EVENT.pack(4, 0, _KEY_EVENT.unpack(message)[2])
    return _EXTENDED.pack(255, 0, 0, *_EXTENDED.unpack(message)[3:])
