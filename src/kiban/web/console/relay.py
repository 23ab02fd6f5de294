# SPDX-License-Identifier: GPL-2.0-or-later
"""Between a browser's WebSocket and a viewer's connection to QEMU, one chunk at a time either way.

Whoever is slow holds up the other: nothing is gathered here, and QEMU leaves out what a slow viewer has missed.
"""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from kiban.api.session import Session
from kiban.engine.display import Viewer
from kiban.errors import BadInput, KibanError
from kiban.web.base import Site
from kiban.web.frame import said
from kiban.wire.base import MachineRef

ENDED = 4000
"""The machine's QEMU has hung up: it is off, or it starts anew."""
REFUSED = 4001
"""The reason says why, in the service's words."""
MAX_REASON = 120
"""Bytes; RFC 6455, 5.5, leaves 123."""


def add(site: Site) -> None:
    """A WebSocket for each machine's screen."""

    @site.app.websocket("/console/{machine}/screen")
    async def screen(line: WebSocket, machine: MachineRef) -> None:
        session = site.session(line)
        await line.accept()  # first: a browser is told no reason for one that is not accepted
        try:
            viewer: Viewer = await session.run(_command(session), machine)
        except KibanError as error:
            await line.close(REFUSED, _reason(error))
            return
        try:
            await relay(line, viewer)
        finally:
            viewer.close()


def _command(session: Session) -> str:
    """Hands for whom they are allowed, else eyes."""
    return "screen.use" if session.may("screen.use") else "screen.view"


async def relay(line: WebSocket, viewer: Viewer) -> None:
    """Copy both ways until one side hangs up, or says what makes no sense."""
    down, up = asyncio.create_task(_down(line, viewer)), asyncio.create_task(_up(line, viewer))
    try:
        await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (down, up):
            task.cancel()
        await asyncio.wait({down, up})
    if not up.cancelled() and isinstance(error := up.exception(), BadInput):
        await line.close(REFUSED, _reason(error))
    elif up.cancelled():
        await line.close(ENDED)


async def _down(line: WebSocket, viewer: Viewer) -> None:
    while data := await viewer.read():
        await line.send_bytes(data)


async def _up(line: WebSocket, viewer: Viewer) -> None:
    try:
        while True:
            data = await line.receive_bytes()
            await viewer.write(data)
    except WebSocketDisconnect:
        return
    except KeyError:
        raise BadInput("The viewer of the screen speaks text.", "Reload the page.") from None


def _reason(error: KibanError) -> str:
    return said(error).encode()[:MAX_REASON].decode(errors="ignore")
