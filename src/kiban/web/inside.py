# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages behind the gates, loaded for the first visitor: NiceGUI takes time that a plain service never pays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from kiban.api.session import Session
from kiban.web.access import Access
from kiban.web.roster import Roster

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kiban.commands.registry import Command
    from kiban.engine.host import Host


class Inside:
    """One application for all gates: NiceGUI has one per process."""

    def __init__(self, host: Host, commands: Mapping[str, Command], access: Access) -> None:
        self._host, self._commands, self._access = host, commands, access
        self._loading = asyncio.Lock()
        self._app: ASGIApp | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._end = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a WebSocket."""
        app = self._app or await self.load()
        await app(scope, receive, send)

    async def load(self) -> ASGIApp:
        """The application, up."""
        async with self._loading:
            if self._app is None:
                site = await asyncio.to_thread(import_module, "kiban.web.site")
                roster = Roster(Session(self._host, self._commands, "viewer"))
                app = site.create(self._host, self._commands, roster, self._access)
                self._tasks += [await roster.load(), asyncio.create_task(self._access.watch())]
                await self._start(app)
                self._app = app
            return self._app

    async def _start(self, app: FastAPI) -> None:
        up = asyncio.Event()

        async def live() -> None:
            async with app.router.lifespan_context(app):
                up.set()
                await self._end.wait()

        living = asyncio.create_task(live())
        waiting = asyncio.create_task(up.wait())
        await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if living.done():
            living.result()
        self._tasks.append(living)

    async def close(self) -> None:
        """End what goes on behind the pages; nobody is served any more."""
        self._end.set()
        for task in self._tasks[:-1]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
