# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of disks, DVD drives and the floppy drive: what comes, what goes, what grows, what is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from kiban.engine import hotrules
from kiban.engine.media import MediumView
from kiban.model.generations import BUS_NAMES, GENERATIONS, Bus
from kiban.model.machine import Machine
from kiban.model.requests import DiskRef, DiskRequest, DvdRequest
from kiban.model.units import GiB, format_size
from kiban.web.edits.form import Form, Subject
from kiban.web.forms import checked
from kiban.wire import disks, requests, translate

FORMATS = {"qcow2": "qcow2", "vhdx": "VHDX", "vhd": "VHD", "raw": "raw"}
SECTORS = {"512": "512", "512e": "512e", "4k": "4K"}


async def add_disk(subject: Subject) -> None:
    """A new disk, or an image that is there."""
    words = subject.page.words
    with Form(subject, words("add disk"), closed=subject.may("edit"), yes=words("add")) as form:
        source = form.select("source", words("disk source"), {k: words(f"disk {k}") for k in ("new", "there")}, "new")
        with ui.column().classes("k-fields") as new:
            form.size("size", words("size"), "20 GiB", hint=words("size hint"))
            form.select("new_format", words("format"), FORMATS, "qcow2")
        with ui.column().classes("k-fields") as there:
            form.text("path", words("path on host"), hint=words("path hint"))
            form.select("format", words("format of image"), FORMATS, None, hint=words("format hint"))
            uses = {use: words(f"use {use}") for use in ("as it is", "copy", "link")}
            form.select("use", words("use of image"), uses, "as it is")
        new.bind_visibility_from(source, "value", value="new")
        there.bind_visibility_from(source, "value", value="there")
        form.select("sectors", words("sectors"), SECTORS, "512")
        _buses(
            subject, form, "disk_buses", lambda bus: hotrules.with_disk(subject.handle, DiskRequest(size=GiB, bus=bus))
        )

    async def send() -> None:
        disk = translate.disk_request(checked(requests.NewDisk, _disk(form)))
        await subject.run("devices.add_disk", disk)

    await form.ask(send)


def _disk(form: Form) -> dict[str, Any]:
    """A disk as it was filled in, in the words of the API."""
    common = form.said("sectors", "bus")
    if form.said("source")["source"] == "new":
        said = form.said("size", "new_format")
        return {**common, "size": said["size"], "format": said["new_format"]}
    said = form.said("path", "format", "use")
    use = said.pop("use")
    return {**common, **said, "copy": use == "copy", "link": use == "link"}


def _buses(subject: Subject, form: Form, kind: str, check: Callable[[Bus], Machine]) -> None:
    """The buses that a drive may go on now; the others with the reason."""
    words = subject.page.words
    buses: tuple[Bus, ...] = getattr(GENERATIONS[subject.view.generation], kind)
    reasons = {bus: subject.why(lambda bus=bus: check(bus)) for bus in buses}  # type: ignore[misc]  # the bus is bound
    offered: dict[str, str] = {bus: BUS_NAMES[bus] for bus in buses if not reasons[bus]}
    form.select("bus", words("bus"), {"": words("bus auto"), **offered}, "")
    for bus in buses:
        if reasons[bus]:
            ui.label(f"{BUS_NAMES[bus]}: {reasons[bus]}").classes("k-lacks")


async def grow(subject: Subject, disk: str) -> None:
    """Give a disk another size."""
    words, view = subject.page.words, subject.view
    ref = DiskRef(machine=view.name, disk=disk)
    found = await subject.page.do(subject.page.session.run("disks.info", ref))
    if found is None:
        return
    now = format_size(found.links[0].virtual_size) if found.links else ""
    with Form(subject, words("grow disk", disk=disk), yes=words("grow")) as form:
        form.size("size", words("size"), now, hint=words("grow hint"))

    async def send() -> None:
        if changes := form.changed():
            wanted = checked(disks.Resize, {"disk": f"{view.name}:{disk}", **changes})
            await form.follow(
                subject.page.session.begin(
                    "disks.resize", view.name, wanted.ref(), wanted.size, wanted.shrink, plain=disks.info_json
                )
            )

    await form.ask(send)


async def remove(subject: Subject, device: str) -> None:
    """Take a device out."""
    words, view = subject.page.words, subject.view
    closed = subject.may("edit") or subject.why(lambda: hotrules.without(subject.handle, device))
    title = words("remove device?", device=device)
    with Form(subject, title, closed=closed, yes=words("take off"), dangerous=True) as form:
        for disk in view.disks:
            if disk.id == device:
                ui.label(words(f"image {'kept' if disk.owned else 'stays'}", path=disk.path))
    await form.ask(lambda: subject.run("devices.remove_device", device))


async def add_dvd(subject: Subject) -> None:
    """One more DVD drive."""
    words, known = subject.page.words, await _known(subject)
    with Form(subject, words("add dvd"), closed=subject.may("edit"), yes=words("add")) as form:
        form.text("iso", words("iso"), hint=words("iso hint")).set_autocomplete(known)
        _buses(subject, form, "dvd_buses", lambda bus: hotrules.with_dvd(subject.handle, DvdRequest(bus=bus)))

    async def send() -> None:
        wanted = checked(requests.NewDvd, form.said("iso", "bus"))
        await subject.run("devices.add_dvd", translate.dvd_request(wanted))

    await form.ask(send)


async def _known(subject: Subject) -> list[str]:
    """Paths of the library's ISO images, to choose from while one is typed."""
    found: list[MediumView] = await subject.page.session.run("media.list")
    return [medium.path for medium in found if medium.kind == "iso"]


async def insert(subject: Subject, drive: str) -> None:
    """Another disc for a DVD drive."""
    words = subject.page.words
    now = next((dvd.medium for dvd in subject.view.dvds if dvd.id == drive), "")
    title, known = words("medium of", drive=drive), await _known(subject)
    with Form(subject, title, closed=subject.may("edit"), yes=words("insert")) as form:
        form.text("iso", words("iso"), now, hint=words("iso path hint")).set_autocomplete(known)

    async def send() -> None:
        wanted = checked(requests.Medium, form.said("iso"))
        await subject.run("devices.insert", drive, wanted.iso)

    await form.ask(send)


async def eject(subject: Subject, drive: str) -> None:
    """Take the disc out of a DVD drive."""
    await subject.page.do(subject.run("devices.eject", drive))


async def floppy(subject: Subject) -> None:
    """The floppy's image."""
    words, view = subject.page.words, subject.view
    with Form(subject, words("hardware floppy"), closed=subject.may("edit")) as form:
        form.text("floppy", words("floppy image"), view.floppy.medium if view.floppy else "", hint=words("iso hint"))
    await form.ask(lambda: subject.edit(form.changed()))
