# SPDX-License-Identifier: GPL-2.0-or-later
"""WebSockets whose other side does not read what it is sent, as uvicorn's transport tells."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import pytest
import uvicorn
from engine_world import run
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

from kiban.api import gate, websocket
from kiban.api.websocket import WebSocket


class Line:
    """A connection to a WebSocket: what it has written is kept, and read by `there`."""

    def __init__(self, app: Any) -> None:
        self.written = b""
        self.aborted = asyncio.Event()
        self.there = ClientProtocol(parse_uri("ws://kiban/"))
        self.end = WebSocket(config=uvicorn.Config(app), server_state=ServerState(), app_state={})
        self.end.connection_made(cast("Any", self))
        self.there.send_request(self.there.connect())

    def say(self) -> None:
        """Send what `there` has to say."""
        self.end.data_received(b"".join(self.there.data_to_send()))

    def pongs(self) -> list[bytes]:
        """The payloads of all pongs so far."""
        self.there.receive_data(self.written)
        self.written = b""
        events = self.there.events_received()
        return [bytes(one.data) for one in events if isinstance(one, Frame) and one.opcode == 0xA]

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        if not self.aborted.is_set():
            self.aborted.set()
            self.end.connection_lost(None)

    def get_extra_info(self, _: str) -> Any:
        return None

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """It has more to write, so it stays."""

    pause_reading = resume_reading = close


async def accept(_: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await receive()
    await receive()


def test_pongs_of_one_who_does_not_read_are_not_kept() -> None:
    async def main() -> None:
        line = Line(accept)
        await shown(line)
        line.pongs()
        line.there.send_ping(b"a")
        line.say()
        assert line.pongs() == [b"a"]
        line.end.pause_writing()
        for _ in range(1000):
            line.there.send_ping(b"b")
        line.there.send_ping(b"c")
        line.say()
        assert line.written == b""
        line.end.resume_writing()
        assert line.pongs() == [b"c"]

    run(main())


async def shown(line: Line) -> None:
    """Wait until it is a WebSocket."""
    line.say()
    while not line.written:
        await asyncio.sleep(0)


class Page:
    """Serves as engine.io does: who reads and who writes go on when they are cancelled, until the line is gone."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.served = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await gate.while_it_lasts(self.over.wait(), self._page, scope, receive, send)

    async def _page(self, _: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        writing = asyncio.create_task(self._write(send))
        with contextlib.suppress(asyncio.CancelledError):
            while (await receive())["type"] != "websocket.disconnect":
                pass
        await asyncio.wait({writing})
        self.served.set()

    async def _write(self, send: Any) -> None:
        with contextlib.suppress(ClientDisconnected):
            while True:
                await send({"type": "websocket.send", "text": "news"})
                await asyncio.sleep(0)


def test_what_is_over_ends_though_the_other_side_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LAST_WORDS", 0.01)

    async def main() -> None:
        page = Page()
        line = Line(page)
        await shown(line)
        line.end.pause_writing()
        page.over.set()
        await line.aborted.wait()
        await page.served.wait()

    run(main())


def test_a_line_that_was_served_goes_though_the_other_side_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LAST_WORDS", 0.01)

    async def serve(_: Any, __: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def main() -> None:
        line = Line(serve)
        await shown(line)
        await line.aborted.wait()

    run(main())
