# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the drives of a foreign machine go: their own controllers where the generation has those, others where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiban.errors import BadInput
from kiban.model.contract import slots
from kiban.model.foreign import ForeignDisk, ForeignDvd, ForeignMachine, Place
from kiban.model.generations import BUS_NAMES, Bus, Generation
from kiban.model.requests import DiskRequest, DvdRequest
from kiban.model.takeover import DiskFacts, Notebook, PlannedDisk
from kiban.model.units import format_size

LAZY_KINDS = ("vhdx", "vhd")
"""Disks that a machine can start from before they are copied."""


@dataclass(frozen=True)
class Target:
    """What decides about controllers: the generation, whether a Windows runs there (None: not known), `--lazy`."""

    gen: Generation
    windows: bool | None
    lazy: bool


@dataclass(frozen=True, kw_only=True)
class Drives:
    """The requests for drives, and what each disk is made of."""

    disks: tuple[DiskRequest, ...]
    dvds: tuple[DvdRequest, ...]
    planned: tuple[PlannedDisk, ...]


class _Slots:
    """Which slots of the controllers are taken."""

    def __init__(self, gen: Generation) -> None:
        self._gen = gen
        self._taken: set[tuple[Bus, int]] = set()

    def take(self, choices: Sequence[tuple[Bus, int | None]]) -> tuple[Bus, int] | None:
        """The first choice that is free; None for any slot of that bus."""
        for bus, wanted in choices:
            every = range(slots(self._gen, bus))
            for slot in every if wanted is None else (wanted,):
                if slot in every and (bus, slot) not in self._taken:
                    self._taken.add((bus, slot))
                    return bus, slot
        return None


def place_drives(machine: ForeignMachine, target: Target, facts: Sequence[DiskFacts], book: Notebook) -> Drives:
    """Give each disk and DVD drive its controller; BadInput when there is no room for all of them."""
    gen, windows, lazy = target.gen, target.windows, target.lazy
    free = _Slots(gen)
    disks: list[DiskRequest] = []
    planned: list[PlannedDisk] = []
    first = _boot_disk(machine, gen)
    for number, (disk, fact) in enumerate(zip(machine.disks, facts, strict=True)):
        choices = _disk_choices(disk.place, gen, windows, boots=number == first)
        place = free.take([choice for choice in choices if fact.sectors != "4k" or choice[0] != "ide"])
        if place is None:
            raise _no_room(machine, gen)
        later = lazy and disk.image in LAZY_KINDS
        path = disk.file.path if disk.file else disk.path
        disks.append(
            DiskRequest(path=path, format="qcow2", bus=place[0], slot=place[1], copy=True, sectors=fact.sectors)
        )
        planned.append(PlannedDisk(id=f"disk{number}", source=disk, facts=fact, lazy=later))
        book.row(f"disk{number}", f"{_where(disk.place)}: {_disk_words(disk, fact)}", _here(gen, *place, later))
        if lazy and not later:
            book.left.append(f"Starting at once from disk{number}: a {disk.image} disk is copied first.")
    return Drives(disks=tuple(disks), dvds=_dvds(machine, gen, windows, free, book), planned=tuple(planned))


def _boot_disk(machine: ForeignMachine, gen: Generation) -> int:
    """The number of the disk that must be where the firmware boots from; -1 when one is there already."""
    there = any(disk.place.bus in gen.boot_buses for disk in machine.disks)
    return -1 if there else 0


def _disk_choices(place: Place, gen: Generation, windows: bool | None, *, boots: bool) -> list[tuple[Bus, int | None]]:
    choices: list[tuple[Bus, int | None]] = []
    if gen.number == 2 and windows:
        choices.append(("nvme", None))  # a Windows has a driver of its own for that, and for none of the SCSI here
    if boots and place.bus not in gen.boot_buses:
        choices.append((gen.boot_buses[0], None))
    if place.bus == "ide" and "ide" in gen.disk_buses:
        choices.append(("ide", place.controller * 2 + place.location if place.location < 2 else None))
    if place.bus == "scsi":
        choices.append(("scsi", place.controller * gen.scsi_units + place.location))
    if place.bus == "nvme" and "nvme" in gen.disk_buses:
        choices.append(("nvme", place.controller if place.location == 0 else None))
    if place.bus in ("sata", "unknown", "nvme"):
        choices.append((gen.disk_buses[0], None))
    return [*choices, ("scsi", None)]


def _dvds(
    machine: ForeignMachine, gen: Generation, windows: bool | None, free: _Slots, book: Notebook
) -> tuple[DvdRequest, ...]:
    made: list[DvdRequest] = []
    for dvd in machine.dvds:
        number = len(made)
        choices: list[tuple[Bus, int | None]] = [("usb", None)] if gen.number == 2 and windows else []
        if dvd.place.bus == "ide" and "ide" in gen.dvd_buses and dvd.place.location < 2:
            choices.append(("ide", dvd.place.controller * 2 + dvd.place.location))
        if dvd.place.bus == "scsi" and "scsi" in gen.dvd_buses:
            choices.append(("scsi", dvd.place.controller * gen.scsi_units + dvd.place.location))
        place = free.take([*choices, *((bus, None) for bus in gen.dvd_buses)])
        if place is None:
            book.left.append(f"The DVD drive at {_where(dvd.place)}: there is no room for it.")
            continue
        iso = _medium(dvd, number, book)
        made.append(DvdRequest(iso=iso, bus=place[0], slot=place[1]))
        book.row(
            f"dvd{number}",
            f"{_where(dvd.place)}: {_shown(dvd.path) or 'empty'}",
            f"{_spot(gen, *place)}: {iso or 'empty'}",
        )
    return tuple(made)


def _medium(dvd: ForeignDvd, number: int, book: Notebook) -> str:
    """The ISO stays where it is; one that was not found, or is inside an archive, is left out."""
    if not dvd.path:
        return ""
    if dvd.file is not None and dvd.file.path.lower().endswith(".iso"):
        return dvd.file.path
    book.left.append(f"The DVD {_shown(dvd.path)} in dvd{number}: put it in by kiban set NAME --dvd dvd{number}=ISO.")
    return ""


def _no_room(machine: ForeignMachine, gen: Generation) -> BadInput:
    return BadInput(
        f"{_shown(machine.name)} has {len(machine.disks)} disks, and a generation {gen.number} machine has no room for "
        "all of them.",
        "Take some out before it is exported.",
        code="too-many-disks",
    )


def _disk_words(disk: ForeignDisk, fact: DiskFacts) -> str:
    files = f" in {len(fact.files)} files" if len(fact.files) > 1 else ""
    sectors = {"512": "", "512e": ", 512e", "4k": ", sectors of 4 KiB"}[fact.sectors]
    return f"{_shown(disk.path)}, {disk.image}{files}, {format_size(fact.size)}{sectors}"


def _here(gen: Generation, bus: Bus, slot: int, lazy: bool) -> str:
    return f"{_spot(gen, bus, slot)}: qcow2{', copied while it runs' if lazy else ''}"


def _spot(gen: Generation, bus: Bus, slot: int) -> str:
    per = {"ide": 2, "scsi": gen.scsi_units}.get(bus, 0)
    return f"{BUS_NAMES[bus]} {slot // per}:{slot % per}" if per else f"{BUS_NAMES[bus]} {slot}"


def _where(place: Place) -> str:
    return (
        "no controller said" if place.bus == "unknown" else f"{place.bus.upper()} {place.controller}:{place.location}"
    )


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[-120:]
