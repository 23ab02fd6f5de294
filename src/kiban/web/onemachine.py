# SPDX-License-Identifier: GPL-2.0-or-later
"""What all pages of one machine share: that it may be gone, its state, and what is done to its life."""

from __future__ import annotations

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.web import bulk
from kiban.web.frame import Page, sure
from kiban.web.roster import Roster

RUDE = ("life.reset", "life.turn_off")
"""What a guest loses data by, so that it is asked about."""


async def known(page: Page, roster: Roster, machine_id: str) -> bool:
    """Whether there is such a machine; the page says so where there is none."""
    if await roster.knows(machine_id):
        return True
    ui.label(page.words("gone"))
    return False


def show_state(label: ui.label, page: Page, view: MachineView) -> None:
    """Let a label say the machine's state."""
    label.set_text(page.words(f"state {view.state}"))
    label.classes(replace=f"k-state k-{view.state}")


async def act(page: Page, command: str, machine_id: str) -> None:
    """Do one of `bulk.COMMANDS` to a machine, once the visitor is sure where data may be lost; refusals are shown."""
    words = page.words
    if command in RUDE and not await sure(words(f"sure {command}"), words(command), words("cancel")):
        return
    outcome = await page.do(bulk.run(page.session, command, [machine_id]))
    for error in outcome.refused if outcome else ():
        page.complain(error)
