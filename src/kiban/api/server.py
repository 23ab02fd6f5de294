# SPDX-License-Identifier: GPL-2.0-or-later
"""The server function of `kiban serve`: one process, one event loop, a Unix socket, and TLS when asked.

run: lock ─► Host.open ─► serve: sockets ─► ready ─► … SIGTERM ─► jobs stop ─► streams end ─► Host.close
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp

from kiban.api import systemd
from kiban.api.app import create_app
from kiban.api.gate import Fork, LocalGate, TokenGate
from kiban.api.limit import MAX_BODY
from kiban.api.sockets import service_lock, tcp_socket, unix_socket
from kiban.api.tls import Certificate, given_or_own
from kiban.api.web import WebManager
from kiban.engine.tokens import Tokens
from kiban.paths import Paths

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

GRACE = 5
"""Seconds that requests have to end in, once the service stops."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """Where the service answers: `url` and `fingerprint` (SHA-256, hex) only with TLS, else empty."""

    socket: Path
    url: str = ""
    fingerprint: str = ""


Ready = Callable[[Listening], None]
Web = Callable[["Host", Mapping[str, "Command"]], WebManager]
"""Makes a web manager that has not started yet."""


def run(
    paths: Paths,
    *,
    listen: str | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    ready: Ready | None = None,
    web: Web | None = None,
    names: Collection[str] | None = None,
) -> None:
    """Be the service of `paths` until SIGTERM or SIGINT; machines run on.

    Args:
        listen: `host:port` to answer on over TLS as well, with `cert` and `key` or a certificate of its own.
        ready: called once callers are answered.
        web: makes the web manager, which starts on loopback when it is first asked for.
        names: have the web manager's pages over TLS as well, under those of the certificate and these. None: have not.

    Raises:
        Conflict: there is a service already, or the port is taken. NotAllowed, BadInput, Failed: as their words say.
    """
    with service_lock(paths):
        asyncio.run(_run(paths, listen=listen, cert=cert, key=key, ready=ready, web=web, names=names))


async def _run(paths: Paths, **how: Any) -> None:
    from kiban.engine.host import Host

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = await Host.open(paths)
    try:
        await serve(host, stop, autostart=True, **how)
    finally:
        await host.close()


async def serve(
    host: Host,
    stop: asyncio.Event,
    *,
    listen: str | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    ready: Ready | None = None,
    autostart: bool = False,
    commands: Mapping[str, Command] | None = None,
    web: Web | None = None,
    names: Collection[str] | None = None,
) -> None:
    """Answer callers of `host` until `stop` is set. The caller holds the service lock, and closes the host."""
    app = create_app(host, commands)
    if web is not None:
        app.state.web = web(host, app.state.commands)
    with ExitStack() as stack:
        local = stack.enter_context(unix_socket(host.paths))
        servers = [(Server(LocalGate(app)), local)]
        where = Listening(host.paths.socket)
        if listen is not None:
            certificate = given_or_own(cert, key, host.paths.state)
            context = certificate.context()
            remote = stack.enter_context(tcp_socket(listen))
            gate: ASGIApp = TokenGate(app, Tokens(host.paths.state))
            if names is not None and app.state.web is not None:
                own = {*names, *certificate.names(), listen.rpartition(":")[0]}
                gate = Fork(gate, app.state.web.over_tls(remote.getsockname()[1], own))
            servers.append((Server(gate, context), remote))
            where = _listening(host.paths.socket, remote, certificate)
        if app.state.web is not None:
            await app.state.web.resume()
        tasks = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
        await asyncio.gather(*(server.up.wait() for server, _ in servers))
        _tell(where, ready)
        first = asyncio.create_task(host.autostart()) if autostart else None
        await stop.wait()
        systemd.notify("STOPPING=1")
        if first is not None:
            first.cancel()
            await asyncio.wait({first})
        await host.jobs.stop()  # whoever waits for one hears how it ended
        app.state.stopping.set()
        for server, _ in servers:
            server.should_exit = True
        if app.state.web is not None:
            await app.state.web.close()
        await asyncio.gather(*tasks)


def _websocket(**how: Any) -> asyncio.Protocol:
    """A connection that becomes a WebSocket; a service to which none comes is up sooner without the library."""
    from kiban.api.websocket import WebSocket

    return WebSocket(**how)


def _listening(path: Path, remote: socket.socket, certificate: Certificate) -> Listening:
    host, port = remote.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return Listening(path, f"https://{shown}:{port}", certificate.fingerprint())


def _tell(where: Listening, ready: Ready | None) -> None:
    _log.info("listening on %s", where.socket)
    if where.url:
        _log.info("listening on %s, certificate SHA-256 %s", where.url, where.fingerprint)
    systemd.notify("READY=1")
    if ready is not None:
        ready(where)


class Server(uvicorn.Server):
    """Uvicorn on a socket that is bound already; signals are the service's own to handle."""

    def __init__(self, app: ASGIApp, context: ssl.SSLContext | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws=_websocket,  # type: ignore[arg-type]  # it is called, as a class would be
                ws_ping_timeout=None,  # who is slow is not dead; the kernel finds who is
                ws_max_size=MAX_BODY,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=512,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self.config.load()
        self.config.ssl = context  # made by us: uvicorn's own would want the files and raise errors of its own
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and say so."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
