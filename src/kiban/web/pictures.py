# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of screens for many lookers at once: each screen at most every few seconds, few screens at a time.

A machine's devices stand still while QEMU makes one, so how often that is must not depend on how many browsers look.
They are screenshots (`kiban.engine.shots`); few are asked for at a time, so that a person's own finds no queue.
"""

from __future__ import annotations

import asyncio
import time

from fastapi import Request
from starlette.responses import Response

from kiban.api import problems
from kiban.api.session import Session
from kiban.errors import KibanError
from kiban.web.base import Site
from kiban.wire.base import MachineRef

FRESH = 5.0
"""Seconds for which a picture is good."""
AT_ONCE = 2
KEPT = 100


def add(site: Site) -> None:
    """An address for each machine's picture."""
    pictures = Pictures()

    @site.app.get("/screen/{machine}")
    async def screen(request: Request, machine: MachineRef) -> Response:
        try:
            return Response(await pictures.get(site.session(request), machine), media_type="image/png")
        except KibanError as error:
            return problems.response(error)


class Pictures:
    """The last pictures of machines, by their ids."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[str, tuple[float, asyncio.Task[bytes]]] = {}

    async def get(self, session: Session, machine_id: str) -> bytes:
        """A machine's screen as a PNG, not older than FRESH; raises what `screen.screenshot` does."""
        session.allow(session.commands["screen.screenshot"].permission)
        made, task = self._kept.get(machine_id, (0.0, None))
        if task is None or (task.done() and time.monotonic() - made > FRESH):
            task = asyncio.create_task(self._take(session, machine_id))
            self._kept.pop(machine_id, None)
            self._kept[machine_id] = (time.monotonic(), task)
            if len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept)))
        return await asyncio.shield(task)

    async def _take(self, session: Session, machine_id: str) -> bytes:
        async with self._turn:
            picture: bytes = await session.run("screen.screenshot", machine_id)
            return picture
