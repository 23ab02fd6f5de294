# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing an ISO: one of the library, one that is dropped here and sent there, or any other of the host by path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from kiban.engine.media import MediumView
from kiban.errors import KibanError
from kiban.model.units import format_size
from kiban.web import upload
from kiban.web.frame import Page

OTHER = "/"
"""Stands for a path that is typed; no ISO has it."""


class MediumPicker:
    """Made in the place where it is to be seen. `chosen` is called with the path of another ISO, or "" for none."""

    def __init__(self, page: Page, chosen: Callable[[str], Awaitable[None]]) -> None:
        self._page, self._words, self._chosen = page, page.words, chosen
        self._told = ""
        self._select = ui.select({"": self._words("make no medium")}, value="", label=self._words("make medium"))
        self._select.classes("k-making-full").props("outlined dense").on_value_change(self._tell)
        self._other = ui.input(
            self._words("make path of the iso"), placeholder="/srv/iso/debian-12.iso", on_change=self._tell
        )
        self._other.classes("k-making-full").props("outlined dense debounce=400")
        self._other.bind_visibility_from(self._select, "value", value=OTHER)
        upload.zone(page, self._arrived)

    @property
    def path(self) -> str:
        """Of the ISO that is chosen, or "" where none is."""
        path = self._other.value.strip() if self._select.value == OTHER else self._select.value
        return str(path or "")

    def refuse(self, reason: str) -> None:
        """Say at the field what is wrong with the ISO; "" takes that back."""
        field = self._other if self._select.value == OTHER else self._select
        field.error = reason or None

    async def load(self) -> None:
        """Offer what the library has now."""
        try:
            images: list[MediumView] = await self._page.session.run("media.list")
        except KibanError as error:
            self._page.complain(error)
            return
        there = {image.path: f"{image.name} ({format_size(image.size)})" for image in images if image.kind == "iso"}
        self._select.set_options({"": self._words("make no medium"), **there, OTHER: self._words("make other path")})

    async def _arrived(self, name: str) -> None:
        """Choose the one that has just come."""
        await self.load()
        folder = str(self._page.session.host.paths.media)
        if f"{folder}/{name}" in (self._select.options or {}):
            self._select.set_value(f"{folder}/{name}")

    async def _tell(self) -> None:
        if self.path == self._told:
            return
        self._told = self.path
        self.refuse("")
        await self._chosen(self.path)
