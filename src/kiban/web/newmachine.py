# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a machine: what its medium is, what suits that, whether Secure Boot lets it start, and the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from fastapi import Request
from nicegui import background_tasks, ui
from nicegui.elements.mixins.disableable_element import DisableableElement

from kiban.engine.advising import Advice, Suggestion
from kiban.engine.jobs import Job
from kiban.errors import KibanError
from kiban.web import wish
from kiban.web.action import Action
from kiban.web.base import Site
from kiban.web.createform import NEITHER, PLAIN, Form
from kiban.web.frame import Page, frame
from kiban.web.jobcard import JobCard
from kiban.web.medium import MediumPicker
from kiban.web.verdict import Subject, Verdict, Ways

CALM = 0.2
"""Seconds without a change before the command line and the verdict follow."""


def add(site: Site) -> None:
    """The page of a new machine."""

    @ui.page("/create")
    async def create_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            await CreatePage(page).load()


class CreatePage:
    """What one browser says of a machine to be."""

    def __init__(self, page: Page) -> None:
        self._page, self._words = page, page.words
        self._advice: Advice | None = None
        self._name = self._free_name("vm")  # as it was suggested last
        self._turn = self._changes = 0
        with ui.column().classes("k-making-full") as self._all:
            ui.label(page.words("new machine")).classes("k-title").props('role="heading" aria-level="1"')
            if not page.may("machines.create"):
                ui.label(page.words("not allowed")).classes("k-note")
            with ui.row().classes("k-halves"):
                with ui.column().classes("k-half"):
                    self._medium_card()
                    self._form = Form(page, self._changed, self._name)
                with ui.column().classes("k-half"):
                    self._firmware_card()
                    self._command_card()
        if not page.may("machines.create"):
            _disable(self._all, page.words("not allowed"))

    async def load(self) -> None:
        """Fill in what comes from the service."""
        await self._picker.load()
        self._changed()

    def _medium_card(self) -> None:
        with ui.column().classes("k-card k-making"):
            ui.label(self._words("make installation medium")).classes("k-part").props('role="heading" aria-level="2"')
            self._picker = MediumPicker(self._page, self._chosen)
            ui.link(self._words("library manage"), "/library")
            self._found = ui.label().props('role="status"')
            self._others = ui.label().classes("k-soft")

    def _firmware_card(self) -> None:
        with ui.column().classes("k-card k-making"):
            ui.label(self._words("make firmware")).classes("k-part").props('role="heading" aria-level="2"')
            self._form.firmware()
            self._bios = ui.label(self._words("make bios asks nobody")).classes("k-soft")
            self._bios.bind_visibility_from(self._form.generation, "value", value=1)
            self._verdict = Verdict(self._page)

    def _command_card(self) -> None:
        with ui.column().classes("k-card k-making"):
            ui.label(self._words("make the same command")).classes("k-part").props('role="heading" aria-level="2"')
            with ui.row().classes("k-command"):
                self._command = ui.label().classes("k-code")
                copy = ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(self._command.text))
                copy.props(f'flat dense round aria-label="{self._words("make copy")}"').tooltip(
                    self._words("make copy")
                )
            with ui.row().classes("k-bar"):
                both = Action(
                    self._words("make create and start"), icon="play_arrow", on_click=lambda: self._create(start=True)
                )
                only = Action(self._words("make create"), on_click=lambda: self._create(start=False))
                both.props("unelevated no-caps")
                only.props("outline no-caps")
                self._buttons = (both, only)
            self._work = ui.column().classes("k-making-full")

    async def _chosen(self, path: str) -> None:
        """Another medium: find out what it is, and suggest what suits it."""
        self._turn += 1
        self._advice = None
        self._found.set_text("")
        self._others.set_text("")
        if path:
            await self._recognise(path)
        self._suggest()
        self._changed()

    async def _recognise(self, path: str) -> None:
        turn = self._turn
        try:
            advice: Advice = await self._page.session.run("media.advise", path)
        except KibanError as error:
            if turn == self._turn:
                self._picker.refuse(self._words.refused(error))
            return
        if turn != self._turn:
            return
        self._advice = advice
        self._found.set_text(advice.name or self._words("make system not known", label=advice.label))
        if advice.others:
            self._others.set_text(self._words("make or it is", others=", ".join(advice.others)))
        if advice.generation:
            self._form.generation.set_value(advice.generation)
        self._suggest_name(advice.guest or PurePath(path).stem)

    def _suggest_name(self, stem: str) -> None:
        """A name that is free, unless the visitor has typed one."""
        if self._form.name.value == self._name:
            self._name = self._free_name(stem)
            self._form.name.set_value(self._name)

    def _free_name(self, stem: str) -> str:
        """A name like `stem` that no machine has."""
        kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in stem).strip("-")[:40] or "vm"
        taken = {handle.name for handle in self._page.session.host.handles.values()}
        names = [kept, *(f"{kept}-{number}" for number in range(2, len(taken) + 3))]
        return next(name for name in names if name not in taken)

    def _suggest(self) -> None:
        self._form.suggest(self._suggestion())

    def _suggestion(self) -> Suggestion:
        return self._advice.suggestions[int(self._form.generation.value) - 1] if self._advice else PLAIN

    def _changed(self) -> None:
        """Something of the form is another; what depends on it follows when nothing has changed for a moment."""
        self._form.why.set_text(self._why())
        if self._form.suggestion != self._suggestion():
            self._suggest()
        self._changes = turn = self._changes + 1

        async def later() -> None:
            await asyncio.sleep(CALM)
            if turn == self._changes and not self._all.is_deleted:
                await self._follow()

        background_tasks.create(later())

    def _why(self) -> str:
        """Why the generation is suggested, or what is to be said against the chosen one."""
        if self._advice is None:
            return self._words("make why generation 2") if self._form.generation.value == 2 else ""
        chosen = self._suggestion()
        if self._advice.generation == chosen.generation:
            return self._words.said(self._advice.reason)
        return self._words.said(f"{chosen.reason} {self._advice.reason}".strip())

    async def _follow(self) -> None:
        try:
            self._command.set_text(wish.command(self._form.wish(self._picker.path)))
        except KibanError as error:
            self._command.set_text(self._words.said(error.message))
        await self._judge()

    async def _judge(self) -> None:
        """Ask what would boot: the medium, or else the existing disk."""
        form = self._form
        path, kind = self._picker.path, "iso"
        if not path and form.disk.value not in NEITHER:
            path, kind = form.disk_path.value.strip(), str(form.format.value)
        if form.generation.value != 2 or not path.startswith("/") or not self._page.may("bootcheck.explain_path"):
            self._verdict.clear()
            return
        subject = Subject(path, kind, str(form.template.value), bool(form.secure_boot.value))
        bios = self._advice is None or self._advice.suggestions[0].ok
        ways = Ways(
            template=form.template.set_value,
            off=lambda: form.secure_boot.set_value(False),
            bios=(lambda: form.generation.set_value(1)) if bios else None,
        )
        await self._verdict.ask(subject, ways)

    def _create(self, *, start: bool) -> None:
        if not self._form.check():
            return
        try:
            wanted = wish.request(self._form.wish(self._picker.path))
            job = self._page.session.begin("machines.create", wanted.name, wanted)
        except KibanError as error:
            self._page.complain(error)
            return
        self._busy(busy=True)
        self._show_job(job, lambda over: self._made(over, start=start))

    def _show_job(self, job: Job, over: Any) -> None:
        self._work.clear()
        with self._work:
            JobCard(self._page, job, over)

    def _made(self, job: Job, *, start: bool) -> None:
        if job.error is not None or not isinstance(job.result, dict):
            self._busy(busy=False)
            self._refused(job.error or {})
            return
        machine = job.result
        if not start:
            self._go(machine)
            return
        begun = self._page.session.begin("life.start", machine["name"], machine["id"])
        self._show_job(begun, lambda over: self._started(over, machine))

    def _started(self, job: Job, machine: Mapping[str, Any]) -> None:
        if job.error is None:
            self._go(machine)
            return
        with self._work:  # it is there, and its page says more
            ui.link(self._words("make go to machine", name=machine["name"]), f"/machine/{machine['id']}")

    def _go(self, machine: Mapping[str, Any]) -> None:
        with self._work:  # the end of a job is heard outside of every page
            ui.navigate.to(f"/machine/{machine['id']}")

    def _refused(self, error: Mapping[str, Any]) -> None:
        """Say it at the field that it is about, besides where the job is shown."""
        code, told = error.get("code", ""), str(error.get("detail", ""))
        said = self._words.said(told)
        fields = {"name-taken": self._form.name, "bad-name": self._form.name}
        if code in fields:
            fields[code].error = said
        elif self._picker.path and self._picker.path in told:
            self._picker.refuse(said)
        elif (path := self._form.disk_path.value.strip()) and path in told:
            self._form.disk_path.error = said

    def _busy(self, *, busy: bool) -> None:
        for button in self._buttons:
            button.set_enabled(not busy)


def _disable(part: ui.element, reason: str) -> None:
    """Let nothing in it be changed, and say why at the buttons."""
    for element in part.descendants():
        if isinstance(element, DisableableElement):
            element.disable()
        if isinstance(element, ui.button):
            element.props["title"] = reason
