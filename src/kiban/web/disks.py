# SPDX-License-Identifier: GPL-2.0-or-later
"""All disks of machines as trees: parents above what is made on them, who uses which, and a look at any other image."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastapi import Request
from nicegui import background_tasks, events, ui

from kiban.engine.diskview import DiskView, LinkView, Use
from kiban.engine.jobs import LIVE
from kiban.model.units import format_size
from kiban.web.base import Site
from kiban.web.diskacts import Image
from kiban.web.diskdialog import DiskDialog, NewDisk
from kiban.web.forms import readable, wanted
from kiban.web.frame import Page, frame
from kiban.web.jobwatch import follow
from kiban.web.roster import Roster
from kiban.wire import disks as wire

SHOWN = 50
"""Families that are shown at first, and more of them with each press of a button."""


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
        self._families: list[DiskView] = []
        self._looked: DiskView | None = None
        self._text, self._shown = "", SHOWN
        self._news = asyncio.Event()
        self._heads()
        self._one = ui.column().classes("k-card")
        self._all = ui.column().classes("k-wholly")
        self._dialogs = ui.element("div")  # the trees are drawn anew while one is open
        self._one.set_visibility(False)
        with self._all:
            ui.spinner(size="2em")
        self._before: tuple[object, ...] = ()
        self._states: dict[str, str] = {}  # of the machines, as they are shown
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
            search = ui.input(words("search"), on_change=self._seek).classes("k-search")
            search.props('dense outlined clearable debounce=150 type="search"')
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
        self._text, self._shown = event.value or "", SHOWN
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
        elif self._families and self._states != _states(self._roster):
            self._show()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            found = await self._page.do(self._page.session.run("disks.list"))
            self._families = self._families if found is None else found
            self._show()

    def _show(self) -> None:
        """Draw the trees anew; a machine's state is what it is now."""
        self._states = states = _states(self._roster)
        wanted_words = self._text.casefold().split()
        found = [view for view in self._families if all(word in _said(view) for word in wanted_words)]
        self._all.clear()
        with self._all:
            if not found:
                ui.label(self._words("no disks")).classes("k-soft")
            for view in found[: self._shown]:
                with ui.element("section").classes("k-card"):
                    self._tree(_now(view, states))
            if len(found) > self._shown:
                more = self._words("more disks", more=len(found) - self._shown)
                ui.button(more, on_click=self._more).props("flat no-caps")

    def _more(self) -> None:
        self._shown += SHOWN
        self._show()

    async def _look(self, path: str | None, form: str | None) -> None:
        """Look at any image; what stands against it is shown."""

        async def find() -> DiskView:
            look = wanted(wire.Look, disk=path, format=form)
            found: DiskView = await self._page.session.run("disks.info", look.ref(), look.folders)
            return found

        self._looked = await self._page.do(find())
        self._one.clear()
        self._one.set_visibility(self._looked is not None)
        if self._looked is not None:
            with self._one:
                ui.label(self._looked.path).classes("k-part").props('role="heading" aria-level="2"')
                self._tree(self._looked)

    def _tree(self, view: DiskView) -> None:
        paths = {link.path for link in view.links}
        if not view.links:
            ui.label(view.path).classes("k-part")
        with ui.element("ul").classes("k-chain"):
            for root in view.links:
                if root.parent not in paths:
                    self._branch(root, view.links)
        if view.problem:
            ui.label(view.problem).classes("k-note").props('role="status"')

    def _branch(self, link: LinkView, family: Sequence[LinkView]) -> None:
        with ui.element("li"):
            with ui.element("div").classes("k-image"):
                self._image(link, family)
            children = [other for other in family if other.parent == link.path]
            if children:
                with ui.element("ul"):
                    for child in children:
                        self._branch(child, family)

    def _image(self, link: LinkView, family: Sequence[LinkView]) -> None:
        words = self._words
        image = Image(link, family)
        name = ui.button(link.path.rpartition("/")[2], on_click=lambda: self._inspect(image))
        name.props(f'flat dense no-caps icon="save" title="{html.escape(words("look closely"))}"').classes("k-disk")
        sizes = words("sizes", size=format_size(link.virtual_size), takes=format_size(link.actual_size))
        ui.label(f"{link.format}, {words(f'kind {link.kind}')}. {sizes}").classes("k-soft")
        for use in link.uses:
            if use.writes:
                self._user(use)
        if link.dirty:
            ui.label(words("dirty")).classes("k-note")
        if link.snapshots:
            ui.label(words("snapshots", snapshots=link.snapshots)).classes("k-soft")
        ui.label(link.path).classes("k-soft k-where")

    def _inspect(self, image: Image) -> None:
        with self._dialogs:
            DiskDialog(self._page, image)

    def _user(self, use: Use) -> None:
        ids = {view.name: view.id for view in self._roster.machines.values()}
        with ui.row().classes("k-user"):
            ui.label(use.disk)
            ui.link(use.machine, f"/machine/{ids.get(use.machine, use.machine)}").classes("k-machine")
            ui.label(self._words(f"state {use.state}")).classes(f"k-state k-{use.state}")


def _states(roster: Roster) -> dict[str, str]:
    return {view.name: view.state for view in roster.machines.values()}


def _said(view: DiskView) -> str:
    """What a search finds a family by."""
    parts = [view.path, view.problem]
    for link in view.links:
        parts += [link.path, link.format, *(use.machine for use in link.uses)]
    return " ".join(parts).casefold()


def _now(view: DiskView, states: Mapping[str, str]) -> DiskView:
    """With the machines' states as they are now."""
    links = (
        replace(link, uses=tuple(replace(use, state=states.get(use.machine, use.state)) for use in link.uses))
        for link in view.links
    )
    return replace(view, links=tuple(links))
