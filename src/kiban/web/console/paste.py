# SPDX-License-Identifier: GPL-2.0-or-later
"""Text typed into a guest key by key: for passwords and commands, and for guests that know no clipboard."""

from __future__ import annotations

from nicegui import ui

from kiban.engine.keyboard import MAX_TEXT
from kiban.web.frame import Page


async def ask(page: Page, machine: str) -> None:
    """Ask for a text, and type it; what a keyboard does not have is refused before any of it is typed."""
    words = page.words
    with ui.dialog() as dialog, ui.card().classes("k-typing"):
        text = ui.textarea(words("text to type")).classes("full-width")
        text.props(f"outlined autofocus maxlength={MAX_TEXT}")
        ui.label(words("typed as")).classes("k-soft")
        with ui.row().classes("k-answers"):
            ui.button(words("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            ui.button(words("type"), on_click=lambda: dialog.submit(text.value)).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    if said := await dialog:
        await page.do(page.session.run("screen.type_text", machine, said))
