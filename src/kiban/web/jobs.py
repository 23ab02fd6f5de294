# SPDX-License-Identifier: GPL-2.0-or-later
"""The jobs of the service: what goes on, what became of the rest, and how to stop one."""

from __future__ import annotations

import html
import json
from typing import Any

from fastapi import Request
from nicegui import events, ui

from kiban.engine.jobs import LIVE, Job
from kiban.errors import KibanError
from kiban.web import search
from kiban.web.base import Site
from kiban.web.cells import column, fill
from kiban.web.frame import Page, frame
from kiban.web.jobcard import JobCard, outcome, stop, stoppable
from kiban.web.jobwatch import follow, title
from kiban.web.roster import Roster

COLUMNS = ("job", "about", "state", "since")
LONGEST = 20_000
"""Characters of a job's result that are shown."""
JOB = """<q-td :props="props"><button class="k-look" @click="tell('look', props.row.id)">{{ props.row.job }}
</button><div class="k-soft k-narrow">{{ props.row.machine }}</div></q-td>"""
ABOUT = """<q-td :props="props"><a v-if="props.row.address" class="k-machine" :href="props.row.address">
{{ props.row.machine }}</a><span v-else>{{ props.row.machine }}</span></q-td>"""
STATE = """<q-td :props="props"><span :class="'k-part k-job-' + props.row.state">{{ props.row.said }}</span>
<template v-if="props.row.live"><q-linear-progress size="8px" :value="props.row.progress" :aria-label="props.row.job" />
<div class="k-soft">{{ props.row.text }}</div>
<q-btn flat dense no-caps icon="cancel" :label="props.row.stop" :disable="!props.row.stoppable" :title="props.row.why"
@click="tell('stop', props.row.id)" /></template>
<div v-else :class="props.row.state === 'done' ? 'k-soft' : 'k-note'">{{ props.row.text }}</div></q-td>"""
SINCE = """<q-td :props="props">{{ new Date(props.row.created).toLocaleString(props.row.language) }}</q-td>"""


def add(site: Site) -> None:
    """The page of jobs."""

    @ui.page("/jobs")
    def jobs_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            JobsPage(page, site.roster)


class JobsPage:
    """What one browser sees of the jobs; the newest are first."""

    def __init__(self, page: Page, roster: Roster) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        self._text, self._number, self._size = "", 1, 25
        with ui.row().classes("k-bar"):
            ui.label(page.words("jobs")).classes("k-title").props('role="heading" aria-level="1"')
            ui.space()
            search.field(page.words, self._seek)
        self._table = self._make_table()
        self._show()
        follow(page.session, self._show)

    def _make_table(self) -> ui.table:
        wide = ("about", "since")
        columns = [column(n, self._words(f"job column {n}"), "k-wide" if n in wide else "") for n in COLUMNS]
        table = ui.table(columns=columns, rows=[], row_key="id")
        table.classes("k-table k-jobs").props("flat bordered wrap-cells :rows-per-page-options=[25,50,100]")
        table.props(f'no-data-label="{html.escape(self._words("no jobs"))}"').props(remove="hide-pagination")
        for name, slot in (("job", JOB), ("about", ABOUT), ("state", STATE), ("since", SINCE)):
            fill(table, f"body-cell-{name}", slot)
        table.on("request", self._turn, ["pagination"])
        table.on("stop", lambda event: stop(self._page, str(event.args)))
        table.on("look", lambda event: self._look(str(event.args)))
        return table

    def _seek(self, event: events.ValueChangeEventArguments[str | None]) -> None:
        self._text, self._number = event.value or "", 1
        self._show()

    def _turn(self, event: events.GenericEventArguments) -> None:
        asked = event.args["pagination"]
        self._number = int(asked.get("page") or 1)
        self._size = min(max(int(asked.get("rowsPerPage") or 100), 1), 100)
        self._show()

    def _show(self) -> None:
        """Bring the table up to date; only what differs is sent to the browser."""
        wanted = search.sought(self._text)
        found = [job for job in reversed(self._page.session.host.jobs.list()) if self._matches(job, wanted)]
        self._number = max(1, min(self._number, -(-len(found) // self._size)))
        pages = {"page": self._number, "rowsPerPage": self._size, "rowsNumber": len(found)}
        if self._table.pagination != pages:
            self._table.pagination = pages
        ids = {view.name: view.id for view in self._roster.machines.values()}
        first = (self._number - 1) * self._size
        rows = [self._row(job, ids) for job in found[first : first + self._size]]
        if self._table.rows != rows:
            self._table.rows = rows

    def _matches(self, job: Job, wanted: list[str]) -> bool:
        said = f"{title(job, self._words)} {job.command} {job.machine} {self._words(f'job {job.state}')} {job.id}"
        return all(part in said.casefold() for part in wanted)

    def _row(self, job: Job, ids: dict[str, str]) -> dict[str, Any]:
        live = job.state in LIVE
        may = stoppable(self._page, job)
        return {
            "id": job.id,
            "job": title(job, self._words),
            "machine": job.machine,
            "address": f"/machine/{ids[job.machine]}" if job.machine in ids else "",
            "state": job.state,
            "said": self._words(f"job {job.state}"),
            "live": live,
            "progress": job.progress,
            "text": f"{job.progress:.0%} {self._words.said(job.text)}" if live else " ".join(outcome(job, self._words)),
            "stop": self._words("stop job"),
            "stoppable": may,
            "why": "" if may else self._words("not allowed"),
            "created": job.created,
            "language": self._words.language,
        }

    def _look(self, job_id: str) -> None:
        """Everything about one job."""
        try:
            job = self._page.session.host.jobs.get(job_id)
        except KibanError as error:
            self._page.complain(error)
            return
        with ui.dialog() as dialog, ui.card().classes("k-dialog"):
            ui.label(job.id).classes("k-title").props('role="heading" aria-level="2"')
            ui.label(f"{job.command} {job.machine}").classes("k-soft")
            JobCard(self._page, job)
            ui.label(self._words("began", time=job.created)).classes("k-soft")
            if job.ended:
                ui.label(self._words("ended", time=job.ended)).classes("k-soft")
            if job.result is not None:
                with ui.expansion(self._words("result")).classes("k-wholly"):
                    ui.label(json.dumps(job.result, indent=2, ensure_ascii=False)[:LONGEST]).classes("k-plain")
            with ui.row().classes("k-answers"):
                ui.button(self._words("close"), on_click=dialog.close).props("flat no-caps autofocus")
        dialog.on("hide", dialog.delete)
        dialog.open()
