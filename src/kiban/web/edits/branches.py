# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of a machine's hardware on its page: what is there, what is not and why, and a way to change each part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.model.generations import GENERATIONS
from kiban.model.machine import boot_class
from kiban.web import hardware
from kiban.web.edits import adapters, drives, order, places, settings
from kiban.web.edits.form import Subject
from kiban.web.frame import Page
from kiban.web.hardware import Branch
from kiban.web.kept import Kept
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


@dataclass(frozen=True)
class Line:
    """A line of a branch: what it says, the device that it is about, and whether there is a disc in that."""

    text: str
    device: str
    loaded: bool


Shown = tuple[MachineView, Branch]


class Tree:
    """The hardware of one machine as one browser sees it. A button stays where it is when what it changes is new."""

    def __init__(self, page: Page, roster: Roster, machine_id: str) -> None:
        self.words, self._page, self._roster, self._id = page.words, page, roster, machine_id
        self._card = ui.column().classes("k-card k-half")
        self._branches: Kept[str, Shown] | None = None

    def show(self, view: MachineView | None) -> None:
        """Bring it up to date; there is none of a machine that is gone or cannot be read."""
        self._card.set_visibility(view is not None and not view.problem)
        if view is None or view.problem:
            return
        if self._branches is None:
            self._branches = self._make(view)
        self._branches.show({branch.key: (view, branch) for branch in hardware.tree(view, self.words)})

    def _make(self, view: MachineView) -> Kept[str, Shown]:
        with self._card:
            with ui.row().classes("k-line"):
                ui.label(self.words(f"generation {view.generation}")).classes("k-part k-grow")
                ui.link(self.words("compare"), "/generations")
            self._adds()
            branches = ui.column().classes("k-lines")
            self._button("remove", "delete", "machines.remove", settings.remove).props("color=negative")
        return Kept(branches, lambda shown: _BranchPart(self, *shown))

    def _adds(self) -> None:
        with ui.row().classes("k-adds"):
            for word, (command, icon, form) in ADD.items():
                self._button(word, icon, command, form)

    def change(self, branch: Branch) -> None:
        """The button that changes a branch."""
        command = COMMANDS.get(branch.key, "machines.edit")
        self._icon("edit", self.words("change", what=branch.title), command, FORMS[branch.key])

    def device(self, device: str) -> ui.button | None:
        """The buttons of a device; returns the one that ejects its disc."""
        words, kind = self.words, boot_class(device)
        eject = None
        if kind == "disk":
            self._icon("expand", words("grow disk", disk=device), "disks.resize", partial(drives.grow, disk=device))
        if kind == "dvd":
            insert, take = partial(drives.insert, drive=device), partial(drives.eject, drive=device)
            self._icon("album", words("medium of", drive=device), "devices.insert", insert)
            eject = self._icon("eject", words("eject", drive=device), "devices.eject", take)
        if kind == "nic":
            change = partial(adapters.change, device=device)
            self._icon("edit", words("change nic", nic=device), "devices.change_nic", change)
        if kind != "nic":
            move = partial(places.move, drive_id=device)
            self._icon("low_priority", words("move drive", drive=device), "devices.move_drive", move)
        remove = partial(drives.remove, device=device)
        self._icon("close", words("remove device", device=device), "devices.remove_device", remove)
        return eject

    def _button(self, word: str, icon: str, command: str, form: Open) -> ui.button:
        words = self.words(word)
        button = ui.button(words, icon=icon).props("flat dense no-caps")
        return self._opens(button, command, form)

    def _icon(self, icon: str, said: str, command: str, form: Open) -> ui.button:
        button = ui.button(icon=icon).props("flat dense round size=sm")
        button.props["aria-label"] = button.props["title"] = said
        return self._opens(button, command, form)

    def _opens(self, button: ui.button, command: str, form: Open) -> ui.button:
        button.on_click(lambda: self._open(form))
        if not self._page.may(command):
            button.set_enabled(False)
            button.props["title"] = self.words("not allowed")
        return button

    async def _open(self, form: Open) -> None:
        view = self._roster.machines.get(self._id)
        if view is not None:
            with self._card:  # the line with the button may go while the form is open
                await form(Subject(self._page, view))


class _BranchPart:
    """A branch and a line for each thing in it."""

    def __init__(self, tree: Tree, view: MachineView, branch: Branch) -> None:
        self._none = tree.words("none")
        with ui.element("section") as self.element:
            with ui.row().classes("k-line"):
                ui.label(branch.title).classes("k-part k-grow")
                if _changes(view, branch):
                    tree.change(branch)
            lines = ui.column().classes("k-lines")
        self._lines = Kept[str, Line](lines, lambda line: _LinePart(tree, line))
        self.element.props["aria-label"] = branch.title

    def show(self, shown: Shown) -> None:
        view, branch = shown
        self.element.classes(replace="k-branch k-lacks" if branch.reason else "k-branch")
        loaded = {dvd.id for dvd in view.dvds if dvd.medium}
        texts = branch.lines or (branch.reason or self._none,)
        lines = [
            Line(text, device, device in loaded) for text, device in zip_longest(texts, branch.devices, fillvalue="")
        ]
        self._lines.show({line.device or str(number): line for number, line in enumerate(lines)})


class _LinePart:
    def __init__(self, tree: Tree, line: Line) -> None:
        with ui.row().classes("k-line") as self.element:
            self._text = ui.label().classes("k-grow")
            self._eject = tree.device(line.device) if line.device else None

    def show(self, line: Line) -> None:
        self._text.set_text(line.text)
        if self._eject is not None:
            self._eject.set_visibility(line.loaded)


def _changes(view: MachineView, branch: Branch) -> bool:
    """Whether there is anything to change: a COM port can be added where there is none."""
    if branch.key == "video":
        return len(GENERATIONS[view.generation].video) > 1
    return branch.key in FORMS and (not branch.reason or branch.key in ("com1", "com2"))
