# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits for a browser that takes nothing, or little."""

from __future__ import annotations

import asyncio

import pytest
from engine_world import run
from engineio.async_server import AsyncServer
from engineio.packet import MESSAGE, UPGRADE, Packet

from kiban.web import pagesockets
from kiban.web.pagesockets import EACH, FEW, MOST, Socket

LARGE = "x" * (MOST // 10)


class Page:
    """A page's socket in a browser that takes nothing from it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.hung_up = asyncio.Event()
        server = AsyncServer(async_mode="asgi")
        server.on("disconnect", lambda _, why: self.told.append(why))
        self.socket = Socket(server, "me")

    async def serve(self) -> None:
        """Be a WebSocket, until it is hung up."""
        scope = {"state": {"hang_up": self.hung_up.set}}
        await self.socket._upgrade_websocket({"asgi.scope": scope, "asgi.receive": self._hear, "asgi.send": self._say})

    async def _hear(self) -> dict[str, str]:
        await self.hung_up.wait()
        return {"type": "websocket.disconnect"}

    async def _say(self, message: dict[str, str]) -> None:
        if message["type"] == "websocket.send":
            await self.hung_up.wait()
            raise ConnectionError

    async def tell(self, said: str) -> None:
        await self.socket.send(Packet(MESSAGE, data=said))


async def told_until_given_up(page: Page, said: str) -> int:
    """Tell it the same again and again; how often it took until it was given up."""
    for times in range(2 * MOST // EACH):
        if page.socket.closed:
            return times
        await page.tell(said)
    raise AssertionError("whatever it is told is kept")


@pytest.mark.parametrize("said", ["", LARGE])
def test_who_takes_nothing_is_given_up_and_nothing_is_kept_for_him(said: str) -> None:
    async def main() -> None:
        page = Page()
        times = await told_until_given_up(page, said)
        assert times <= max(FEW, MOST // (EACH + len(said))) + 2
        assert (page.socket.queue.qsize(), page.socket.queue.size) == (0, 0)
        assert page.told == ["transport error"]

    run(main())


def test_his_websocket_ends() -> None:
    async def main() -> None:
        page = Page()
        serving = asyncio.create_task(page.serve())
        await asyncio.sleep(0)
        await told_until_given_up(page, LARGE)
        assert page.hung_up.is_set()
        await serving

    run(main())


def test_a_websocket_ends_that_answers_no_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagesockets, "LAST_WORDS", 0.01)

    async def main() -> None:
        page = Page()
        serving = asyncio.create_task(page.serve())
        await asyncio.sleep(0)
        await page.tell("what waits")
        page.socket.last_ping = 1.0  # long ago
        assert not await page.socket.check_ping_timeout()
        await serving

    run(main())


def test_answers_that_he_asks_for_are_not_gathered_either() -> None:
    async def main() -> None:
        page = Page()
        for _ in range(MOST // EACH + 2):
            await page.socket.receive(Packet(UPGRADE))
        assert page.socket.closed

    run(main())


def test_a_large_packet_is_for_him_who_takes_it() -> None:
    async def main() -> None:
        page = Page()
        for _ in range(10):
            await page.tell(2 * MOST * "x")
            await page.tell("and more")
            taken = await page.socket.poll()
            assert [len(packet.data) for packet in taken] == [2 * MOST, len("and more")]
        assert not page.socket.closed

    run(main())
