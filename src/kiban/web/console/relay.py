# SPDX-License-Identifier: GPL-2.0-or-later
"""The WebSocket between a browser and a viewer's connection to QEMU."""

from __future__ import annotations

from contextlib import closing

from starlette.websockets import WebSocket

from kiban.api.relay import refuse, relay
from kiban.api.session import Session
from kiban.engine.display import Viewer
from kiban.errors import KibanError
from kiban.web.base import Site
from kiban.web.frame import words_of
from kiban.wire.base import MachineRef


def add(site: Site) -> None:
    """A WebSocket for each machine's screen."""

    @site.app.websocket("/console/{machine}/screen")
    async def screen(line: WebSocket, machine: MachineRef) -> None:
        session = site.session(line)
        await line.accept()  # first: a browser is told no reason for one that is not accepted
        try:
            viewer: Viewer = await session.run(_command(session), machine)
        except KibanError as error:
            await refuse(line, words_of(line).own(error))
            return
        with closing(viewer):
            await relay(line, viewer)


def _command(session: Session) -> str:
    """Hands for whom they are allowed, else eyes."""
    return "screen.use" if session.may("screen.use") else "screen.view"
