# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media: what is in it, what that is, which machines have it, and a way for it to come and go."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from nicegui import background_tasks, events, ui

from kiban.engine.advising import Advice
from kiban.engine.media import MediumView
from kiban.errors import KibanError
from kiban.model.units import format_size
from kiban.web import upload
from kiban.web.base import Site
from kiban.web.cells import column, fill
from kiban.web.frame import Page, frame, sure
from kiban.web.jobwatch import follow
from kiban.web.roster import Roster

COLUMNS = ("name", "system", "size", "added", "machines", "remove")
LOOKS = {"name": "", "size": "k-size", "remove": ""}
"""Of the columns that a phone shows, too; what an image is and who has it stand below its name there."""
SORTABLE = ("name", "system", "size", "added")
NAME = """<q-td :props="props"><span class="k-part k-image-name">{{ props.row.name }}</span>
<div class="k-soft k-narrow">{{ props.row.system }}</div>
<div class="k-soft k-narrow" v-if="props.row.used">{{ props.row.used }}</div></q-td>"""
SIZE = """<q-td :props="props">{{ props.row.takes }}</q-td>"""
ADDED = """<q-td :props="props">{{ new Date(props.row.added).toLocaleDateString(props.row.language) }}</q-td>"""
MACHINES = """<q-td :props="props"><template v-for="(machine, number) in props.row.machines" :key="machine.name">
<template v-if="number">, </template><a class="k-machine" :href="machine.address">{{ machine.name }}</a></template>
<span class="k-soft"> {{ props.row.more }}</span></q-td>"""
REMOVE = """<q-td :props="props"><q-btn flat dense round icon="delete" :aria-label="props.row.remove"
:title="props.row.why || props.row.remove" :disable="!!props.row.why" @click="tell('remove', props.row.name)" />
</q-td>"""
MOST = 5
"""Machines that are named of those that have an image; a thousand may."""
Key = tuple[str, int, str]


def add(site: Site) -> None:
    """The page of the library."""

    @ui.page("/library")
    def library_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            LibraryPage(page, site.roster)


class LibraryPage:
    """What one browser sees of the library. It is read anew when an image has come or gone, or changed its drive."""

    def __init__(self, page: Page, roster: Roster) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        self._images: Sequence[MediumView] = ()
        self._systems: dict[Key, str] = {}
        self._drives: Sequence[object] = ()
        self._news = asyncio.Event()
        ui.label(page.words("library")).classes("k-title").props('role="heading" aria-level="1"')
        ui.label(page.words("library is")).classes("k-soft")
        upload.zone(page, self._changed)
        self._table = self._make_table()
        self._check()
        client = ui.context.client
        client.on_delete(roster.watch(self._check))
        client.on_delete(background_tasks.create(self._run()).cancel)
        follow(page.session, self._news.set, about="medium.")

    def _make_table(self) -> ui.table:
        columns = [
            column(
                name,
                self._words(f"library column {name}"),
                LOOKS.get(name, "k-wide"),
                right=name == "size",
                sortable=name in SORTABLE,
            )
            for name in COLUMNS
        ]
        table = ui.table(columns=columns, rows=[], row_key="name", pagination=25)
        table.classes("k-table").props("flat bordered wrap-cells :rows-per-page-options=[25,50,100] binary-state-sort")
        table.props(f'no-data-label="{html.escape(self._words("library empty"))}"')
        slots = {"name": NAME, "size": SIZE, "added": ADDED, "machines": MACHINES, "remove": REMOVE}
        for name, slot in slots.items():
            fill(table, f"body-cell-{name}", slot)
        table.on("remove", self._remove)
        return table

    def _check(self) -> None:
        """Look whether machines have other media now."""
        drives = [(view.name, view.dvds, view.floppy) for view in self._roster.machines.values()]
        if drives != self._drives:
            self._drives = drives
            self._news.set()

    async def _changed(self, _: str) -> None:
        self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            found = await self._page.do(self._page.session.run("media.list"))
            self._images = found or ()
            self._show()
            await self._recognise()

    async def _recognise(self) -> None:
        """What each image is; one after the other, as each is opened and read."""
        for image in self._images:
            if _key(image) not in self._systems and not self._news.is_set():
                self._systems[_key(image)] = await self._system(image)
                self._show()

    async def _system(self, image: MediumView) -> str:
        if image.kind == "floppy" or not self._page.may("media.advise"):
            return self._words(f"library {image.kind}")
        try:
            advice: Advice = await self._page.session.run("media.advise", image.path)
        except KibanError as error:
            return self._words.refused(error)
        return advice.name or self._words("make system not known", label=advice.label)

    def _show(self) -> None:
        ids = {view.name: view.id for view in self._roster.machines.values()}
        rows = [self._row(image, ids) for image in self._images]
        if self._table.rows != rows:
            self._table.rows = rows

    def _row(self, image: MediumView, ids: dict[str, str]) -> dict[str, Any]:
        words, named = self._words, image.machines[:MOST]
        more = words("library more", more=len(image.machines) - MOST) if len(image.machines) > MOST else ""
        used = f"{', '.join(named)} {more}".strip()
        why = words("in drive of", machines=used) if used else ""
        return {
            "name": image.name,
            "system": self._systems.get(_key(image), ""),
            "size": image.size,
            "takes": format_size(image.size),
            "added": image.added,
            "language": words.language,
            "machines": [{"name": name, "address": f"/machine/{ids.get(name, name)}"} for name in named],
            "more": more,
            "used": used,
            "remove": words("remove image", name=image.name),
            "why": why if self._page.may("media.remove") else words("not allowed"),
        }

    async def _remove(self, event: events.GenericEventArguments) -> None:
        name, words = str(event.args), self._words
        if await sure(words("remove image?", name=name), words("remove"), words("cancel")):
            await self._page.do(self._page.session.run("media.remove", name))
            self._news.set()


def _key(image: MediumView) -> Key:
    """What an image is known by: another one of its name is another one."""
    return image.name, image.size, image.added
