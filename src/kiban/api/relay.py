# SPDX-License-Identifier: GPL-2.0-or-later
"""Between a caller's WebSocket and something of a machine that is open, such as its screen: bytes, a chunk at a time.

Whoever is slow holds up the other: nothing is gathered here, and what is open leaves out what a slow caller has missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from kiban.errors import BadInput, KibanError

ENDED = 4000
"""The machine's QEMU has hung up: it is off, or it starts anew."""
REFUSED = 4001
"""The reason says why, in the service's words."""
MAX_REASON = 120
"""Bytes; RFC 6455, 5.5, leaves 123."""
LAST_WORDS = 2.0
"""Seconds in which what a caller said before he left may still be passed on."""


class Open(Protocol):
    """What is open of a machine."""

    async def read(self) -> bytes:
        """What comes next; nothing once QEMU has hung up."""

    async def write(self, data: bytes) -> None:
        """Pass on what the caller says; BadInput where it makes no sense."""


async def relay(line: WebSocket, there: Open) -> None:
    """Copy both ways until one side hangs up, or says what makes no sense."""
    down, up = asyncio.create_task(_down(line, there)), asyncio.create_task(_up(line, there))
    try:
        await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
        if down.done() and not down.result():
            await asyncio.wait({up}, timeout=LAST_WORDS)
    finally:
        for task in (down, up):
            task.cancel()
        await asyncio.wait({down, up})
    if not up.cancelled() and isinstance(error := up.exception(), BadInput):
        await refuse(line, error)
    elif not down.cancelled() and down.result():
        with contextlib.suppress(WebSocketDisconnect):  # the caller has gone, too
            await line.close(ENDED)


async def refuse(line: WebSocket, error: KibanError) -> None:
    """Hang up on a caller, and say why."""
    reason = f"{error.message} {error.hint}".strip()
    with contextlib.suppress(WebSocketDisconnect):  # he has gone already
        await line.close(REFUSED, reason.encode()[:MAX_REASON].decode(errors="ignore"))


async def _down(line: WebSocket, there: Open) -> bool:
    """Whether it was QEMU that hung up."""
    try:
        while data := await there.read():
            await line.send_bytes(data)
    except WebSocketDisconnect:
        return False
    return True


async def _up(line: WebSocket, there: Open) -> None:
    try:
        while True:
            data = await line.receive_bytes()
            await there.write(data)
    except WebSocketDisconnect:
        return
    except KeyError:
        raise BadInput("This connection is for bytes, not for text.", "Send binary messages.") from None
