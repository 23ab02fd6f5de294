# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a definition that was read, not made, is a machine that the contract could have made.

A vm.json may have been edited by hand or come from somebody else. What the rest of Kiban takes for granted of a machine
is looked at here once: names that are safe in paths and command lines, devices that belong to the generation, slots
that exist and are used once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address
from pathlib import PurePosixPath

from kiban.errors import BadInput
from kiban.model import contract, nics
from kiban.model.generations import BUS_NAMES, Generation, generation
from kiban.model.machine import Disk, Dvd, Forward, Machine, Nic

_WORD = re.compile(r"[A-Za-z0-9._-]{1,80}")
_DEVICE = {Disk: re.compile(r"disk[0-9]{1,3}"), Dvd: re.compile(r"dvd[0-9]{1,3}"), Nic: re.compile(r"nic[0-9]{1,3}")}


def check(machine: Machine) -> None:
    """BadInput, saying what is wrong, for a machine that the contract would not have made."""
    for wrong in _problems(machine, generation(machine.generation)):
        raise BadInput(f"{wrong[0].upper()}{wrong[1:]}.", "Compare it with the definition of another machine.")


def _problems(machine: Machine, gen: Generation) -> Iterator[str]:
    contract.check_name(machine.name)
    contract.check_cpus(gen, machine.cpus)
    contract.check_memory(gen, machine.memory)
    contract.check_tpm(gen, machine.tpm)
    contract.check_video(gen, machine.board.video)
    if not _WORD.fullmatch(machine.board.machine_type) or not _WORD.fullmatch(machine.board.cpu or "max"):
        yield "the machine type or the CPU is not a name"
    if (machine.uefi is not None) != (gen.firmware == "uefi"):
        yield "UEFI settings are for generation 2, and all of those have them"
    if (machine.floppy is not None) != bool(gen.floppy_drives):
        yield "a floppy drive is for generation 1, and all of those have one"
    yield from _texts(machine)
    yield from _devices(machine)
    yield from _drives(machine, gen)
    yield from _adapters(machine, gen)
    yield from _coms(machine, gen)
    yield from _boot(machine, gen)


def _texts(machine: Machine) -> Iterator[str]:
    boots = [nic.boot for nic in machine.nics if nic.boot]
    paths = [
        *(disk.path for disk in machine.disks),
        *(path for disk in machine.disks if disk.rest for path in (disk.rest.path, disk.rest.mark, *disk.rest.folders)),
        *(dvd.medium for dvd in machine.dvds),
        *(com.path for com in machine.coms),
        *(text for boot in boots for text in (boot.folder, boot.file)),
        machine.floppy.medium if machine.floppy else "",
        machine.board.firmware_code,
    ]
    board = (machine.board.firmware_code_sha256, machine.board.firmware_descriptor)
    template = machine.uefi.template if machine.uefi else ""
    others = (machine.created, machine.guest, machine.notes, template, *board, *(boot.secret for boot in boots))
    for text in (*paths, *others):
        if "\0" in text or not _is_unicode(text):
            yield f"{text[:60]!r} cannot be written as text; a file's name must be valid UTF-8"


def _is_unicode(text: str) -> bool:
    # a lone surrogate is how Python shows a byte of a file's name that is not UTF-8
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _devices(machine: Machine) -> Iterator[str]:
    devices: list[Disk | Dvd | Nic] = [*machine.disks, *machine.dvds, *machine.nics]
    for device in devices:
        if not _DEVICE[type(device)].fullmatch(device.id):
            yield f"{device.id[:40]!r} is not a device's id"
    if len({device.id for device in devices}) != len(devices):
        yield "two devices have one id"


def _drives(machine: Machine, gen: Generation) -> Iterator[str]:
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    for drive in drives:
        if drive.bus not in (gen.disk_buses if isinstance(drive, Disk) else gen.dvd_buses):
            yield f"{drive.id} is on {BUS_NAMES[drive.bus]}, where a generation {gen.number} machine does not have it"
        if drive.slot not in range(contract.slots(gen, drive.bus)):
            yield f"{drive.id} is on a slot of {drive.bus} that a generation {gen.number} machine does not have"
    yield from _twice([(drive.bus, drive.slot) for drive in drives], "drives", "slot")
    for disk in machine.disks:
        place = PurePosixPath(disk.path)
        # Kiban moves and deletes what it owns, so that must be in the machine's own directory
        if disk.owned and (len(place.parts) != 1 or place.name in ("", "..")):
            yield f"{disk.id} is Kiban's own, but not in the machine's directory"
        if disk.sectors == "4k" and disk.bus == "ide":
            yield f"{disk.id} is on IDE, which has no sectors of 4 KiB"
        if not disk.owned and not place.is_absolute():
            yield f"{disk.id} is somebody else's, but its path is not absolute"
        # what is not copied yet is copied into a qcow2 of Kiban's own
        if disk.rest and (not disk.owned or disk.format != "qcow2" or not PurePosixPath(disk.rest.path).is_absolute()):
            yield f"{disk.id} is said to be copied from somewhere, and cannot be"


def _adapters(machine: Machine, gen: Generation) -> Iterator[str]:
    for nic in machine.nics:
        limit = gen.legacy_adapters if nic.kind == "legacy" else gen.synthetic_adapters
        if nic.slot not in range(limit):
            yield f"{nic.id} is on a slot that a generation {gen.number} machine does not have"
        if nic.model not in (("tulip",) if nic.kind == "legacy" else gen.synthetic_models):
            yield f"{nic.id} is an adapter that a generation {gen.number} machine does not have"
        if not nics.MAC.fullmatch(nic.mac):
            yield f"{nic.id} has no proper address"
        if not all(_is_forward(forward) for forward in nic.forwards):
            yield f"{nic.id} forwards what is no port"
    yield from _twice([(nic.kind, nic.slot) for nic in machine.nics], "adapters", "slot")
    yield from _twice([nic.mac for nic in machine.nics], "adapters", "address")


def _is_forward(forward: Forward) -> bool:
    try:
        IPv4Address(forward.host_address or "127.0.0.1")
    except AddressValueError:
        return False
    return all(1 <= port <= 65535 for port in (forward.host_port, forward.guest_port))


def _coms(machine: Machine, gen: Generation) -> Iterator[str]:
    if [com.number for com in machine.coms] not in ([], [1], [2], [1, 2]):
        yield "the COM ports are not in order"
    if gen.com_ports_built_in and 1 not in [com.number for com in machine.coms]:
        yield "COM1 is missing"


def _boot(machine: Machine, gen: Generation) -> Iterator[str]:
    if len(set(machine.boot)) != len(machine.boot):
        yield "the boot order names something twice"
    if gen.boot_order == "by-class" and set(machine.boot) != set(gen.boot_classes):
        yield "the boot order does not have each class of device"
    if gen.boot_order == "by-device" and not set(machine.boot) <= set(machine.device_ids()):
        yield "the boot order names a device that is not there"


def _twice(values: Sequence[object], whose: str, what: str) -> Iterator[str]:
    if len(set(values)) != len(values):
        yield f"two {whose} have one {what}"
