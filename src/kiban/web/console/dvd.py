# SPDX-License-Identifier: GPL-2.0-or-later
"""Other discs for the DVD drives, while looking at the guest that asks for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.web.edits import drives
from kiban.web.edits.form import Subject
from kiban.web.frame import Page


class Discs:
    """A menu at a button: for each drive, another disc, or none.

    Args:
        page: for whom.
        button: what opens it.
        now: the machine as it is.
    """

    def __init__(self, page: Page, button: ui.button, now: Callable[[], MachineView]) -> None:
        self._page, self._now, self._place = page, now, ui.context.slot.parent
        self._seen: tuple[tuple[str, bool], ...] = ()
        with button:
            self._menu = ui.menu()

    def show(self, view: MachineView) -> None:
        """Bring the menu up to date."""
        found = tuple((dvd.id, bool(dvd.medium)) for dvd in view.dvds)
        if found == self._seen:
            return
        self._seen = found
        self._menu.clear()
        words = self._page.words
        with self._menu:
            for drive, full in found:
                ui.menu_item(words("medium of", drive=drive), partial(self._insert, drive))
                if full:
                    ui.menu_item(words("eject", drive=drive), partial(self._eject, drive))

    async def _insert(self, drive: str) -> None:
        with self._place:  # the menu is made anew when a disc comes or goes, while the form is open
            await drives.insert(Subject(self._page, self._now()), drive)

    async def _eject(self, drive: str) -> None:
        await drives.eject(Subject(self._page, self._now()), drive)
