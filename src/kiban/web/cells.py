# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables: their columns, and cells that stay the same elements of the page while what is in them changes."""

from __future__ import annotations

from typing import Any

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


def column(name: str, label: str, looks: str = "", *, right: bool = False, sortable: bool = False) -> dict[str, Any]:
    """A column as Quasar's table takes it; `looks` are classes of its cells and of its head."""
    return {
        "name": name,
        "label": label,
        "field": name,
        "align": "right" if right else "left",
        "sortable": sortable,
        "classes": looks,
        "headerClasses": looks,
    }
