# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells of a table that stay the same elements of the page while what is in them changes."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element


class Cells(Element, component="cells.js"):
    """A slot of a table as a template of Vue, which knows `props` as Quasar's slots do, and `tell(event, value)`."""

    def __init__(self, template: str) -> None:
        super().__init__()
        self._props["template"] = template
        self._props[":scope"] = "props"


def fill(table: ui.table, slot: str, template: str) -> None:
    """Fill a slot of all rows, or of the head. Slots filled otherwise are made anew whenever anything changes."""
    with table.add_slot(slot):
        Cells(template)
