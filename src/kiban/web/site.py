# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages put together. Importing this loads NiceGUI, which has one application per process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from nicegui import ui
from starlette.responses import Response

from kiban.api.session import Session
from kiban.web.frame import frame
from kiban.web.gate import STATIC

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

RECONNECT = 10.0
"""Seconds that a page is kept after its browser has lost the connection."""


def create(host: Host, commands: Mapping[str, Command]) -> FastAPI:
    """The application, to be put behind `kiban.web.gate.Gate`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    style = (STATIC / "kiban.css").read_bytes()

    def session(request: Request) -> Session:
        return Session(host, commands, request.scope["kiban.visit"].role)

    @app.get("/kiban.css")
    async def css() -> Response:
        return Response(style, media_type="text/css")

    @ui.page("/")
    def machines_page(request: Request) -> None:
        with frame(request, session(request)) as page:
            ui.label(page.words("machines"))

    ui.run_with(app, title="Kiban", dark=None, tailwind=False, reconnect_timeout=RECONNECT, show_welcome_message=False)
    return app
