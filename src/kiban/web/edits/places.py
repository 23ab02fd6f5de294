# SPDX-License-Identifier: GPL-2.0-or-later
"""The form that attaches a disk or DVD drive elsewhere: to which controller, and where on it."""

from __future__ import annotations

from kiban.engine.view import MachineView
from kiban.errors import BadInput
from kiban.model.contract import slots
from kiban.model.generations import BUS_NAMES, GENERATIONS, Bus, Generation
from kiban.model.machine import Disk, Dvd
from kiban.web.edits.form import Form, Subject
from kiban.web.forms import checked
from kiban.web.hardware import IDE_DRIVES
from kiban.web.words import Words
from kiban.wire import requests


async def move(subject: Subject, drive_id: str) -> None:
    """Another controller, or another place on the same."""
    words, view = subject.page.words, subject.view
    gen = GENERATIONS[view.generation]
    drives: list[Disk | Dvd] = [*view.disks, *view.dvds]
    drive = next(each for each in drives if each.id == drive_id)
    buses = gen.disk_buses if isinstance(drive, Disk) else gen.dvd_buses
    controllers = {f"{bus}{n}": (bus, n) for bus in buses for n in range(-(-slots(gen, bus) // _size(gen, bus)))}
    now, place = divmod(drive.slot, _size(gen, drive.bus))
    title = words("move drive", drive=drive_id)
    with Form(subject, title, closed=subject.may("edit offline"), yes=words("move")) as form:
        names = {key: _name(words, *each) for key, each in controllers.items()}
        controller = form.select("controller", words("bus"), names, f"{drive.bus}{now}")
        location = form.number("location", words("location"), place, hint=words("location hint"))
    controller.on_value_change(lambda: location.set_value(_first_free(view, gen, *controllers[controller.value])))

    async def send() -> None:
        if form.changed():
            said = form.said("controller", "location")
            bus, number = controllers[said["controller"]]
            size, location = _size(gen, bus), said["location"]
            if location >= size:  # it would be one of the next controller
                raise BadInput(f"There is no place {location} on that controller.", f"It has 0 to {size - 1}.")
            to = checked(requests.Place, {"bus": bus, "slot": number * size + location})
            await subject.run("devices.move_drive", drive_id, to.bus, to.slot)

    await form.ask(send)


def _size(gen: Generation, bus: Bus) -> int:
    """How many drives there can be on a controller."""
    return {"ide": IDE_DRIVES, "scsi": gen.scsi_units}.get(bus, slots(gen, bus))


def _name(words: Words, bus: Bus, number: int) -> str:
    return words(f"hardware {bus}", number=number) if bus in ("ide", "scsi") else BUS_NAMES[bus]


def _first_free(view: MachineView, gen: Generation, bus: Bus, number: int) -> str:
    """The first place that is free on a controller; '' when none is."""
    drives: list[Disk | Dvd] = [*view.disks, *view.dvds]
    taken = {drive.slot for drive in drives if drive.bus == bus}
    size = _size(gen, bus)
    return next((str(place) for place in range(size) if number * size + place not in taken), "")
