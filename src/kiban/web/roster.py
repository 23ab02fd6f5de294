# SPDX-License-Identifier: GPL-2.0-or-later
"""All machines as they are now: one copy for all pages, kept true by the service's events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kiban.api.session import Session
from kiban.engine.view import MachineView
from kiban.errors import NotFound

GATHER = 0.1
"""Seconds in which events are gathered, so that a hundred machines that start are looked at, and shown, together."""
FEW = 20
"""Machines that are looked at one by one; when more have changed, all are listed anew."""
_log = logging.getLogger(__name__)


class Roster:
    """The machines by their ids. `session` reads them, so any role will do."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._changed: set[str] | None = set()  # None: anything may have
        self._news = asyncio.Event()
        self._watchers: set[Callable[[], None]] = set()
        self.machines: dict[str, MachineView] = {}

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` after each change; returns what ends that."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    async def knows(self, machine_id: str) -> bool:
        """Whether there is such a machine, also if it has come so lately that the copy lacks it yet."""
        if machine_id not in self.machines:
            await self._look({machine_id})
        return machine_id in self.machines

    async def load(self) -> asyncio.Task[None]:
        """Make the copy; the task that is returned keeps it true until cancelled."""
        after = self._session.host.events.id_of()
        await self._look(None)
        return asyncio.create_task(self._run(after))

    async def _run(self, after: str) -> None:
        listening = asyncio.create_task(self._listen(after))
        try:
            while True:
                await self._news.wait()
                await asyncio.sleep(GATHER)
                self._news.clear()
                await self._catch_up()
        finally:
            listening.cancel()

    async def _catch_up(self) -> None:
        changed, self._changed = self._changed, set()
        try:
            await self._look(changed)
        except Exception:  # whatever it is, the pages are to be right again after the next event
            _log.exception("machines could not be looked at")
            self._changed = None
        for watcher in [*self._watchers]:
            try:
                watcher()
            except Exception:  # a browser may have put anything into its page, and the others are to be right
                _log.exception("a page could not be brought up to date")

    async def _listen(self, after: str) -> None:
        async for event in self._session.host.events.subscribe(after):
            if event.kind == "gap":
                self._changed = None
            elif event.machine_id and self._changed is not None:
                self._changed.add(event.machine_id)
            self._news.set()

    async def _look(self, changed: set[str] | None) -> None:
        if changed is None or len(changed) > FEW:
            self.machines = {view.id: view for view in await self._session.run("machines.list")}
            return
        for machine_id in changed:
            try:
                view: MachineView = await self._session.run("machines.info", machine_id)
                self.machines[view.id] = view
            except NotFound:
                self.machines.pop(machine_id, None)
