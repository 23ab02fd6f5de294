# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's storage: its file systems with what machines take there, and which machines and images take most."""

from __future__ import annotations

import html
from typing import Any

from nicegui import events, ui

from kiban.engine.capacity import Capacity, FileSystem, Holding
from kiban.model.units import format_size
from kiban.web.cells import column, fill
from kiban.web.frame import Page, tell
from kiban.web.kept import Kept
from kiban.web.words import Words

EVERY = 30.0
"""Seconds between looks while the page is in view."""
SHOWN = 25
"""Machines and images that are shown at first, and more of them with each press of a button."""
COLUMNS = ("name", "takes", "saved", "provisioned", "growth")
LOOKS = {"name": "", "takes": "k-size"}
"""Of the columns that a phone shows, too."""
NAME = """<q-td :props="props"><a v-if="props.row.address" class="k-machine" :href="props.row.address">
{{ props.row.name }}</a><div v-else class="k-image-name">{{ props.row.name }}
<div class="k-soft">{{ props.row.users }}</div></div></q-td>"""
TAKES = """<q-td :props="props">{{ props.row.takes }}<div class="k-share" aria-hidden="true">
<div :style="{ width: props.row.share + '%' }"></div></div></q-td>"""


class Bar:
    """How much of something is taken: a title, a bar, and the same in words."""

    def __init__(self, title: str) -> None:
        with ui.element("div").classes("k-room") as self.element:
            with ui.row().classes("k-bar"):
                ui.label(title).classes("k-part")
                ui.space()
                self._said = ui.label().classes("k-soft")
            self._bar = ui.linear_progress(0, show_value=False, size="10px").props("instant-feedback")
            self._bar.props["aria-label"] = title

    def fill(self, part: float, said: str) -> None:
        """`part` is from 0 to 1, and beyond it where more was promised than is there."""
        self._bar.set_value(min(part, 1.0))
        self._said.set_text(said)


class StorageCard:
    """What one browser sees of it, measured now and then while the page is in view."""

    def __init__(self, page: Page) -> None:
        self._page, self._words, self._most = page, page.words, SHOWN
        self._holdings: tuple[Holding, ...] = ()
        with ui.column().classes("k-card"):
            ui.label(page.words("storage")).classes("k-part").props('role="heading" aria-level="2"')
            rooms = ui.column().classes("k-wholly")
            self._rooms = Kept[str, FileSystem](rooms, lambda room: _Room(room.path, page.words))
        with ui.column().classes("k-card"):
            ui.label(page.words("storage who")).classes("k-part").props('role="heading" aria-level="2"')
            self._table = self._make_table()
            self._more = ui.button(on_click=self._show_more).props("flat no-caps")
            self._more.set_visibility(False)
        timer = ui.timer(EVERY, self.look)

        def seen(event: events.GenericEventArguments) -> None:
            timer.active = bool(event.args)

        ui.on("seen", seen)

    def _make_table(self) -> ui.table:
        columns = [
            column(name, self._words(f"storage {name}"), LOOKS.get(name, "k-size k-wide"), right=name != "name")
            for name in COLUMNS
        ]
        table = ui.table(columns=columns, rows=[], row_key="name")
        table.classes("k-table").props("flat wrap-cells hide-pagination :rows-per-page-options=[0]")
        table.props(f'no-data-label="{html.escape(self._words("storage none"))}"')
        fill(table, "body-cell-name", NAME)
        fill(table, "body-cell-takes", TAKES)
        return table

    async def look(self) -> None:
        """Measure, or take what was measured a moment ago."""
        found: Capacity | None = await self._page.do(self._page.session.run("host.show"))
        if found is not None:
            self._rooms.show({room.path: room for room in found.file_systems})
            self._holdings = found.holdings
            self._show()

    def _show_more(self) -> None:
        self._most += SHOWN
        self._show()

    def _show(self) -> None:
        largest = max((each.takes for each in self._holdings), default=0) or 1
        rows = [self._row(each, largest) for each in self._holdings[: self._most]]
        if self._table.rows != rows:
            self._table.rows = rows
        more = len(self._holdings) - self._most
        self._more.set_visibility(more > 0)
        self._more.set_text(self._words("more disks", more=more))

    def _row(self, each: Holding, largest: int) -> dict[str, Any]:
        return {
            "name": each.name,
            "address": f"/machine/{each.id}" if each.id else "",
            "users": "" if each.id else self._words("storage shared", machines=len(each.users)),
            "takes": format_size(each.takes),
            "share": round(100 * each.takes / largest, 1),
            "saved": format_size(each.saved) if each.saved else "",
            "provisioned": format_size(each.provisioned) if each.provisioned else "",
            "growth": format_size(each.growth) if each.growth else "",
        }


class _Room:
    """A file system."""

    def __init__(self, path: str, words: Words) -> None:
        self._words = words
        with ui.column().classes("k-room") as self.element:
            self._bar = Bar(path)
            self._parts = ui.label().classes("k-soft")
            self._growth = ui.label().classes("k-soft")
            self._lacking = ui.label().classes("k-note").props('role="status"')

    def show(self, room: FileSystem) -> None:
        words = self._words
        size, free = format_size(room.size), format_size(room.free)
        self._bar.fill(1 - room.free / (room.size or 1), words("storage room", size=size, free=free))
        parts = {part: format_size(getattr(room, part)) for part in ("machines", "images", "library")}
        self._parts.set_text(words("storage parts", **parts))
        growth, lacking = format_size(room.growth), room.growth - room.free
        tell(self._growth, words("storage may grow", growth=growth) if room.growth > 0 >= lacking else "")
        said = words("storage lacking", growth=growth, lacking=format_size(lacking)) if lacking > 0 else ""
        tell(self._lacking, said)
