# SPDX-License-Identifier: GPL-2.0-or-later
"""All disks of machines as trees: parents above what is made on them, who uses which, and a look at any other image."""

from __future__ import annotations

import asyncio
import html

from fastapi import Request
from nicegui import background_tasks, events, ui

from kiban.engine.diskview import DiskView
from kiban.engine.jobs import LIVE
from kiban.web import disktrees, search
from kiban.web.base import Site
from kiban.web.diskacts import Image
from kiban.web.diskdialog import DiskDialog, NewDisk
from kiban.web.disktrees import Family, Trees
from kiban.web.forms import readable, wanted
from kiban.web.frame import Page, frame
from kiban.web.jobwatch import follow
from kiban.web.roster import Roster
from kiban.wire import disks as wire

SHOWN = 50
"""Images that are shown at first, and more of them with each press of a button."""


def add(site: Site) -> None:
    """The page of disks."""

    @ui.page("/disks")
    def disks_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            DisksPage(page, site.roster)


class DisksPage:
    """What one browser sees of the disks. They are read anew when machines' disks change or a job on disks is over."""

    def __init__(self, page: Page, roster: Roster) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        self._families: list[DiskView] | None = None  # not known yet
        self._looked: DiskView | None = None
        self._text, self._most = "", SHOWN
        self._news = asyncio.Event()
        self._before: tuple[object, ...] = ()
        self._heads()
        self._found = Trees(page, self._inspect)
        self._wait = ui.spinner(size="2em")
        self._trees = Trees(page, self._inspect)
        self._none = ui.label(page.words("no disks")).classes("k-soft")
        self._more = ui.button(on_click=self._show_more).props("flat no-caps")
        self._dialogs = ui.element("div")  # an image may go while its dialog is open
        self._show()
        self._check()
        client = ui.context.client
        client.on_delete(roster.watch(self._check))
        client.on_delete(background_tasks.create(self._run()).cancel)
        follow(page.session, self._check)

    def _heads(self) -> None:
        words = self._words
        with ui.row().classes("k-bar"):
            ui.label(words("disks")).classes("k-title").props('role="heading" aria-level="1"')
            ui.space()
            search.field(words, self._seek)
            new = ui.button(words("new disk"), icon="add", on_click=lambda: NewDisk(self._page))
            self._grey(new.props("unelevated no-caps"), "disks.create")
        with ui.row().classes("k-bar k-lookbar"):
            path = ui.input(words("look at path"), placeholder="/srv/images/data.vhdx").classes("k-path")
            form = ui.select(readable(words), label=words("format"))
            path.props("dense outlined").on("keydown.enter", lambda: self._look(path.value, form.value))
            form.set_value("").props("dense outlined options-dense").classes("k-short")
            button = ui.button(words("look"), icon="search", on_click=lambda: self._look(path.value, form.value))
            self._grey(button.props("outline no-caps"), "disks.info")

    def _grey(self, button: ui.button, command: str) -> None:
        if not self._page.may(command):
            button.props(f'title="{html.escape(self._words("not allowed"))}"').disable()

    def _seek(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        self._text, self._most = event.value or "", SHOWN
        self._show()

    def _check(self) -> None:
        """Look whether something has changed that the trees are made of."""
        views = self._roster.machines.values()
        jobs = self._page.session.host.jobs.list()
        over = [job.id for job in jobs if job.command.startswith("disks.") and job.state not in LIVE]
        now = ({view.id: (view.name, view.disks) for view in views}, over)
        if now != self._before:
            self._before = now
            self._news.set()
        elif self._families is not None:
            self._show()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            found = await self._page.do(self._page.session.run("disks.list"))
            self._families = found if found is not None else self._families or []
            self._show()

    def _show(self) -> None:
        """Bring the trees up to date; the machines' states are those of now."""
        machines = {view.name: view for view in self._roster.machines.values()}
        found, more = disktrees.find(self._families or [], self._text, self._most)
        self._trees.show(found, machines)
        self._found.show([Family(self._looked, self._looked.links)] if self._looked else [], machines)
        self._wait.set_visibility(self._families is None)
        self._none.set_visibility(self._families is not None and not found)
        self._more.set_visibility(more > 0)
        self._more.set_text(self._words("more disks", more=more))

    def _show_more(self) -> None:
        self._most += SHOWN
        self._show()

    async def _look(self, path: str | None, form: str | None) -> None:
        """Look at any image; what stands against it is shown."""

        async def find() -> DiskView:
            look = wanted(wire.Look, disk=path, format=form)
            found: DiskView = await self._page.session.run("disks.info", look.ref(), look.folders)
            return found

        self._looked = await self._page.do(find())
        self._show()

    def _inspect(self, image: Image) -> None:
        with self._dialogs:
            DiskDialog(self._page, image)
