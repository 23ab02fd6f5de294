# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine exported from its page: where to and for whom, then how far it is."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.model.states import ALLOWED
from kiban.web.dialog import Dialog
from kiban.web.forms import wanted
from kiban.web.frame import Page
from kiban.web.roster import Roster
from kiban.wire import takeover

KINDS = ("kiban", "hyper-v", "ovf")


class ExportButton:
    """The way to it in a machine's bar."""

    def __init__(self, page: Page, roster: Roster, machine_id: str) -> None:
        self._page, self._words = page, page.words
        self._button = ui.button(icon="drive_file_move", on_click=lambda: Export(page, roster.machines[machine_id]))
        self._button.props(f'flat dense aria-label="{page.words("export")}"')

    def show(self, view: MachineView | None) -> None:
        """Grey it, with the reason, where the machine's state or the visitor's role does not allow it."""
        may = self._page.may("takeover.export")
        off = view is not None and view.state in ALLOWED["export"] and not view.problem
        self._button.set_enabled(may and off)
        words = self._words
        why = words("not allowed") if not may else words("export") if off else words("export off")
        self._button.props(f'title="{why}"')


class Export(Dialog):
    """Where to, and for whom."""

    def __init__(self, page: Page, view: MachineView) -> None:
        super().__init__(page, f"{page.words('export')}: {view.name}")
        with self._body:
            folder = self._text(self._words("export folder"), hint=f"/srv/exports/{view.name}")
            kinds = {kind: self._words(f"export for {kind}") for kind in KINDS}
            kind = ui.radio(kinds, value="kiban")

            def arguments() -> tuple[Any, ...]:
                said = wanted(takeover.Export, path=folder.value, kind=kind.value)
                return view.id, takeover.export_request(said)

            self._ask("takeover.export", self._words("export"), arguments, takeover.exported_json, machine=view.name)
        self._dialog.open()
