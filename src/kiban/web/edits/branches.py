# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of a machine's hardware on its page: what is there, what is not and why, and a way to change each part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.model.generations import GENERATIONS
from kiban.model.machine import boot_class
from kiban.web import hardware
from kiban.web.edits import adapters, drives, order, settings
from kiban.web.edits.form import Subject
from kiban.web.frame import Page
from kiban.web.hardware import Branch
from kiban.web.roster import Roster

Open = Callable[[Subject], Awaitable[None]]
FORMS: Mapping[str, Open] = {
    "firmware": order.firmware,
    "security": settings.security,
    "memory": settings.memory,
    "processor": settings.processors,
    "com1": partial(settings.com, number=1),
    "com2": partial(settings.com, number=2),
    "floppy": drives.floppy,
    "video": settings.video,
    "name": settings.name,
    "general": settings.general,
}
"""What changes a branch, by its key. Those of drives and adapters are changed device by device."""
ADD: Mapping[str, tuple[str, str, Open]] = {
    "add disk": ("devices.add_disk", "storage", drives.add_disk),
    "add dvd": ("devices.add_dvd", "album", drives.add_dvd),
    "add nic": ("devices.add_nic", "lan", adapters.add),
}
"""Word: command, icon, form."""
COMMANDS = {"name": "machines.rename"}
"""What a form asks for, where that is not machines.edit."""


class Tree:
    """The hardware of one machine as one browser sees it. A button stays where it is when what it changes is new."""

    def __init__(self, page: Page, roster: Roster, machine_id: str) -> None:
        self._page, self._roster, self._id = page, roster, machine_id
        self._card = ui.column().classes("k-card k-half")
        self._parts: dict[str, tuple[ui.element, ui.column]] = {}
        self._shown: dict[str, Branch] = {}

    def show(self, view: MachineView) -> None:
        """Bring it up to date."""
        branches = {} if view.problem else {branch.key: branch for branch in hardware.tree(view, self._page.words)}
        if [*branches] != [*self._shown]:
            self._make(view, branches)
        for key, branch in branches.items():
            if self._shown.get(key) != branch:
                self._fill(view, branch)
        self._shown = branches

    def _make(self, view: MachineView, branches: Mapping[str, Branch]) -> None:
        self._card.clear()
        self._parts, self._shown = {}, {}
        if not branches:
            return
        with self._card:
            with ui.row().classes("k-line"):
                ui.label(self._page.words(f"generation {view.generation}")).classes("k-part k-grow")
                ui.link(self._page.words("compare"), "/generations")
            self._adds()
            for branch in branches.values():
                self._branch(view, branch)
            self._button("remove", "delete", "machines.remove", settings.remove).props("color=negative")

    def _adds(self) -> None:
        with ui.row().classes("k-adds"):
            for word, (command, icon, form) in ADD.items():
                self._button(word, icon, command, form)

    def _branch(self, view: MachineView, branch: Branch) -> None:
        with ui.element("section") as section:
            with ui.row().classes("k-line"):
                ui.label(branch.title).classes("k-part k-grow")
                if _changes(view, branch):
                    command = COMMANDS.get(branch.key, "machines.edit")
                    self._icon("edit", self._page.words("change", what=branch.title), command, FORMS[branch.key])
            self._parts[branch.key] = section, ui.column().classes("k-lines")
        section.props["aria-label"] = branch.title

    def _fill(self, view: MachineView, branch: Branch) -> None:
        words = self._page.words
        section, lines = self._parts[branch.key]
        section.classes(replace="k-branch k-lacks" if branch.reason else "k-branch")
        lines.clear()
        with lines:
            for number, line in enumerate(branch.lines or (branch.reason or words("none"),)):
                with ui.row().classes("k-line"):
                    ui.label(line).classes("k-grow")
                    if number < len(branch.devices):
                        self._device(view, branch.devices[number])

    def _device(self, view: MachineView, device: str) -> None:
        words, kind = self._page.words, boot_class(device)
        if kind == "disk":
            self._icon("expand", words("grow disk", disk=device), "disks.resize", partial(drives.grow, disk=device))
        if kind == "dvd":
            insert, eject = partial(drives.insert, drive=device), partial(drives.eject, drive=device)
            self._icon("album", words("medium of", drive=device), "devices.insert", insert)
            if any(dvd.id == device and dvd.medium for dvd in view.dvds):
                self._icon("eject", words("eject", drive=device), "devices.eject", eject)
        remove = partial(drives.remove, device=device)
        self._icon("close", words("remove device", device=device), "devices.remove_device", remove)

    def _button(self, word: str, icon: str, command: str, form: Open) -> ui.button:
        words = self._page.words(word)
        button = ui.button(words, icon=icon).props("flat dense no-caps")
        return self._opens(button, command, form)

    def _icon(self, icon: str, said: str, command: str, form: Open) -> None:
        button = ui.button(icon=icon).props("flat dense round size=sm")
        button.props["aria-label"] = button.props["title"] = said
        self._opens(button, command, form)

    def _opens(self, button: ui.button, command: str, form: Open) -> ui.button:
        button.on_click(lambda: self._open(form))
        if not self._page.may(command):
            button.set_enabled(False)
            button.props["title"] = self._page.words("not allowed")
        return button

    async def _open(self, form: Open) -> None:
        view = self._roster.machines.get(self._id)
        if view is not None:
            with self._card:  # the line with the button may be made anew while the form is open
                await form(Subject(self._page, view))


def _changes(view: MachineView, branch: Branch) -> bool:
    """Whether there is anything to change: a COM port can be added where there is none."""
    if branch.key == "video":
        return len(GENERATIONS[view.generation].video) > 1
    return branch.key in FORMS and (not branch.reason or branch.key in ("com1", "com2"))
