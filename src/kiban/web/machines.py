# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of machines: live, searched, and run many at a time."""

from __future__ import annotations

import html

from fastapi import Request
from nicegui import events, ui

from kiban.web import bulk, rows, search
from kiban.web.base import Site
from kiban.web.cells import column, fill
from kiban.web.frame import Page, frame, sure
from kiban.web.roster import Roster

COLUMNS = {
    "screen": False,
    "name": True,
    "state": True,
    "cpu": False,
    "heartbeat": False,
    "generation": True,
    "cpus": True,
    "memory": True,
    "uptime": True,
}
"""Columns, and whether the list can be sorted by them."""
ACTIONS = (("life.start", "play_arrow"), ("life.shut_down", "power_settings_new"), ("life.turn_off", "power_off"))
SHOWN = 5
"""Refusals of one action that are spelled out."""
TICK = 30.0
"""Seconds between looks at how long machines have been up."""
SCREEN = """<q-td :props="props"><div class="k-screen" :class="{off: !props.row.screen}">
<a v-if="props.row.screen" :href="'/console/' + props.row.id" :aria-label="props.row.connect"><img alt=""
:data-screen="'/screen/' + props.row.id"></a></div></q-td>"""
NAME = """<q-td :props="props"><a class="k-machine" :href="'/machine/' + props.row.id">{{ props.row.name }}</a>
<div v-if="props.row.note" class="k-note">{{ props.row.note }}</div></q-td>"""
FIGURE = """<q-td :props="props"><span v-if="props.row.state === 'running' || props.row.state === 'paused'"
:data-usage="props.row.id" data-figure="{}"></span></q-td>"""
ROW_BOX = """<q-checkbox v-model="props.selected" :aria-label="props.row.name"></q-checkbox>"""
HEAD_BOX = """<q-checkbox v-model="props.selected" aria-label="{}"></q-checkbox>"""
STATE = (
    """<q-td :props="props"><span class="k-state" :class="'k-' + props.row.state">{{ props.row.said }}</span></q-td>"""
)


def add(site: Site) -> None:
    """The first page."""

    @ui.page("/")
    def machines_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            MachinesPage(page, site.roster)


class MachinesPage:
    """What one browser sees of the machines."""

    def __init__(self, page: Page, roster: Roster) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        self._query = rows.Query()
        with ui.row().classes("k-bar"):
            self._search = search.field(self._words, self._seek)
            self._count = ui.label().classes("k-soft").props('role="status"')
            ui.space()
            self._chosen = ui.label().classes("k-soft")
            self._buttons = [self._button(command, icon) for command, icon in ACTIONS]
        self._table = self._make_table()
        self._first = ui.link(self._words("new machine"), "/create").classes("k-part")
        self._show()
        ui.timer(TICK, self._show)
        ui.context.client.on_delete(roster.watch(self._show))

    def _button(self, command: str, icon: str) -> ui.button:
        words = self._words(command)
        button = ui.button(words, icon=icon, on_click=lambda: self._ask(command)).props("flat no-caps dense")
        button.set_enabled(False)
        if not self._page.may(command):
            button.props(f'title="{html.escape(self._words("not allowed"))}"')
        return button

    def _make_table(self) -> ui.table:
        columns = [
            column(
                name,
                self._words(f"column {name}"),
                "" if name in ("screen", "name", "state") else "k-wide",
                right=name in ("cpu", "cpus", "memory"),
                sortable=sortable,
            )
            for name, sortable in COLUMNS.items()
        ]
        table = ui.table(columns=columns, rows=[], row_key="id", selection="multiple", on_select=self._select)
        table.classes("k-table").props("flat bordered :rows-per-page-options=[25,50,100] binary-state-sort")
        table.props(f'no-data-label="{html.escape(self._words("none found"))}"')
        for name, slot in (("screen", SCREEN), ("name", NAME), ("state", STATE)):
            fill(table, f"body-cell-{name}", slot)
        for name in ("cpu", "heartbeat"):
            fill(table, f"body-cell-{name}", FIGURE.format(name))
        fill(table, "body-selection", ROW_BOX)
        fill(table, "header-selection", HEAD_BOX.format(html.escape(self._words("choose all"))))
        table.props(remove="hide-pagination")
        table.on("request", self._turn, ["pagination"])
        return table

    def _seek(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        self._query.text, self._query.page = event.value or "", 1
        self._show()

    def _turn(self, event: events.GenericEventArguments) -> None:
        asked = event.args["pagination"]
        sort = asked.get("sortBy")
        self._query.sort = sort if sort in rows.SORTS else "name"
        self._query.descending = bool(asked.get("descending"))
        self._query.page = int(asked.get("page") or 1)
        self._query.size = min(max(int(asked.get("rowsPerPage") or 100), 1), 100)
        self._show()

    def _show(self) -> None:
        """Bring the table up to date; only what differs is sent to the browser."""
        query, machines = self._query, self._roster.machines
        found = rows.find(machines.values(), query, self._words)
        query.page = found.page
        pages = {
            "sortBy": query.sort,
            "descending": query.descending,
            "page": query.page,
            "rowsPerPage": query.size,
            "rowsNumber": found.total,
        }
        if self._table.pagination != pages:
            self._table.pagination = pages
        if self._table.rows != found.rows:
            self._table.rows = found.rows
        kept = [row for row in self._table.selected if row["id"] in machines]
        if len(kept) != len(self._table.selected):
            self._table.selected = kept
        self._first.set_visibility(not machines)
        self._count.set_text(self._words("count", found=found.total, all=len(machines)))
        self._select()

    def _select(self) -> None:
        chosen = len(self._table.selected)
        self._chosen.set_text(self._words("chosen", chosen=chosen) if chosen else "")
        for (command, _), button in zip(ACTIONS, self._buttons, strict=True):
            button.set_enabled(bool(chosen) and self._page.may(command))

    async def _ask(self, command: str) -> None:
        ids = [row["id"] for row in self._table.selected]
        words = self._words
        if command == "life.turn_off" and not await sure(
            words("turn off?", chosen=len(ids)), words(command), words("cancel")
        ):
            return
        outcome = await self._page.do(bulk.run(self._page.session, command, ids))
        if outcome is None:
            return
        if outcome.done:
            ui.notify(self._words("done", done=outcome.done), type="positive")
        for error in outcome.refused[:SHOWN]:
            self._page.complain(error)
        if (more := len(outcome.refused) - SHOWN) > 0:
            ui.notify(self._words("more refused", more=more), type="warning")
