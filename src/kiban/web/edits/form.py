# SPDX-License-Identifier: GPL-2.0-or-later
"""A dialog with fields that changes a machine. A refusal is shown in it, in the service's words, and it stays open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nicegui import ui
from nicegui.elements.mixins.disableable_element import DisableableElement
from nicegui.elements.mixins.value_element import ValueElement

from kiban.engine.handle import Handle
from kiban.engine.jobs import Job, explain
from kiban.engine.view import MachineView
from kiban.errors import BadInput, KibanError
from kiban.model.units import parse_size
from kiban.problem import from_problem
from kiban.web.action import Action
from kiban.web.forms import checked
from kiban.web.frame import Page
from kiban.web.jobwatch import over
from kiban.wire import requests, translate

E = TypeVar("E", bound=ValueElement[Any])
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Subject:
    """The machine that a form is about, as it was when the form was opened."""

    page: Page
    view: MachineView

    @property
    def handle(self) -> Handle:
        """The machine as it is now; NotFound when it is gone."""
        return self.page.session.host.find(self.view.id)

    def why(self, check: Callable[[], object]) -> str:
        """The refusal that `check` meets, with its hint; '' when it meets none."""
        try:
            check()
        except KibanError as error:
            return self.page.words.refused(error)
        return ""

    def may(self, operation: str) -> str:
        """Why the machine's state does not allow an operation of `kiban.model.states`; '' when it does."""
        return self.why(lambda: self.handle.check(operation))

    async def run(self, command: str, *arguments: object) -> None:
        """Run a command on the machine."""
        await self.page.session.run(command, self.view.id, *arguments)

    async def edit(self, changes: Mapping[str, Any]) -> None:
        """Send changes of settings, if there are any."""
        if changes:
            await self.run("machines.edit", translate.changes(checked(requests.MachineChanges, changes)))


@dataclass(frozen=True)
class Field:
    """A field of a form: what was in it at first, and what its content means."""

    element: ValueElement[Any]
    before: Any
    convert: Convert


class Form:
    """A dialog of one machine; fields are made inside `with form:`, and `await form.ask(send)` shows it.

    Args:
        closed: why nothing can be changed here now; '' when it can.
        yes: what the button says that sends it; "Save" otherwise.
        dangerous: whether something is lost by it.
    """

    def __init__(self, subject: Subject, title: str, *, closed: str = "", yes: str = "", dangerous: bool = False):
        words = subject.page.words
        self._session, self._words, self._closed = subject.page.session, words, closed
        self._fields: dict[str, Field] = {}
        self._send: Callable[[], Awaitable[object]] | None = None
        self._dialog = ui.dialog().on("hide", self._gone)
        self._dialog.props["aria-label"] = title
        with self._dialog, ui.card().classes("k-edit"), ui.element("form") as form:
            form.on("submit.prevent", self._submit)
            ui.label(title).classes("k-part").props('role="heading" aria-level="2"')
            if closed:
                ui.label(closed).classes("k-note")
            self.body = ui.column().classes("k-fields")
            self._fault = ui.label().classes("k-note").props('role="alert"')
            self._progress = ui.linear_progress(0, show_value=False).props('aria-label="0"')
            self._progress.set_visibility(False)
            with ui.row().classes("k-answers"):
                ui.button(words("cancel"), on_click=self._dialog.close).props("flat no-caps")
                self._yes = Action(yes or words("save"))
                self._yes.props("unelevated no-caps type=submit" + (" color=negative" if dangerous else ""))

    def __enter__(self) -> Form:
        self.body.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self.body.__exit__(*reason)

    def text(self, key: str, label: str, value: str = "", *, hint: str = "", convert: Convert = str) -> ui.input:
        """A line of text."""
        element = ui.input(label, value=value).props("dense outlined autocomplete=off spellcheck=false")
        if not self._fields:
            element.props("autofocus")
        return self._add(key, _hinted(element, hint), convert)

    def lines(self, key: str, label: str, value: str) -> ui.textarea:
        """Some lines of text."""
        return self._add(key, ui.textarea(label, value=value).props("dense outlined autogrow"), str)

    def size(self, key: str, label: str, value: str = "", *, hint: str = "") -> ui.input:
        """A size in bytes, written with its unit."""
        return self.text(key, label, value, hint=hint, convert=parse_size)

    def number(self, key: str, label: str, value: int | None = None, *, hint: str = "") -> ui.input:
        """A whole number."""
        element = self.text(key, label, "" if value is None else str(value), hint=hint, convert=_whole)
        return element.props("inputmode=numeric")

    def switch(self, key: str, label: str, value: bool) -> ui.switch:
        """On or off."""
        return self._add(key, ui.switch(label, value=value), bool)

    def select(
        self, key: str, label: str, options: Mapping[Any, str], value: str | None, *, hint: str = ""
    ) -> ui.select:
        """One of some; '' among them means that nothing is said."""
        element = ui.select(dict(options), label=label, value=value).props("dense outlined options-dense")
        return self._add(key, _hinted(element, hint), lambda chosen: chosen or None)

    def _add(self, key: str, element: E, convert: Convert) -> E:
        self._fields[key] = Field(element, element.value, convert)
        return element

    def changed(self) -> dict[str, Any]:
        """What is in the fields that were changed; BadInput for what has no meaning."""
        return {key: f.convert(f.element.value) for key, f in self._fields.items() if f.element.value != f.before}

    def said(self, *keys: str) -> dict[str, Any]:
        """What is in the fields of these names; BadInput for what has no meaning."""
        return {key: self._fields[key].convert(self._fields[key].element.value) for key in keys}

    def keep(self, *keys: str) -> None:
        """Let fields be seen and not be changed; the form says why."""
        for key in keys:
            element = self._fields[key].element
            if isinstance(element, DisableableElement):
                element.set_enabled(False)

    async def ask(self, send: Callable[[], Awaitable[object]]) -> None:
        """Show it until it is left, or `send` has done what was asked for."""
        self._send = send
        if self._closed:
            for element in self.body.descendants():
                if isinstance(element, DisableableElement):
                    element.set_enabled(False)
            self._yes.set_enabled(False)
        await self._dialog

    def _gone(self) -> None:
        """Forget it when it is out of sight, and no sooner: the browser then gives the focus back to the button."""
        self._dialog.delete()

    async def follow(self, job: Job) -> None:
        """Show how a job gets on until it is over; raises what it failed with."""
        self._progress.set_visibility(True)
        job = await over(self._session, job, self._show)
        self._progress.set_visibility(False)
        if job.error is not None:
            raise from_problem(job.error)

    def _show(self, job: Job) -> None:
        self._progress.set_value(job.progress)
        self._progress.props["aria-label"] = self._words.said(job.text)

    async def _submit(self) -> None:
        if self._send is None or not self._yes.enabled:
            return
        self._fault.set_text("")
        self._yes.props("loading").set_enabled(False)
        try:
            await self._send()
        except Exception as error:  # whatever it is, who asked for it is told
            self._refuse(self._words.refused(explain(error)))
        else:
            self._dialog.close()

    def _refuse(self, why: str) -> None:
        if not self._dialog.is_deleted:
            self._yes.props(remove="loading").set_enabled(True)
            self._fault.set_text(why)


def _whole(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit() and len(text) < 20):
        raise BadInput(f"{text[:20]!r} is not a whole number.", "Write it in digits: 2")
    return int(text)


def _hinted(element: E, hint: str) -> E:
    if hint:
        element.props["hint"] = hint
    return element
