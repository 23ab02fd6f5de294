# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the firmware: what it tries, first to last, moved by dragging or with buttons, and how it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from kiban.engine.view import MachineView
from kiban.model.bootorder import can_boot
from kiban.model.generations import GENERATIONS
from kiban.web.edits.form import Form, Subject
from kiban.web.hardware import described
from kiban.web.words import Words


async def firmware(subject: Subject) -> None:
    """The boot order, and generation 2's other settings of its firmware."""
    words, gen = subject.page.words, GENERATIONS[subject.view.generation]
    view = await subject.page.do(subject.page.session.run("machines.info", subject.view.id))
    if view is None:
        return
    with Form(subject, words(f"hardware {gen.firmware}"), closed=subject.may("edit offline")) as form:
        ui.label(words("boot order")).classes("k-soft")
        order = OrderList(view, _rows(subject, view), words)
        if own := [entry for entry in view.boot_entries if entry["file"] or not entry["device"]]:
            ui.label(words("own entries")).classes("k-soft")
            for entry in own:
                ui.label(" ".join(filter(None, (entry["description"], entry["device"], entry["file"])))).classes(
                    "k-stage"
                )
        if gen.pause_after_boot_failure:
            form.switch("pause_after_boot_failure", words("pause"), bool(view.pause_after_boot_failure))
            protocols = {name: f"PXE IPv{name[-1]}" for name in gen.pxe_protocols}
            form.select("pxe_protocol", words("pxe"), protocols, view.pxe_protocol)

    async def send() -> None:
        changes = form.changed()
        if order.chosen() != order.before:
            now: MachineView = await subject.page.session.run("machines.info", view.id)
            changes["boot"] = merged(order.chosen(), order.shown, now)
        await subject.edit(changes)

    await form.ask(send)


def merged(wanted: Sequence[str], shown: Sequence[str], now: MachineView) -> list[str]:
    """The order that was made of what was `shown`, for the machine as it is by now: others may have changed it.

    What is gone is left out, and what has come meanwhile stays, behind.
    """
    gen = GENERATIONS[now.generation]
    if gen.boot_order == "by-class":
        return _fewest(wanted, gen.boot_classes)
    there = {*(disk.id for disk in now.disks), *(dvd.id for dvd in now.dvds), *(nic.id for nic in now.nics)}
    come = [device for device in now.boot_order if device not in shown]
    return [*(device for device in wanted if device in there), *come]


def _fewest(wanted: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The classes that have to be named for an order: those not named follow in their usual order.

    What is named must be there to boot from, which is not to be asked of a class that was only pushed down.
    """
    orders = ([*wanted[:n], *(name for name in usual if name not in wanted[:n])] for n in range(len(wanted) + 1))
    return list(wanted[: next(n for n, order in enumerate(orders) if order == list(wanted))])


def _rows(subject: Subject, view: MachineView) -> dict[str, str]:
    """All that may stand in the order, in the order in force and then those that are not tried: id, what it is."""
    words = subject.page.words
    if GENERATIONS[view.generation].boot_order == "by-class":
        return {name: words(f"class {name}") for name in view.boot_order}
    machine = subject.handle.machine
    bootable = [device for device in machine.device_ids() if can_boot(machine, device)]
    what = described(view, words)
    return {device: what[device] for device in dict.fromkeys([*view.boot_order, *bootable]) if device in what}


class OrderList:
    """A list of what is tried. On generation 2 each may be left out.

    Attributes:
        shown: all that is in it, as it was at first.
        before: those of them that were tried, in their order.
    """

    def __init__(self, view: MachineView, rows: dict[str, str], words: Words) -> None:
        self._words = words
        self.shown, self.before = list(rows), [name for name in rows if name in view.boot_order]
        self._names: dict[int, str] = {}
        self._tried: dict[str, ui.checkbox] = {}
        self._choice = GENERATIONS[view.generation].boot_order == "by-device"
        self._list = ui.column().classes("k-order").props('role="list"')
        self._told = ui.label().classes("k-unseen").props('role="status"')
        with self._list:
            for name, what in rows.items():
                self._row(name, what)
        self._list.make_sortable(handle=".k-grip", on_end=lambda: self._tell(None))

    def _row(self, name: str, what: str) -> None:
        with ui.row().classes("k-device").props('role="listitem"') as row:
            self._names[row.id] = name
            ui.icon("drag_indicator").classes("k-grip").props('aria-hidden="true"')
            if self._choice:
                self._tried[name] = ui.checkbox(what, value=name in self.before).classes("k-what")
            else:
                ui.label(what).classes("k-what")
            for way, by in (("up", -1), ("down", 1)):
                button = ui.button(icon=f"arrow_{way}ward").props("flat dense round")
                button.on_click(lambda row=row, by=by, button=button: self._move(row, by, button))
                button.props["aria-label"] = self._words(f"move {way}", device=name)

    def _move(self, row: ui.row, by: int, button: ui.button) -> None:
        place = self._list.default_slot.children.index(row) + by
        if 0 <= place < len(self._names):
            row.move(target_index=place)
            self._tell(self._names[row.id])
            # a browser takes the focus from what it moves
            ui.run_javascript(f"requestAnimationFrame(() => getHtmlElement({button.id})?.focus())")

    def _tell(self, name: str | None) -> None:
        """Say where it is now, to who does not see it."""
        order = self._order()
        self._told.set_text(
            ", ".join(order) if name is None else self._words("moved", device=name, place=order.index(name) + 1)
        )

    def _order(self) -> list[str]:
        return [self._names[row.id] for row in self._list.default_slot.children]

    def chosen(self) -> list[str]:
        """What is to be tried, first to last."""
        return [name for name in self._order() if not self._choice or self._tried[name].value]
