# SPDX-License-Identifier: GPL-2.0-or-later
"""Uvicorn's WebSockets, also for those who do not read what they are sent; loaded when the first one comes."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

LAST_WORDS = 20.0
"""Seconds in which the other side may take the last of what it was sent."""


class WebSocket(WebSocketsSansIOProtocol):
    """One connection. `scope["state"]["hang_up"]` ends it at once, without what it has not taken yet."""

    _pong = b""
    """The answer to the last ping of one who does not read what he is sent, for when he does."""

    def handle_connect(self, event: Request) -> None:
        """Begin to serve it."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["state"]["hang_up"] = self.transport.abort

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """It has been served: uvicorn would keep it for as long as the other side takes nothing."""
        super().on_task_complete(task)
        self.loop.call_later(LAST_WORDS, self.transport.abort)

    def handle_ping(self) -> None:
        """Answer, if there is room; uvicorn would keep as many answers as somebody asks for and does not read."""
        pongs = self.conn.data_to_send()  # of all pings that came together
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self._pong = pongs[-1]  # which answers the earlier ones, too (RFC 6455, 5.5.3)

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        pong, self._pong = self._pong, b""
        self.transport.write(pong)

    def shutdown(self) -> None:
        """Say that the server goes, and hang up."""
        try:
            super().shutdown()
        except InvalidState:  # the other side has just said so itself, and uvicorn (0.54) does not expect that
            self.transport.close()
