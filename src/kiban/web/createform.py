# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of a new machine. Each is checked as it is typed, by the same functions that the service asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from kiban.adapters.firmware import templates
from kiban.engine.advising import Suggestion
from kiban.engine.diskuse import FORMATS
from kiban.errors import BadInput, KibanError
from kiban.model import contract
from kiban.model.generations import GENERATIONS
from kiban.model.units import parse_size
from kiban.web.frame import Page
from kiban.web.wish import Port, Wish, size

NEITHER = ("new", "none")
"""Kinds of disk that are of no existing image."""
PLAIN = Suggestion(
    generation=2,
    ok=True,
    reason="",
    hint="",
    cpus=contract.DEFAULT_CPUS,
    memory=contract.DEFAULT_MEMORY,
    disk=20 << 30,
    tpm=False,
    template=contract.DEFAULT_TEMPLATE,
)
"""For a machine whose guest is not known."""


class Form:
    """All fields but the medium. `changed` is called after each change, `chosen` when what would boot is another."""

    def __init__(self, page: Page, changed: Callable[[], Any], name: str) -> None:
        self._page, self._words, self._changed = page, page.words, changed
        self.suggestion = PLAIN
        with self._card(self._words("make name and generation")):
            self.name = self._text(self._words("make name"), name, self._check_name).props(
                "autocomplete=off spellcheck=false"
            )
            choices = {number: self._words(f"make generation {number}") for number in (1, 2)}
            self.generation = ui.radio(choices, value=2, on_change=changed).props(
                f'aria-label="{self._words("make generation")}"'
            )
            self.why = ui.label().classes("k-soft").props('role="status"')
        with self._card(self._words("make processor and memory")), ui.row().classes("k-bar"):
            self.cpus = self._text(self._words("make processors"), "1", self._check_cpus)
            self.memory = self._text(self._words("make memory"), "1G", self._check_memory)
        self._disk_card()
        self._network_card()

    def firmware(self) -> None:
        """The fields of Secure Boot and TPM, in the place where they are to be seen."""
        with ui.row().classes("k-bar") as self._firmware:
            self.secure_boot = ui.switch(self._words("make secure boot"), value=True, on_change=self._changed)
            self.template = ui.select(sorted(templates.templates()), value=PLAIN.template, on_change=self._changed)
            self.template.props(f'outlined dense label="{self._words("make template")}"').classes("k-making-field")
            self.template.bind_enabled_from(self.secure_boot, "value")
            self.tpm = ui.switch("TPM 2.0", value=False, on_change=self._changed)
        self._firmware.bind_visibility_from(self.generation, "value", value=2)

    def _card(self, title: str) -> ui.column:
        card = ui.column().classes("k-card k-making")
        with card:
            ui.label(title).classes("k-part").props('role="heading" aria-level="2"')
        return card

    def _text(self, label: str, value: str, check: Callable[[str], Any]) -> ui.input:
        def said(text: str) -> str | None:
            try:
                check(text or "")
            except KibanError as error:
                return self._words.said(error.message)
            return None

        field = ui.input(label, value=value, validation=said, on_change=self._changed)
        return field.props("outlined dense debounce=150").classes("k-making-field")

    def _disk_card(self) -> None:
        with self._card(self._words("make disk")):
            kinds = {kind: self._words(f"make disk {kind}") for kind in ("new", "use", "copy", "link", "none")}
            self.disk = ui.select(kinds, value="new", label=self._words("make kind of disk"), on_change=self._changed)
            self.disk.props("outlined dense").classes("k-making-full")
            with ui.row().classes("k-bar"):
                self.disk_size = self._text(self._words("make disk size"), "20G", parse_size)
                self.disk_size.bind_visibility_from(self.disk, "value", value="new")
                self.disk_path = self._text(self._words("make path of the image"), "", str).props(
                    'placeholder="/srv/images/web.vhdx"'
                )
                self.disk_path.classes("k-making-long")
                self.disk_path.bind_visibility_from(self.disk, "value", backward=lambda kind: kind not in NEITHER)
                self.format = ui.select([*FORMATS], value="qcow2", on_change=self._changed)
                self.format.props(f'outlined dense label="{self._words("make format")}"').classes("k-making-field")
                self.format.bind_visibility_from(self.disk, "value", backward=lambda kind: kind != "none")

    def _network_card(self) -> None:
        with self._card(self._words("make network")):
            kinds = {kind: self._words(f"make network {kind}") for kind in ("nat", "none", "absent")}
            self.network = ui.radio(kinds, value="nat", on_change=self._changed)
            self.network.props(f'aria-label="{self._words("make network")}"')
            self._ports: list[tuple[ui.select, ui.input, ui.input]] = []
            with ui.column().classes("k-making-full") as self._forwards:
                self._rows = ui.column().classes("k-making-full")
                ui.button(self._words("make add port"), icon="add", on_click=self._add_port).props("flat dense no-caps")
            self._forwards.bind_visibility_from(self.network, "value", value="nat")

    def _add_port(self) -> None:
        with self._rows, ui.row().classes("k-bar") as row:
            kind = ui.select(["tcp", "udp"], value="tcp", on_change=self._changed)
            kind.props(f'outlined dense aria-label="{self._words("make protocol")}"')
            host = self._text(self._words("make host port"), "", _port)
            guest = self._text(self._words("make guest port"), "", _port)
            entry = (kind, host, guest)

            def remove() -> None:
                self._ports.remove(entry)
                row.delete()
                self._changed()

            close = ui.button(icon="close", on_click=remove).props("flat dense round")
            close.props(f'aria-label="{self._words("make remove port")}"')
        self._ports.append(entry)
        self._changed()

    def suggest(self, suggestion: Suggestion) -> None:
        """Put what suits the guest where nobody has said anything else."""
        old, self.suggestion = self.suggestion, suggestion
        fields: tuple[tuple[ValueElement[Any], Any, Any], ...] = (
            (self.cpus, str(old.cpus), str(suggestion.cpus)),
            (self.memory, size(old.memory), size(suggestion.memory)),
            (self.disk_size, size(old.disk), size(suggestion.disk)),
            (self.template, old.template or PLAIN.template, suggestion.template or PLAIN.template),
            (self.tpm, old.tpm, suggestion.tpm),
        )
        for field, before, after in fields:
            if field.value == before:
                field.set_value(after)

    def check(self) -> bool:
        """Say at each field what is wrong with it; whether all are right."""
        fields = [self.name, self.cpus, self.memory, *(field for _, *both in self._ports for field in both)]
        if self.disk.value == "new":
            fields.append(self.disk_size)
        wrong = [field for field in fields if not field.validate()]  # each of them says so
        return not wrong

    def wish(self, medium: str) -> Wish:
        """What the fields say; BadInput where one of them makes no sense."""
        generation, suggestion = int(self.generation.value), self.suggestion
        cpus, memory = int(self._check_cpus(self.cpus.value)), self._check_memory(self.memory.value)
        template = str(self.template.value)
        return Wish(
            name=contract.check_name(self.name.value.strip()),
            generation=generation,
            medium=medium,
            cpus=None if cpus == suggestion.cpus else cpus,
            memory=None if memory == suggestion.memory else memory,
            disk=self.disk.value,
            disk_size=parse_size(self.disk_size.value) if self.disk.value == "new" else suggestion.disk,
            disk_path=self.disk_path.value.strip(),
            disk_format=str(self.format.value),
            network=self.network.value,
            ports=tuple(Port(protocol=k.value, host=_port(h.value), guest=_port(g.value)) for k, h, g in self._ports),
            secure_boot=bool(self.secure_boot.value),
            template=None if template == (suggestion.template or PLAIN.template) else template,
            tpm=None if self.tpm.value == suggestion.tpm else bool(self.tpm.value),
        )

    def _check_name(self, text: str) -> None:
        self._page.session.host.check_free(contract.check_name(text.strip()))

    def _check_cpus(self, text: str) -> int:
        count = int(text) if text.strip().isdecimal() and len(text.strip()) < 6 else 0
        return contract.check_cpus(GENERATIONS[int(self.generation.value)], count)

    def _check_memory(self, text: str) -> int:
        return contract.check_memory(GENERATIONS[int(self.generation.value)], parse_size(text))


def _port(text: str) -> int:
    if not (text.strip().isdecimal() and 0 < len(text.strip()) < 6 and 0 < int(text) < 65536):
        raise BadInput("A port is a number from 1 to 65535.")
    return int(text)
