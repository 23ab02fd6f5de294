# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine imported: where it is, the plan of what becomes of everything, then the import and the machine's page."""

from __future__ import annotations

import html
from collections.abc import Sequence

from fastapi import Request
from nicegui import ui

from kiban.engine.jobs import Job
from kiban.errors import KibanError
from kiban.model.takeover import ImportRequest, Plan, Row
from kiban.model.units import format_size
from kiban.web.base import Site
from kiban.web.forms import readable, wanted
from kiban.web.frame import Page, frame
from kiban.web.jobcard import JobCard
from kiban.wire import takeover


def add(site: Site) -> None:
    """The page of importing."""

    @ui.page("/import")
    def import_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            ImportPage(page)


class ImportPage:
    """What one browser has of an import. What is imported is what the plan was made of."""

    def __init__(self, page: Page) -> None:
        self._page, self._words = page, page.words
        self._turn = 0  # which plan is wanted
        words = page.words
        ui.label(words("import")).classes("k-title").props('role="heading" aria-level="1"')
        ui.label(words("import what")).classes("k-soft")
        with ui.column().classes("k-card k-fields"):
            self._path = self._text("import path", "/mnt/export/web")
            self._path.on("keydown.enter", self._plan)
            self._name = self._text("import name")
            self._lazy = ui.checkbox(words("import lazy"))
            with ui.expansion(words("import more")).classes("k-wholly"), ui.column().classes("k-fields"):
                generations = {0: words("import as there"), 1: "1", 2: "2"}
                self._generation = self._choice("import generation", generations, 0)
                self._format = self._choice("format", readable(words), "")
                self._parents = self._text("import parents", "/mnt/parents")
                self._checkpoint = self._text("import checkpoint")
            button = ui.button(words("import plan"), icon="search", on_click=self._plan).props("outline no-caps")
            if not page.may("takeover.plan"):
                button.props(f'title="{html.escape(words("not allowed"))}"').disable()
                ui.label(words("not allowed")).classes("k-note")
            self._trouble = ui.label().classes("k-note").props('role="alert"')
        self._found = ui.column().classes("k-wholly").props('aria-live="polite"')

    def _text(self, label: str, hint: str = "") -> ui.input:
        return ui.input(self._words(label), placeholder=hint).props("outlined dense").classes("k-wholly")

    def _choice(self, label: str, options: dict[int, str] | dict[str, str], value: int | str) -> ui.select:
        return ui.select(options, label=self._words(label), value=value).props("outlined dense").classes("k-wholly")

    def _asked(self) -> ImportRequest:
        """What the form asks for; BadInput."""
        asked = wanted(
            takeover.Import,
            path=self._path.value,
            name=self._name.value,
            generation=self._generation.value or None,
            format=self._format.value,
            parents=tuple(folder for folder in [(self._parents.value or "").strip()] if folder),
            checkpoint=self._checkpoint.value,
            lazy=self._lazy.value,
        )
        return takeover.request(asked)

    async def _plan(self) -> None:
        self._found.clear()
        self._trouble.set_text("")
        self._turn = turn = self._turn + 1
        try:
            asked = self._asked()
            plan: Plan = await self._page.session.run("takeover.plan", asked)
        except KibanError as error:
            if turn == self._turn:
                self._trouble.set_text(self._words.refused(error))
            return
        if turn == self._turn:  # whoever presses twice gets one, of what was asked last
            with self._found:
                self._show(plan, asked)

    def _show(self, plan: Plan, asked: ImportRequest) -> None:
        words = self._words
        with ui.column().classes("k-card"):
            ui.label(f"{plan.name}: {words.said(plan.title)}").classes("k-part").props('role="heading" aria-level="2"')
            ui.label(plan.path).classes("k-soft")
            self._rows(plan)
            for disk in plan.disks:
                size = format_size(disk.facts.size)
                ui.label(words("import disk", disk=disk.id, format=disk.source.image, size=size)).classes("k-part")
                for file in disk.facts.files:
                    ui.label(file).classes("k-soft")
        self._checkpoints(plan)
        self._sentences("import left out", plan.left_out, "k-note")
        self._sentences("import advice", plan.advice, "")
        self._begun = ui.column().classes("k-wholly")
        with self._begun:
            go = ui.button(words("import go"), icon="file_download", on_click=lambda: self._import(asked))
            go.props("unelevated no-caps").set_enabled(self._page.may("takeover.import_machine"))

    def _rows(self, plan: Plan) -> None:
        names = {"what": "item", "there": "there", "here": "here"}
        columns = [
            {"name": name, "label": self._words(f"import {word}"), "field": name, "align": "left"}
            for name, word in names.items()
        ]
        rows = [
            {"what": self._words.term(row.what), "there": self._cell(row, row.there), "here": self._cell(row, row.here)}
            for row in plan.rows
        ]
        table = ui.table(columns=columns, rows=rows, row_key="what")
        table.classes("k-table k-plan").props("flat dense wrap-cells")

    def _cell(self, row: Row, text: str) -> str:
        """What stands in a row; a name stays what it is, whatever word it is."""
        return text if row.what == "name" else self._words.term(text)

    def _checkpoints(self, plan: Plan) -> None:
        if not plan.checkpoints:
            return
        with ui.column().classes("k-card"):
            ui.label(self._words("import checkpoints")).classes("k-part")
            for each in plan.checkpoints:
                taken = f" ({self._words('import taken')})" if each.taken else ""
                line = ui.label(f"{each.name}, {each.created[:19].replace('T', ' ')}{taken}")
                line.style(f"padding-left: {min(each.depth, 20) * 1.2}rem").tooltip(each.id)

    def _sentences(self, title: str, sentences: Sequence[str], looks: str) -> None:
        if sentences:
            with ui.column().classes("k-card"):
                ui.label(self._words(title)).classes("k-part")
                for sentence in sentences:
                    ui.label(self._words.said(sentence)).classes(looks)

    def _import(self, asked: ImportRequest) -> None:
        try:
            job = self._page.session.begin("takeover.import_machine", asked.name or "", asked)
        except KibanError as error:
            self._page.complain(error)
            return
        self._begun.clear()
        with self._begun, ui.column().classes("k-card"):
            JobCard(self._page, job, _go_to)


def _go_to(job: Job) -> None:
    """To the page of the machine that was made."""
    if job.state == "done":
        ui.navigate.to(f"/machine/{job.result['id']}")
