# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal on a machine's COM port. It goes through the page's own connection, one chunk on its way at a time."""

from __future__ import annotations

import asyncio
import codecs

from fastapi import Request
from nicegui import Client, background_tasks, ui

from kiban.engine.comport import Port
from kiban.errors import Conflict, KibanError
from kiban.model.states import ALLOWED
from kiban.web.base import Site
from kiban.web.frame import Page, frame
from kiban.web.onemachine import known, show_state
from kiban.web.roster import Roster
from kiban.wire.base import MachineRef

AGAIN = 2.0
"""Seconds after which a port that was refused or closed is tried again."""
TAKEN = 60.0
"""Seconds that a browser may take to show a chunk."""
LEAVE = """(event) => { if (!event.ctrlKey || !event.altKey || event.code !== "ArrowLeft") return;
event.stopPropagation(); event.preventDefault(); document.querySelector(".k-console-bar a").focus(); }"""
"""Tab is the guest's, so something else leads out of the terminal; the same keys as out of the screen."""


def add(site: Site) -> None:
    """A terminal for each COM port."""

    @ui.page("/console/{machine}/com/{number}")
    async def terminal_page(request: Request, machine: MachineRef, number: int) -> None:
        with frame(request, site.session(request)) as page:
            if await known(page, site.roster, machine if number in (1, 2) else ""):
                TerminalPage(page, site.roster, machine, number)


class TerminalPage:
    """What one browser has of one COM port."""

    def __init__(self, page: Page, roster: Roster, machine_id: str, number: int) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        self._id, self._number = machine_id, number
        self._port: Port | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with ui.row().classes("k-bar k-console-bar"):
            self._title = ui.label().classes("k-title").props('role="heading" aria-level="1"')
            self._state = ui.label().classes("k-state")
            ui.link(self._words("screen page"), f"/console/{machine_id}").classes("k-soft")
            ui.link(self._words("machine page"), f"/machine/{machine_id}").classes("k-soft")
        self._note = ui.label().classes("k-note").props('role="status"')
        with ui.element("div").classes("k-terminal"):
            self._terminal = ui.xterm({"scrollback": 5000}, on_data=lambda event: self._type(event.data))
            self._terminal.on("keydown.capture", js_handler=LEAVE)
            ui.element("q-resize-observer").props("debounce=100").on("resize", self._terminal.fit)
        ui.label(self._words("terminal keys")).classes("k-soft")
        self._show()
        client = ui.context.client
        client.on_delete(roster.watch(self._show))
        if self._page.may("com.attach"):
            self._note.set_text(self._words("screen connecting"))
            following = background_tasks.create(self._follow(client))
            client.on_delete(following.cancel)
        else:
            self._note.set_text(self._words("not allowed"))

    def _show(self) -> None:
        """Bring the title up to date."""
        view = self._roster.machines.get(self._id)
        if view is None:
            self._title.set_text(self._words("gone"))
            return
        self._title.set_text(f"{view.name}, COM {self._number}")
        show_state(self._state, self._page, view)

    async def _follow(self, client: Client) -> None:
        """Be attached whenever that is possible, and say why it is not."""
        await client.connected()
        while True:
            try:
                await self._attend()
            except KibanError as error:
                self._note.set_text(self._why(error))
            await asyncio.sleep(AGAIN)

    async def _attend(self) -> None:
        port: Port = await self._page.session.run("com.attach", self._id, self._number)
        self._port = port
        self._note.set_text("")
        try:
            while data := await port.read():
                await self._write(self._decoder.decode(data))
        finally:
            self._port = None
            port.close()

    async def _write(self, text: str) -> None:
        """Show what the guest says, and wait until the browser has it."""
        try:
            await self._terminal.run_method("write", text, timeout=TAKEN)
        except TimeoutError:
            return  # a browser that sleeps; the page ends when it does not come back

    def _why(self, error: KibanError) -> str:
        view = self._roster.machines.get(self._id)
        if view is not None and view.state not in ALLOWED["look at"]:
            return self._words("terminal waits")
        return self._words.refused(error)

    def _type(self, text: str) -> None:
        if self._port is None:
            return
        try:
            self._port.type(text.encode())
        except Conflict as error:
            self._page.complain(error)
