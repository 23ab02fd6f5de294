# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of a network adapter, a new one or one that is there: its network, what leads in, what it is."""

from __future__ import annotations

from nicegui import ui

from kiban.engine import hotrules
from kiban.model import nics
from kiban.model.generations import GENERATIONS, AdapterKind, Generation
from kiban.model.machine import NetBoot
from kiban.model.requests import NicRequest
from kiban.web.edits.form import Form, Subject
from kiban.web.edits.forwards import Forwards
from kiban.web.forms import checked
from kiban.wire import requests, translate

BOOT = ("folder", "file", "protocol")


async def add(subject: Subject) -> None:
    """One more adapter."""
    words, gen = subject.page.words, GENERATIONS[subject.view.generation]
    with Form(subject, words("add nic"), closed=subject.may("edit"), yes=words("add")) as form:
        _network(subject, form, "nat")
        forwards = Forwards(words)
        _kinds(subject, form, gen)
        if len(gen.synthetic_models) > 1:
            form.select("model", words("model"), {"": words("auto"), **_models(gen)}, "")
        form.text("mac", words("mac"), hint=words("mac hint"), convert=lambda mac: mac or None)
        _boot(subject, form, gen, None)

    async def send() -> None:
        said, boot = form.said("network", "mac", *_what(gen)), form.said(*BOOT)
        boots = {"boot": boot} if boot["folder"] else {}
        wanted = checked(requests.NewNic, {**said, **boots, "forwards": forwards.said()})
        await subject.run("devices.add_nic", translate.nic_request(wanted))

    await form.ask(send)


async def change(subject: Subject, device: str) -> None:
    """Another network, other forwards, or another adapter in the place of one."""
    words, gen = subject.page.words, GENERATIONS[subject.view.generation]
    nic = nics.find(subject.handle.machine, device)
    with Form(subject, words("change nic", nic=device), closed=subject.may("edit")) as form:
        _network(subject, form, nic.network)
        forwards = Forwards(words, nic.forwards)
        fixed = subject.why(lambda: hotrules.check_changes(subject.handle, device, *_what(gen), "mac", "boot"))
        if fixed:
            ui.label(fixed).classes("k-lacks")
        if gen.legacy_adapters:
            kinds = {kind: words(f"nic {kind}") for kind in ("synthetic", "legacy")}
            form.select("kind", words("nic kind"), kinds, nic.kind)
        if len(gen.synthetic_models) > 1:
            form.select("model", words("model"), _models(gen), nic.model)
        form.text("mac", words("mac"), nic.mac, hint=words("mac change hint"), convert=lambda mac: mac or "new")
        _boot(subject, form, gen, nic.boot)
        if fixed:
            form.keep("mac", *_what(gen), *BOOT)

    async def send() -> None:
        changes = form.changed()
        if any(changes.pop(key, None) is not None for key in BOOT):
            boot = form.said(*BOOT)
            changes["boot"] = boot if boot["folder"] else "none"
        if forwards.changed:
            changes["forwards"] = forwards.said()
        if changes:
            wanted = checked(requests.NicChanges, changes)
            await subject.run("devices.change_nic", device, translate.nic_changes(wanted))

    await form.ask(send)


def _network(subject: Subject, form: Form, now: str) -> None:
    words = subject.page.words
    form.select("network", words("network"), {kind: words(f"network {kind}") for kind in ("nat", "none")}, now)


def _what(gen: Generation) -> tuple[str, ...]:
    """The fields that say what an adapter is, where a generation leaves a choice."""
    return (*(("kind",) if gen.legacy_adapters else ()), *(("model",) if len(gen.synthetic_models) > 1 else ()))


def _models(gen: Generation) -> dict[str, str]:
    return {model: model for model in gen.synthetic_models}


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


def _boot(subject: Subject, form: Form, gen: Generation, now: NetBoot | None) -> None:
    """The folder that it boots from over the network; the rest is asked only where there is one."""
    words = subject.page.words
    folder = form.text("folder", words("boot folder"), now.folder if now else "", hint=words("boot folder hint"))
    with ui.column().classes("k-fields") as more:
        form.text("file", words("boot file"), now.file if now else "", hint=words("boot file hint"))
        protocols = {"tftp": "TFTP"} | ({"http": "HTTP"} if gen.http_boot else {})
        form.select("protocol", words("boot protocol"), protocols, now.protocol if now else "tftp")
    more.bind_visibility_from(folder, "value", backward=bool)
