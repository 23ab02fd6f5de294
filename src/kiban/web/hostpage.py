# SPDX-License-Identifier: GPL-2.0-or-later
"""The host: what its machines have been given of it and take on its disks, and what it has and lacks."""

from __future__ import annotations

import os

import psutil
from fastapi import Request
from nicegui import background_tasks, ui

import kiban
from kiban.engine.checkup import Finding
from kiban.model.states import ALIVE
from kiban.model.units import format_size
from kiban.web.base import Site
from kiban.web.frame import Page, advise, frame
from kiban.web.roster import Roster
from kiban.web.storage import Bar, StorageCard

LOOKS = {
    "good": ("check_circle", "k-good"),
    "without": ("remove_circle_outline", "k-soft"),
    "missing": ("error", "k-note"),
}
"""Icon and looks of each word for how a finding is."""


def add(site: Site) -> None:
    """The page of the host."""

    @ui.page("/host")
    def host_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            HostPage(page, site.roster)


class HostPage:
    """What one browser sees of the host; the findings are as of when the page was opened, or looked at again."""

    def __init__(self, page: Page, roster: Roster) -> None:
        self._page, self._roster, self._words = page, roster, page.words
        with ui.row().classes("k-bar"):
            ui.label(page.words("host")).classes("k-title").props('role="heading" aria-level="1"')
            ui.label(f"Kiban {kiban.__version__}").classes("k-soft")
            ui.space()
            again = ui.button(page.words("host again"), icon="refresh", on_click=self._look)
            again.props("flat no-caps")
        with ui.column().classes("k-card"):
            ui.label(page.words("host given")).classes("k-part")
            self._given = ui.label().props('role="status"')
            self._running = ui.label()
            self._cpus, self._memory = Bar(page.words("host processors")), Bar(page.words("host memory"))
        self._storage = StorageCard(page)
        with ui.column().classes("k-card"):
            ui.label(page.words("host findings")).classes("k-part")
            self._findings = ui.column().classes("k-wholly k-findings")
        self._count()
        client = ui.context.client
        client.on_delete(roster.watch(self._count))
        client.on_delete(background_tasks.create(self._look()).cancel)

    def _count(self) -> None:
        """What machines have been given, all of them and those that run."""
        views = [view for view in self._roster.machines.values() if not view.problem]
        alive = [view for view in views if view.state in ALIVE]
        processors, there = len(os.sched_getaffinity(0)), psutil.virtual_memory().total
        for label, word, some in ((self._given, "all", views), (self._running, "running", alive)):
            cpus, memory = sum(view.cpus for view in some), format_size(sum(view.memory for view in some))
            label.set_text(
                self._words(f"host {word}", machines=len(some), cpus=cpus, processors=processors, memory=memory)
            )

        alive_cpus, alive_memory = sum(view.cpus for view in alive), sum(view.memory for view in alive)
        bars = ((self._cpus, alive_cpus, processors, str), (self._memory, alive_memory, there, format_size))
        for bar, given, has, said in bars:
            percent = round(100 * given / has)
            bar.fill(given / has, self._words("host share", given=said(given), has=said(has), percent=percent))

    async def _look(self) -> None:
        await self._storage.look()
        found: list[Finding] | None = await self._page.do(self._page.session.run("doctor.report"))
        self._findings.clear()
        with self._findings:
            for finding in found or ():
                self._finding(finding)

    def _finding(self, finding: Finding) -> None:
        how = "good" if finding.ok else "missing" if finding.needed else "without"
        icon, looks = LOOKS[how]
        with ui.row().classes("k-finding"):
            ui.icon(icon).classes(looks)
            with ui.column().classes("k-half k-said"):
                said = self._words(f"finding {how}")
                ui.label(f"{self._words.term(finding.name)}: {said}").classes("k-part")
                ui.label(self._words.said(finding.detail))
                if finding.hint and not finding.ok:
                    advise(self._words, finding.hint)
