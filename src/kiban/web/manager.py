# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager of one service: a server of its own on loopback, there from the first time that it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING

from kiban.api.server import Server
from kiban.api.session import Session
from kiban.api.sockets import tcp_socket
from kiban.api.web import Link
from kiban.errors import Conflict
from kiban.web.access import LINK_SECONDS, Access
from kiban.web.gate import Gate
from kiban.web.roster import Roster

if TYPE_CHECKING:
    from kiban.api.roles import Role
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

PORT = 7480
"""Where it is when nobody says anything else; a free port when this one is taken."""


class Manager:
    """Started by the first link; loading NiceGUI then costs half a second, which a plain service never pays."""

    def __init__(self, host: Host, commands: Mapping[str, Command]) -> None:
        self._host = host
        self._commands = commands
        self._access = Access()
        self._starting = asyncio.Lock()
        self._stack = ExitStack()
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._port = 0

    async def link(self, role: Role, port: int) -> Link:
        """An address that begins a session of `role`, once. `port` 0 takes the one that it is on, or PORT.

        Conflict when the port is taken, or another one than it is on already.
        """
        async with self._starting:
            if self._serving is None:
                await self._start(port)
        if port not in (0, self._port):
            raise Conflict(f"The web manager is on port {self._port} already.", "kiban web", code="other-port")
        return Link(f"http://127.0.0.1:{self._port}/login#{self._access.link(role)}", LINK_SECONDS)

    async def _start(self, port: int) -> None:
        with ExitStack() as stack:
            listener = stack.enter_context(_listener(port))
            self._port = listener.getsockname()[1]
            site = await asyncio.to_thread(import_module, "kiban.web.site")
            roster = Roster(Session(self._host, self._commands, "viewer"))
            app = site.create(self._host, self._commands, roster)
            self._server = Server(Gate(app, self._access, self._port), pages=True)
            self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
            self._following = await roster.load()
            await self._server.up.wait()
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Stop answering; browsers that are connected are told, and try again."""
        if self._following is not None:
            self._following.cancel()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._stack.close()


@contextlib.contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(tcp_socket(f"127.0.0.1:{port or PORT}"))
        except Conflict:
            if port:
                raise
            listener = stack.enter_context(tcp_socket("127.0.0.1:0"))
        yield listener
