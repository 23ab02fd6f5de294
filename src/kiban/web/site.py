# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages put together. Importing this loads NiceGUI, which has one application per process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from nicegui import ui
from starlette.responses import Response

from kiban.web import (
    console,
    disks,
    generations,
    hostpage,
    importing,
    jobs,
    library,
    machine,
    machines,
    newmachine,
    pages,
    pagesockets,
    pictures,
    upload,
    usage,
    users,
)
from kiban.web.access import Access
from kiban.web.base import Site
from kiban.web.frame import looks
from kiban.web.gate import STATIC
from kiban.web.roster import Roster

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

PARTS = (
    machines,
    machine,
    pictures,
    jobs,
    usage,
    console,
    users,
    generations,
    disks,
    library,
    importing,
    hostpage,
    newmachine,
    upload,
)
"""The modules with pages; each has `add`, which puts its routes on a site."""
KINDS = {".css": "text/css", ".js": "text/javascript"}
RECONNECT = 10.0
"""Seconds that a page is kept after its browser has lost the connection."""


def create(host: Host, commands: Mapping[str, Command], roster: Roster, access: Access) -> FastAPI:
    """The application, to be put behind `kiban.web.gate.Gate`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for name in looks():
        app.add_route(f"/{name}", _file(name))
    app.add_middleware(pages.Pages)
    access.on_end = pages.end
    pagesockets.tame()
    for part in PARTS:
        part.add(Site(app, host, commands, roster, access))
    ui.run_with(
        app,
        title="Kiban",
        favicon=(STATIC / "kiban.svg").read_text(),
        dark=None,
        tailwind=False,
        reconnect_timeout=RECONNECT,
        show_welcome_message=False,
    )
    return app


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    body = (STATIC / name).read_bytes()
    kind = KINDS[name[name.rindex(".") :]]

    async def answer(_: Request) -> Response:
        return Response(body, media_type=kind)

    return answer
