# SPDX-License-Identifier: GPL-2.0-or-later
"""One image looked at closely, and what is done with it: a form for each action, then its job in the same place."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from kiban.engine.diskuse import FORMATS
from kiban.model.units import format_size, parse_size
from kiban.web.dialog import Arguments, Dialog
from kiban.web.diskacts import ACTIONS, Image, command, why_not
from kiban.web.forms import wanted
from kiban.web.frame import Page
from kiban.wire import disks


class _Form(Dialog):
    """A dialog about disks."""

    def _path(self, value: str, example: str) -> ui.input:
        return self._text(self._words("new path"), value, example)

    def _format(self, value: str) -> ui.select:
        return (
            ui.select([*FORMATS], label=self._words("format"), value=value).props("outlined dense").classes("k-wholly")
        )


class NewDisk(_Form):
    """A new, empty disk."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, page.words("new disk"))
        with self._body:
            path = self._path("", "/srv/images/data.qcow2")
            form, size = self._format("qcow2"), self._text(self._words("disk size"), "40G")
            fixed = ui.checkbox(self._words("fixed"))

            def arguments() -> tuple[Any, ...]:
                bytes_ = parse_size(size.value)
                new = wanted(disks.NewDiskImage, path=path.value, format=form.value, size=bytes_, fixed=fixed.value)
                return (new.image(),)

            self._ask("disks.create", self._words("create"), arguments, disks.info_json)
        self._dialog.open()


class DiskDialog(_Form):
    """An image: what it is, and what can be done with it."""

    def __init__(self, page: Page, image: Image) -> None:
        super().__init__(page, image.link.path.rpartition("/")[2])
        self._image, self._link = image, image.link
        self._machine = image.owner.machine if image.owner else ""
        self._which = {"disk": image.link.path, "format": image.link.format}
        with self._body:
            self._facts()
            for action in ACTIONS:
                self._offer(action)
            self._buttons()
        self._dialog.open()

    def _facts(self) -> None:
        link, words = self._link, self._words
        ui.label(link.path).classes("k-soft")
        sectors = str(link.logical_sector) if link.logical_sector == link.physical_sector else "512e"
        facts = words("facts", format=link.format, kind=words(f"kind {link.kind}"), sectors=sectors)
        sizes = words("sizes", size=format_size(link.virtual_size), takes=format_size(link.actual_size))
        ui.label(f"{facts} {sizes}")

    def _offer(self, action: str) -> None:
        why = why_not(self._page, self._image, action)
        with ui.row().classes("k-offer"):
            button = ui.button(self._words(f"do {action}"), on_click=lambda: self._open(action))
            button.props("outline no-caps dense").set_enabled(not why)
            ui.label(why or self._words(f"what {action}")).classes("k-soft")

    def _open(self, action: str) -> None:
        self._body.clear()
        with self._body:
            ui.label(self._link.path).classes("k-soft")
            ui.label(self._words(f"what {action}"))
            arguments: Arguments = getattr(self, f"_{action}")()
            plain = disks.check_json if action == "check" else disks.info_json
            yes, danger = self._words(f"do {action}"), action == "merge"
            self._ask(command(action), yes, arguments, plain, machine=self._machine, danger=danger)

    def _example(self, ending: str) -> str:
        return f"/srv/images/{self._machine or 'data'}.{ending}"

    def _child(self) -> Arguments:
        path = self._path(self._image.beside("-child", ".qcow2"), self._example("qcow2"))
        parent = {"parent": self._link.path, "parent_format": self._link.format}
        return lambda: (wanted(disks.NewDiskImage, path=path.value, format="qcow2", **parent).image(),)

    def _convert(self) -> Arguments:
        to = "vhdx" if self._link.format == "qcow2" else "qcow2"
        path = self._path(self._image.beside("", f".{to}"), self._example(to))
        form = self._format(to)
        fixed, verify = ui.checkbox(self._words("fixed")), ui.checkbox(self._words("verify"))

        def arguments() -> tuple[Any, ...]:
            said = {"path": path.value, "to": form.value, "fixed": fixed.value, "verify": verify.value}
            convert = wanted(disks.Convert, **self._which, **said)
            return convert.ref(), convert.image(), convert.folders, convert.verify

        return arguments

    def _clone(self) -> Arguments:
        path = self._path(self._image.beside("-copy"), self._example(self._link.format))

        def arguments() -> tuple[Any, ...]:
            clone = wanted(disks.Clone, **self._which, path=path.value)
            return clone.ref(), clone.path

        return arguments

    def _resize(self) -> Arguments:
        size = self._text(self._words("disk size"), format_size(self._link.virtual_size))
        shrink = ui.checkbox(self._words("shrink"))

        def arguments() -> tuple[Any, ...]:
            resize = wanted(disks.Resize, **self._which, size=parse_size(size.value), shrink=shrink.value)
            return resize.ref(), resize.size, resize.shrink

        return arguments

    def _plain(self) -> Arguments:
        return lambda: (wanted(disks.Disk, **self._which).ref(),)

    _compact = _check = _merge = _plain
