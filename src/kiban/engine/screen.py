# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest shows, and keys pressed on its keyboard; the same on either generation."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Literal

from kiban.engine import keyboard
from kiban.engine.handle import Handle

HOLD_MS = 20
MAX_PICTURE = 256 * 1024 * 1024


async def picture(handle: Handle, form: Literal["png", "ppm"]) -> bytes:
    """The guest's screen. A PPM takes QEMU a fraction of the time, during which its devices stand still."""
    handle.check("look at")
    with tempfile.TemporaryFile() as file:
        # by descriptor, since QEMU's user cannot write where the service can; QEMU wants one that can only be written
        writing = os.open(f"/proc/self/fd/{file.fileno()}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            name = await handle.live.add_file(writing)
        finally:
            os.close(writing)
        try:
            await handle.live.run("screendump", {"filename": name, "format": form})
        finally:
            await handle.live.run("remove-fd", {"fdset-id": int(name.rpartition("/")[2])})
        return await asyncio.to_thread(file.read, MAX_PICTURE)


async def press(handle: Handle, keys: str) -> None:
    """Press keys together, such as `ctrl-alt-delete`, and let them go."""
    handle.check("type into")
    await _send(handle, keyboard.chord(keys))


async def type_text(handle: Handle, text: str) -> None:
    """Type `text` on a US keyboard."""
    handle.check("type into")
    for chord in keyboard.strokes(text):
        await _send(handle, chord)


async def _send(handle: Handle, chord: list[str]) -> None:
    keys = [{"type": "qcode", "data": key} for key in chord]
    await handle.live.run("send-key", {"keys": keys, "hold-time": HOLD_MS})
    # QEMU returns at once and releases the keys later; the next chord must not begin before that
    await asyncio.sleep(2 * HOLD_MS / 1000)
    handle.stirred.set()
