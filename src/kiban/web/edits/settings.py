# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of a machine's settings: what `kiban set` says of it as a whole, its name, and its end."""

from __future__ import annotations

from typing import Literal

from nicegui import ui

from kiban.adapters.firmware.templates import CUSTOM, templates
from kiban.engine.keyview import SEALED
from kiban.model import edit
from kiban.model.generations import GENERATIONS
from kiban.model.machine import Disk
from kiban.model.requests import Changes
from kiban.model.units import format_size
from kiban.web.edits.form import Form, Subject
from kiban.web.forms import checked
from kiban.wire import requests, translate


async def processors(subject: Subject) -> None:
    """How many virtual processors there are."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware processor"), closed=subject.may("edit offline")) as form:
        most = GENERATIONS[view.generation].max_cpus
        form.number("cpus", words("cpus"), view.cpus, hint=words("cpus hint", most=most))
    await form.ask(lambda: subject.edit(form.changed()))


async def memory(subject: Subject) -> None:
    """How much memory there is."""
    words, view = subject.page.words, subject.view
    gen = GENERATIONS[view.generation]
    with Form(subject, words("hardware memory"), closed=subject.may("edit offline")) as form:
        limits = {"least": format_size(gen.min_memory), "most": format_size(gen.max_memory)}
        form.size("memory", words("hardware memory"), format_size(view.memory), hint=words("memory hint", **limits))
    await form.ask(lambda: subject.edit(form.changed()))


async def security(subject: Subject) -> None:
    """Secure Boot, whose keys it trusts, and the TPM."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware security"), closed=subject.may("edit offline")) as form:
        form.switch("secure_boot", words("secure boot"), bool(view.secure_boot))
        ui.label(words("secure boot means")).classes("k-soft")
        names = dict.fromkeys([*templates(), CUSTOM, view.template])
        template = form.select("template", words("template"), {name: name for name in names}, view.template)
        for name in names:
            if f"template {name}" in TRUSTS:
                meaning = ui.label(words(f"template {name}")).classes("k-soft")
                meaning.bind_visibility_from(template, "value", value=name)
        keys = form.text("keys", words("keys folder"), convert=lambda folder: folder or None)
        keys.bind_visibility_from(template, "value", value=CUSTOM)
        form.switch("tpm", words("tpm"), view.tpm)
        ui.label(words("tpm means")).classes("k-soft")
        if view.tpm:
            ui.label(SEALED).classes("k-soft")

    async def send() -> None:
        changes = form.changed()
        if changes.get("keys"):
            changes["template"] = CUSTOM  # a folder is nothing by itself
        await subject.edit(changes)

    await form.ask(send)


TRUSTS = ("template microsoft-windows", "template microsoft-uefi-ca", "template open-source", f"template {CUSTOM}")
"""Templates that there are words for."""


async def com(subject: Subject, number: Literal[1, 2]) -> None:
    """Where a COM port leads."""
    words, view = subject.page.words, subject.view
    now = next((com for com in view.coms if com.number == number), None)
    with Form(subject, f"COM {number}", closed=subject.may("edit offline")) as form:
        kinds = {kind: words(f"com {kind}") for kind in ("none", "socket", "file")}
        kind = form.select("kind", words("com leads to"), kinds, now.kind if now else "none")
        path = form.text("path", words("path on host"), now.path if now else "")
        path.bind_visibility_from(kind, "value", backward=lambda value: value != "none")
        ui.label(words("com means")).classes("k-soft")

    async def send() -> None:
        if not form.changed():
            return
        said = form.said("kind", "path")
        wanted = checked(requests.NewCom, {"number": number, **said, "path": said["path"] if path.visible else ""})
        now = subject.handle.machine
        coms = edit.with_coms(now.generation, now.coms, [translate.com_request(wanted)])
        await subject.run("machines.edit", Changes(coms=coms))

    await form.ask(send)


async def video(subject: Subject) -> None:
    """The display adapter."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware video"), closed=subject.may("edit offline")) as form:
        kinds = {kind: kind for kind in GENERATIONS[view.generation].video}
        form.select("video", words("hardware video"), kinds, view.video)
    await form.ask(lambda: subject.edit(form.changed()))


async def general(subject: Subject) -> None:
    """Notes, the guest, and whether it starts with its host."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware general"), closed=subject.may("edit")) as form:
        form.lines("notes", words("notes"), view.notes)
        form.text("guest", words("guest"), view.guest, hint=words("guest hint"))
        form.switch("autostart", words("autostart"), view.autostart)
    await form.ask(lambda: subject.edit(form.changed()))


async def name(subject: Subject) -> None:
    """Another name for the machine."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware name")) as form:
        form.text("name", words("hardware name"), view.name)

    async def send() -> None:
        if changes := form.changed():
            new = checked(requests.Rename, changes).name
            await subject.run("machines.rename", new)

    await form.ask(send)


async def remove(subject: Subject) -> None:
    """Remove the machine, once it is clear which disks go with it."""
    words, view = subject.page.words, subject.view
    closed = subject.may("remove")
    with Form(subject, words("remove?", name=view.name), closed=closed, yes=words("remove"), dangerous=True) as form:
        _list(words("disks that go"), [disk for disk in view.disks if disk.owned])
        _list(words("disks that stay"), [disk for disk in view.disks if not disk.owned])
        ui.label(words("cannot be undone"))
    await form.ask(lambda: subject.run("machines.remove"))


def _list(title: str, disks: list[Disk]) -> None:
    if not disks:
        return
    ui.label(title)
    with ui.element("ul").classes("k-list"):
        for disk in disks:
            with ui.element("li"):
                ui.label(f"{disk.id}: {disk.path}")
