# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's hardware as Hyper-V's settings show it: the same branches on both generations, those that a generation
does not have with the reason instead of what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kiban.engine.view import MachineView
from kiban.model.generations import BUS_NAMES, GENERATIONS, Generation
from kiban.model.machine import Disk, Dvd, Nic
from kiban.model.units import format_size
from kiban.web.words import Words

IDE_DRIVES = 2
"""On each of the two IDE controllers."""


@dataclass(frozen=True)
class Branch:
    """A part of the machine and what is in it; with a `reason` there is no such part.

    `devices` are the ids of what the lines are about, where they are about devices.
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    reason: str = ""
    devices: tuple[str, ...] = ()


def tree(view: MachineView, words: Words) -> list[Branch]:
    """All branches, in Hyper-V's order."""
    gen = GENERATIONS[view.generation]
    return [
        Branch("firmware", words(f"hardware {gen.firmware}"), _firmware(view)),
        _security(view, gen, words),
        Branch("memory", words("hardware memory"), (format_size(view.memory),)),
        Branch("processor", words("hardware processor"), (str(view.cpus),)),
        *_ide(view, gen, words),
        *_controllers(view, gen, words),
        *_adapters(view, gen, words),
        *_coms(view, gen, words),
        _floppy(view, gen, words),
        Branch("video", words("hardware video"), (view.video,)),
        Branch("name", words("hardware name"), (view.name,)),
        Branch("general", words("hardware general"), tuple(_general(view, words))),
    ]


def described(view: MachineView, words: Words) -> dict[str, str]:
    """What each disk, DVD drive and adapter is, by its id, in a line."""
    drives: list[Disk | Dvd] = [*view.disks, *view.dvds]
    on = {drive.id: f"{drive.id}, {BUS_NAMES[drive.bus]}: {_content(drive, words)}" for drive in drives}
    return on | {nic.id: _nic(nic, words) for nic in view.nics}


def _general(view: MachineView, words: Words) -> Iterator[str]:
    yield words("guest is", guest=view.guest or words("not said"))
    yield words("starts with host") if view.autostart else words("does not start")
    if view.notes:
        yield view.notes


def _firmware(view: MachineView) -> tuple[str, ...]:
    return tuple(f"{number}. {entry}" for number, entry in enumerate(view.boot_order, 1))


def _security(view: MachineView, gen: Generation, words: Words) -> Branch:
    key, title = "security", words("hardware security")
    if not gen.secure_boot:
        return Branch(key, title, reason=words("why no secure boot"))
    secure = words("secure boot on", template=view.template) if view.secure_boot else words("secure boot off")
    return Branch(key, title, (secure, words("tpm on") if view.tpm else words("tpm off")))


def _ide(view: MachineView, gen: Generation, words: Words) -> Iterator[Branch]:
    if not gen.ide_slots:
        yield Branch("ide", words("hardware ide", number="0, 1"), reason=words("why no ide"))
    for number in range(gen.ide_slots // IDE_DRIVES):
        drives = [drive for drive in _on(view, "ide") if drive.slot // IDE_DRIVES == number]
        yield _drives(f"ide{number}", words("hardware ide", number=number), drives, IDE_DRIVES, words)


def _controllers(view: MachineView, gen: Generation, words: Words) -> Iterator[Branch]:
    numbers = sorted({drive.slot // gen.scsi_units for drive in _on(view, "scsi")}) or [0]
    for number in numbers:
        drives = [drive for drive in _on(view, "scsi") if drive.slot // gen.scsi_units == number]
        yield _drives(f"scsi{number}", words("hardware scsi", number=number), drives, gen.scsi_units, words)
    for bus, title in (("nvme", "NVMe"), ("usb", "USB")):
        if drives := _on(view, bus):
            yield _drives(bus, title, drives, gen.scsi_units, words)


def _on(view: MachineView, bus: str) -> list[Disk | Dvd]:
    drives: list[Disk | Dvd] = [*view.disks, *view.dvds]
    return sorted((drive for drive in drives if drive.bus == bus), key=lambda drive: drive.slot)


def _drives(key: str, title: str, drives: Sequence[Disk | Dvd], units: int, words: Words) -> Branch:
    lines = tuple(f"{drive.slot % units}: {drive.id}, {_content(drive, words)}" for drive in drives)
    return Branch(key, title, lines, devices=tuple(drive.id for drive in drives))


def _content(drive: Disk | Dvd, words: Words) -> str:
    if isinstance(drive, Dvd):
        return words("dvd", medium=drive.medium or words("empty"))
    return f"{drive.path} ({drive.format})"


def _adapters(view: MachineView, gen: Generation, words: Words) -> Iterator[Branch]:
    synthetic = [nic for nic in view.nics if nic.kind == "synthetic"]
    legacy = [nic for nic in view.nics if nic.kind == "legacy"]
    yield _nics("nic", words("hardware nic"), synthetic, words)
    if gen.legacy_adapters:
        yield _nics("legacy", words("hardware legacy nic"), legacy, words)
    else:
        yield Branch("legacy", words("hardware legacy nic"), reason=words("why no legacy nic"))


def _nics(key: str, title: str, nics: Sequence[Nic], words: Words) -> Branch:
    return Branch(key, title, tuple(_nic(nic, words) for nic in nics), devices=tuple(nic.id for nic in nics))


def _nic(nic: Nic, words: Words) -> str:
    if nic.network == "none":
        return f"{nic.id}: {nic.model}, {nic.mac}, {words('network none')}"
    forwards = "".join(f", {f.protocol} {f.host_port} → {f.guest_port}" for f in nic.forwards)
    return f"{nic.id}: {nic.model}, {nic.mac}, NAT{forwards}"


def _coms(view: MachineView, gen: Generation, words: Words) -> Iterator[Branch]:
    known = {com.number: com for com in view.coms}
    for number in (1, 2):
        key, title = f"com{number}", f"COM {number}"
        if (com := known.get(number)) is not None and com.kind != "none":
            yield Branch(key, title, (f"{words.term(com.kind)} {com.path}".rstrip(),))
        elif gen.com_ports_built_in:
            yield Branch(key, title, (words("none"),))
        else:
            yield Branch(key, title, reason=words("why no com"))


def _floppy(view: MachineView, gen: Generation, words: Words) -> Branch:
    key, title = "floppy", words("hardware floppy")
    if not gen.floppy_drives:
        return Branch(key, title, reason=words("why no floppy"))
    return Branch(key, title, ((view.floppy.medium if view.floppy else "") or words("empty"),))
