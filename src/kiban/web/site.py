# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages put together. Importing this loads NiceGUI, which has one application per process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from nicegui import ui
from starlette.responses import Response

from kiban.api import problems
from kiban.api.session import Session
from kiban.errors import KibanError
from kiban.web.frame import frame
from kiban.web.gate import STATIC
from kiban.web.machine import MachinePage
from kiban.web.machines import MachinesPage
from kiban.web.pictures import Pictures
from kiban.web.roster import Roster
from kiban.wire.base import MachineRef

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

FILES = {"kiban.css": "text/css", "kiban.js": "text/javascript"}
RECONNECT = 10.0
"""Seconds that a page is kept after its browser has lost the connection."""


def create(host: Host, commands: Mapping[str, Command], roster: Roster) -> FastAPI:
    """The application, to be put behind `kiban.web.gate.Gate`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    pictures = Pictures()
    for name, kind in FILES.items():
        app.add_route(f"/{name}", _file(name, kind))

    def session(request: Request) -> Session:
        return Session(host, commands, request.scope["kiban.visit"].role)

    @app.get("/screen/{machine}")
    async def screen(request: Request, machine: MachineRef) -> Response:
        try:
            return Response(await pictures.get(session(request), machine), media_type="image/png")
        except KibanError as error:
            return problems.response(error)

    @ui.page("/")
    def machines_page(request: Request) -> None:
        with frame(request, session(request)) as page:
            MachinesPage(page, roster)

    @ui.page("/machine/{machine}")
    def machine_page(request: Request, machine: MachineRef) -> None:
        with frame(request, session(request)) as page:
            if machine in roster.machines:
                MachinePage(page, roster, machine)
            else:
                ui.label(page.words("gone"))

    ui.run_with(app, title="Kiban", dark=None, tailwind=False, reconnect_timeout=RECONNECT, show_welcome_message=False)
    return app


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    body = (STATIC / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(body, media_type=kind)

    return answer
