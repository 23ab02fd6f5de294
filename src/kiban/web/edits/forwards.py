# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports of the host that lead into a guest, in a form: a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from kiban.model.machine import Forward
from kiban.web.words import Words

LOOPBACK = "127.0.0.1"
Row = tuple[ui.select, ui.input, ui.input, ui.input]


class Forwards:
    """The rows, and a button for one more."""

    def __init__(self, words: Words, now: Sequence[Forward] = ()) -> None:
        self._words = words
        self._rows: list[Row] = []
        self._list = ui.column().classes("k-fields")
        ui.button(words("add forward"), icon="add", on_click=self._add).props("flat dense no-caps")
        for forward in now:
            self._add(forward)
        self._before = self.said()

    def _add(self, now: Forward | None = None) -> None:
        words = self._words
        with self._list, ui.row().classes("k-forward") as row:
            protocol = ui.select(
                {"tcp": "TCP", "udp": "UDP"}, value=now.protocol if now else "tcp", label=words("protocol")
            )
            address = ui.input(words("host address"), value=now.host_address if now else LOOPBACK)
            host = ui.input(words("host port"), value=str(now.host_port) if now else "")
            guest = ui.input(words("guest port"), value=str(now.guest_port) if now else "")
            entry = protocol, address, host, guest
            for element in entry:
                element.props("dense outlined")
            self._rows.append(entry)
            remove = ui.button(icon="close", on_click=lambda: self._remove(entry, row)).props("flat dense round")
            remove.props["aria-label"] = words("remove forward")

    def _remove(self, entry: Row, row: ui.row) -> None:
        self._rows.remove(entry)
        row.delete()

    @property
    def changed(self) -> bool:
        """Whether they are not what they were at first."""
        return self.said() != self._before

    def said(self) -> list[dict[str, Any]]:
        """The rows as the API takes them."""
        return [
            {
                "protocol": protocol.value,
                "host_address": address.value,
                "host_port": _port(host.value),
                "guest_port": _port(guest.value),
            }
            for protocol, address, host, guest in self._rows
        ]


def _port(text: str) -> int | str:
    """The number, where it is one; the API says what it thinks of anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
