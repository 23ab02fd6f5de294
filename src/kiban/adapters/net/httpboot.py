# SPDX-License-Identifier: GPL-2.0-or-later
"""The file server behind UEFI HTTP boot: one folder, read-only, on loopback, under a secret path.

A machine's user-mode network reaches it as 10.0.2.2. The address stands in the machine's NVRAM, so port and secret are
kept with the machine and given again when the service has to start the server anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from kiban.adapters.net.bootfolder import check_file, check_folder
from kiban.errors import BadInput, Conflict, NotAllowed

HOST_SEEN_FROM_GUEST = "10.0.2.2"
_SECRET = re.compile(r"[0-9a-f]{32}")
_MOST_CONNECTIONS = 32


def new_secret() -> str:
    """Returns 128 random bits in hexadecimal: whoever knows them may read the folder."""
    return secrets.token_hex(16)


class HttpBoot:
    """Serves `folder` at http://127.0.0.1:PORT/SECRET/ with GET, HEAD and ranges; everything else is 404 or 405.

    Args:
        folder: what is served; directories are not listed, links out of it not followed.
        secret: 32 hexadecimal digits, from `new_secret`.
        port: TCP port on loopback; 0 lets the kernel choose one, then in `port` after `start`.

    Raises:
        BadInput: the secret has another form, or the folder is not one.
        NotFound, NotAllowed: the folder is missing or unreadable.
    """

    def __init__(self, folder: Path, *, secret: str, port: int = 0) -> None:
        if not _SECRET.fullmatch(secret):
            raise BadInput("The secret of an HTTP boot folder has to be 32 hexadecimal digits.")
        self.folder = check_folder(folder)
        self.secret = secret
        self.port = port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens; connections are accepted when this returns.

        Raises:
            Conflict: another program has the port.
            NotAllowed: the port is a privileged one.
        """
        listener = _listen(self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(_config(self.folder, self.secret))
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"http-boot:{self.port}")

    async def close(self) -> None:
        """Stops listening and drops what is under way; safe to call twice."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._server = self._task = None

    def url(self, file: str) -> str:
        """Returns the address of `file` (relative to the folder) as the guest's firmware has to ask for it.

        Raises:
            NotFound, NotAllowed, BadInput: see `check_file`.
        """
        check_file(self.folder, file)
        return f"http://{HOST_SEEN_FROM_GUEST}:{self.port}/{self.secret}/{quote(file)}"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the service it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(folder: Path, secret: str) -> uvicorn.Config:
    app = Starlette(routes=[Mount(f"/{secret}", StaticFiles(directory=folder, follow_symlink=False))])
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart waits for TIME_WAIT to pass
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(_MOST_CONNECTIONS)  # here, so that a guest that connects before the task runs is not refused
    except PermissionError:
        listener.close()
        raise NotAllowed(f"Port {port} on 127.0.0.1 is only for root.", "Choose a port above 1023") from None
    except OSError:
        listener.close()
        raise Conflict(f"Port {port} on 127.0.0.1 is taken by another program.", "Choose another port") from None
    listener.setblocking(False)
    return listener
