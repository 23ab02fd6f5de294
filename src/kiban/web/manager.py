# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager of one service: on loopback once it is asked for, and over TLS if the service says so."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from kiban.api import systemd
from kiban.api.server import Server
from kiban.api.sockets import tcp_socket
from kiban.api.web import Link
from kiban.engine.tokens import Caller, Tokens
from kiban.errors import Conflict, NotAllowed
from kiban.web.access import LINK_SECONDS, Access
from kiban.web.address import Address, loopback, name_in, secret_name
from kiban.web.gate import Gate
from kiban.web.inside import Inside
from kiban.web.sessions import Door, SessionFile

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

PORT = 7480
"""Where it is on loopback when nobody says anything else; a free port when this one is taken."""
STORE = "kiban-web"
"""What systemd calls the sockets on loopback that it keeps."""


class Manager:
    """Two doors to the same pages, with the same sessions."""

    def __init__(self, host: Host, commands: Mapping[str, Command]) -> None:
        tokens = Tokens(host.paths.state)
        self._access = Access(tokens, SessionFile(host.paths.web_sessions, tokens))
        self._inside = Inside(host, commands, self._access)
        self._starting = asyncio.Lock()
        self._stack = ExitStack()
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port = 0
        self._remote: Address | None = None

    async def resume(self) -> None:
        """Let browsers go on that were here before the service restarted.

        On loopback only where systemd has kept the sockets: otherwise another user could have had the port, and with
        it whatever a page there still keeps.
        """
        listeners = systemd.kept(STORE)
        doors: tuple[Door, ...] = ("loopback", "tls") if listeners else ("tls",)
        self._access.restore(doors)
        if any(visit.door == "loopback" for visit in self._access.visits()):
            await self._serve(listeners)
        elif listeners:
            systemd.drop(STORE)
            for listener in listeners:
                listener.close()

    def over_tls(self, port: int, names: Collection[str]) -> ASGIApp:
        """Its pages for the service's TLS address, behind a gate of their own."""
        self._remote = Address("https", port, frozenset(names))
        return Gate(self._inside, self._access, self._remote)

    async def link(self, caller: Caller, port: int, host: str, connected: str) -> Link:
        """An address that begins a session of `caller`, once.

        On TLS if that is where the caller comes from (`host` and `connected` as of Address.is_own), the service has
        pages there and no port is asked for; else on loopback, where `port` 0 takes the one that it is on, or PORT.

        Conflict when the port is taken, or another one than it is on already.
        """
        if host and self._remote is not None and not port:
            if not self._remote.is_own(host, connected):
                hint = f"kiban serve --name {name_in(host)}"
                raise NotAllowed(f"The web manager does not go by the name {host[:80]}.", hint, code="wrong-host")
            return Link(f"https://{host}/login#{self._access.link(caller)}", LINK_SECONDS)
        async with self._starting:
            if self._serving is None:
                await self._start(port)
        if port not in (0, self._port):
            raise Conflict(f"The web manager is on port {self._port} already.", "kiban web", code="other-port")
        return Link(f"http://{self._access.name}:{self._port}/login#{self._access.link(caller)}", LINK_SECONDS)

    async def _start(self, port: int) -> None:
        with ExitStack() as stack:
            listeners = stack.enter_context(_listeners(port))
            self._access.rename(secret_name())
            await self._inside.load()
            systemd.keep(STORE, listeners)
            await self._serve(listeners)
            self._stack = stack.pop_all()

    async def _serve(self, listeners: list[socket.socket]) -> None:
        self._port = listeners[0].getsockname()[1]
        address = loopback(self._port, self._access.name)
        self._server = Server(Gate(self._inside, self._access, address))
        self._serving = asyncio.create_task(self._server.serve(sockets=listeners))
        await self._server.up.wait()

    async def close(self) -> None:
        """Stop answering on loopback; browsers that are connected are told, and try again."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._stack.close()
        await self._inside.close()


@contextlib.contextmanager
def _listeners(port: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        try:
            found = stack.enter_context(_both(port or PORT))
        except Conflict:
            if port:
                raise
            found = stack.enter_context(_both(0))
        yield found


@contextlib.contextmanager
def _both(port: int) -> Iterator[list[socket.socket]]:
    """One port of both loopbacks: a browser may go to either for a name below localhost, so both have to be ours."""
    with ExitStack() as stack:
        found = [stack.enter_context(tcp_socket(f"127.0.0.1:{port}"))]
        if _has_ipv6():
            found.append(stack.enter_context(tcp_socket(f"[::1]:{found[0].getsockname()[1]}")))
        yield found


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return False
        raise
    return True
