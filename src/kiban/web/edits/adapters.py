# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of a new network adapter: its network, the ports of the host that lead to it, a folder to boot from."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from kiban.engine import hotrules
from kiban.model.generations import GENERATIONS, AdapterKind, Generation
from kiban.model.requests import NicRequest
from kiban.web.edits.form import Form, Subject
from kiban.web.forms import checked
from kiban.wire import requests, translate

LOOPBACK = "127.0.0.1"


async def add(subject: Subject) -> None:
    """One more adapter."""
    words, gen = subject.page.words, GENERATIONS[subject.view.generation]
    with Form(subject, words("add nic"), closed=subject.may("edit"), yes=words("add")) as form:
        form.select("network", words("network"), {kind: words(f"network {kind}") for kind in ("nat", "none")}, "nat")
        _kinds(subject, form, gen)
        if len(gen.synthetic_models) > 1:
            models: dict[str, str] = {model: model for model in gen.synthetic_models}
            form.select("model", words("model"), {"": words("auto"), **models}, "")
        form.text("mac", words("mac"), hint=words("mac hint"), convert=lambda mac: mac or None)
        forwards = Forwards(subject)
        folder = form.text("folder", words("boot folder"), hint=words("boot folder hint"))
        with ui.column().classes("k-fields") as boot:
            form.text("file", words("boot file"), hint=words("boot file hint"))
            protocols = {"tftp": "TFTP"} | ({"http": "HTTP"} if gen.http_boot else {})
            form.select("protocol", words("boot protocol"), protocols, "tftp")
        boot.bind_visibility_from(folder, "value", backward=bool)

    async def send() -> None:
        wanted = checked(requests.NewNic, {**_adapter(form, gen), "forwards": forwards.said()})
        await subject.run("devices.add_nic", translate.nic_request(wanted))

    await form.ask(send)


def _kinds(subject: Subject, form: Form, gen: Generation) -> None:
    """The kinds of adapter that there may be one more of now; the others with the reason."""
    words = subject.page.words
    kinds: tuple[AdapterKind, ...] = ("synthetic", "legacy") if gen.legacy_adapters else ("synthetic",)
    offered = {"": words("auto")}
    for kind in kinds:
        why = subject.why(lambda kind=kind: hotrules.with_nic(subject.handle, NicRequest(kind=kind)))  # type: ignore[misc]
        if why:
            ui.label(f"{words(f'nic {kind}')}: {why}").classes("k-lacks")
        else:
            offered[kind] = words(f"nic {kind}")
    if len(kinds) > 1:
        form.select("kind", words("nic kind"), offered, "")


def _adapter(form: Form, gen: Generation) -> dict[str, Any]:
    """An adapter as it was filled in, in the words of the API, without its forwards."""
    kind = ("kind",) if gen.legacy_adapters else ()
    model = ("model",) if len(gen.synthetic_models) > 1 else ()
    said = form.said("network", "mac", *kind, *model)
    boot = form.said("folder", "file", "protocol")
    return {**said, "boot": boot} if boot["folder"] else said


class Forwards:
    """Ports of the host that lead into the guest: a row for each."""

    def __init__(self, subject: Subject) -> None:
        self._words = subject.page.words
        self._rows: list[tuple[ui.select, ui.input, ui.input, ui.input]] = []
        self._list = ui.column().classes("k-fields")
        ui.button(self._words("add forward"), icon="add", on_click=self._add).props("flat dense no-caps")

    def _add(self) -> None:
        words = self._words
        with self._list, ui.row().classes("k-forward") as row:
            protocol = ui.select({"tcp": "TCP", "udp": "UDP"}, value="tcp", label=words("protocol"))
            address = ui.input(words("host address"), value=LOOPBACK)
            host, guest = ui.input(words("host port")), ui.input(words("guest port"))
            entry = protocol, address, host, guest
            for element in entry:
                element.props("dense outlined")
            self._rows.append(entry)
            remove = ui.button(icon="close", on_click=lambda: self._remove(entry, row)).props("flat dense round")
            remove.props["aria-label"] = words("remove forward")

    def _remove(self, entry: tuple[ui.select, ui.input, ui.input, ui.input], row: ui.row) -> None:
        self._rows.remove(entry)
        row.delete()

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
