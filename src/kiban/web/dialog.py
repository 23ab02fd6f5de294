# SPDX-License-Identifier: GPL-2.0-or-later
"""A dialog with a form that begins a job, whose progress then takes the place of the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from kiban.errors import KibanError
from kiban.web.frame import Page
from kiban.web.jobcard import JobCard

Arguments = Callable[[], tuple[Any, ...]]
"""What a form gives to its command; raises BadInput for what makes no sense."""


class Dialog:
    """A dialog that goes when it is closed."""

    def __init__(self, page: Page, title: str) -> None:
        self._page, self._words = page, page.words
        with ui.dialog() as self._dialog, ui.card().classes("k-dialog"):
            ui.label(title).classes("k-title").props('role="heading" aria-level="2"')
            self._body = ui.column().classes("k-fields")
        self._dialog.on("hide", self._dialog.delete)
        self._dialog.props["aria-label"] = title  # not as text to be parsed: a file may be called anything

    def _buttons(self, yes: str = "", do: Callable[[], object] = lambda: None, *, danger: bool = False) -> None:
        with ui.row().classes("k-answers"):
            ui.button(self._words("close"), on_click=self._dialog.close).props("flat no-caps")
            if yes:
                colour = "negative" if danger else "primary"
                ui.button(yes, on_click=do).props(f"unelevated no-caps color={colour}")

    def _ask(
        self,
        command: str,
        yes: str,
        arguments: Arguments,
        plain: Callable[[Any], Any],
        *,
        machine: str = "",
        danger: bool = False,
    ) -> None:
        """The end of a form: `yes` begins the job on `machine`; `plain` as of `Session.begin`."""
        trouble = ui.label().classes("k-note").props('role="alert"')

        def begin() -> None:
            try:
                job = self._page.session.begin(command, machine, *arguments(), plain=plain)
            except KibanError as error:
                trouble.set_text(self._words.refused(error))
                return
            self._body.clear()
            with self._body:
                JobCard(self._page, job)
                self._buttons()

        self._buttons(yes, begin, danger=danger)

    def _text(self, label: str, value: str = "", hint: str = "") -> ui.input:
        return ui.input(label, value=value, placeholder=hint).props("outlined dense").classes("k-wholly")
