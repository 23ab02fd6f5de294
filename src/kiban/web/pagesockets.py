# SPDX-License-Identifier: GPL-2.0-or-later
"""What NiceGUI takes from the sockets of pages and keeps for them, bounded: any browser with a session has one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from engineio import async_socket
from nicegui import core

MOST = 2 * 2**20
FEW = 20
"""Bytes and packets that wait for a browser, in which it has taken nothing: more of both, and it is given up. A packet
alone may be large, as a picture is."""
LAST_WORDS = 5.0
"""Seconds in which a browser may take the last that it is sent."""
EACH = 512
"""Bytes that a packet takes beside what it says."""


def tame() -> None:
    """Once NiceGUI is loaded.

    `log` is an event by which a browser writes whatever it likes, of any level and as many lines, into the service's
    log: nobody could tell it from what the service says. The others are what pages are made of.
    """
    core.sio.handlers["/"].pop("log", None)
    async_socket.AsyncSocket = Socket  # the server of NiceGUI makes one of these for each browser, and has no option


class Queue(asyncio.Queue[Any]):
    """The packets that wait, and how much memory they take."""

    size = 0

    def _put(self, item: Any) -> None:
        self.size += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size -= _size(item)
        return item


class Socket(async_socket.AsyncSocket):  # type: ignore[misc]  # the library carries no types
    """One that is given up when its browser does not take what it is sent. An honest one comes back by itself."""

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self.queue = Queue()
        self._hang_up: Callable[[], None] = lambda: None

    async def send(self, pkt: Any) -> None:
        """Have a packet wait, unless too much does."""
        if self.queue.size > MOST and self.queue.qsize() > FEW:
            await self._give_up()
        else:
            await super().send(pkt)

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """Tell the browser; if it takes nothing, not even pings, engine.io alone would keep the line with all on it."""
        await super().close(wait=wait, abort=abort, reason=reason)
        asyncio.get_running_loop().call_later(LAST_WORDS, self._hang_up)

    async def _give_up(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
            self.queue.task_done()
        await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_ERROR)
        self._hang_up()

    async def _upgrade_websocket(self, environ: Mapping[str, Any]) -> Any:
        self._hang_up = environ["asgi.scope"]["state"]["hang_up"]  # see kiban.api.websocket
        return await super()._upgrade_websocket(environ)


def _size(packet: Any) -> int:
    said = getattr(packet, "data", None)  # None is the end, and has none
    return EACH + (len(said) if isinstance(said, str | bytes | bytearray) else 0)
