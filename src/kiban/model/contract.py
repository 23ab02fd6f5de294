# SPDX-License-Identifier: GPL-2.0-or-later
"""The generation contract: from what a person asks for to a machine, or a refusal that says what to do instead.

Pure functions. Each device kind has one function that checks a request against the generation and gives it an id and a
slot; making a machine and adding to one both go through it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

from kiban.errors import BadInput, Conflict, NotFound, NotInGeneration
from kiban.model import bootorder, nics
from kiban.model.fresh import Fresh
from kiban.model.generations import BUS_NAMES, Bus, Generation, Video, generation
from kiban.model.machine import (
    VERSION,
    Board,
    Com,
    Disk,
    DiskFormat,
    Dvd,
    Floppy,
    Machine,
    Sectors,
    Uefi,
    next_id,
)
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, MachineRequest, NicRequest
from kiban.model.units import format_size

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
DEFAULT_CPUS = 1
DEFAULT_MEMORY = 1024**3
DEFAULT_TEMPLATE = "microsoft-uefi-ca"
SECTOR_4K = 4096
"""Bytes."""
SUFFIX: dict[DiskFormat, str] = {"qcow2": "qcow2", "vhdx": "vhdx", "vhd": "vhd", "raw": "img"}


def check_name(name: str) -> str:
    """A name is safe in paths, command lines and host names; BadInput otherwise."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} cannot be a machine's name.",
            "Use letters, digits, '.', '_' and '-', starting with a letter or digit, at most 63.",
            code="bad-name",
        )
    return name


def make(request: MachineRequest, board: Board, fresh: Fresh) -> Machine:
    """The machine that `request` asks for, or NotInGeneration / BadInput."""
    gen = generation(request.generation)
    machine = Machine(
        version=VERSION,
        id=fresh.id,
        name=check_name(request.name),
        generation=gen.number,
        created=fresh.created,
        cpus=check_cpus(gen, DEFAULT_CPUS if request.cpus is None else request.cpus),
        memory=check_memory(gen, DEFAULT_MEMORY if request.memory is None else request.memory),
        guest=request.guest or "",
        hyperv=False,
        board=board,
        uefi=_uefi(gen, request),
        tpm=check_tpm(gen, bool(request.tpm)),
        disks=(),
        dvds=(),
        floppy=_floppy(gen, request.floppy),
        nics=(),
        coms=check_coms(gen, request.coms),
        boot=(),
        autostart=request.autostart,
        notes=request.notes,
    )
    for disk in request.disks:
        machine = add_disk(machine, disk)
    for dvd in request.dvds:
        machine = add_dvd(machine, dvd)
    adapters = (NicRequest(),) if request.nics is None else request.nics
    for adapter in adapters:
        machine = nics.add(machine, adapter, fresh, wants_boot="nic" in request.boot)
    return replace(machine, boot=bootorder.resolve(machine, request.boot))


def check_cpus(gen: Generation, cpus: int) -> int:
    """Virtual processors within the generation's limits."""
    if not 1 <= cpus <= gen.max_cpus:
        raise BadInput(
            f"A generation {gen.number} machine has 1 to {gen.max_cpus} virtual processors, not {cpus}.",
            f"Say --cpus with a number up to {gen.max_cpus}.",
        )
    return cpus


def check_memory(gen: Generation, memory: int) -> int:
    """Memory in bytes, within the generation's limits, in whole MiB."""
    if not gen.min_memory <= memory <= gen.max_memory or memory % 1024**2:
        raise BadInput(
            f"A generation {gen.number} machine has {format_size(gen.min_memory)} to {format_size(gen.max_memory)} "
            f"of memory in whole MiB, not {format_size(memory) if memory % 1024**2 == 0 else f'{memory} bytes'}.",
            "Say --memory 2G, for example.",
        )
    return memory


def check_tpm(gen: Generation, wanted: bool) -> bool:
    """A TPM only where there is UEFI to measure into it."""
    if wanted and not gen.tpm:
        raise NotInGeneration(
            "A generation 1 machine has no TPM: its BIOS cannot use one.", "Use --generation 2, or leave out --tpm."
        )
    return wanted


def check_video(gen: Generation, video: Video | None) -> Video:
    """A display adapter that the generation has; its default when none is named."""
    if video is not None and video not in gen.video:
        raise NotInGeneration(
            f"A generation {gen.number} machine has no {video} video.", f"It has: {', '.join(gen.video)}."
        )
    return video or gen.video[0]


def _uefi(gen: Generation, request: MachineRequest) -> Uefi | None:
    if gen.firmware == "uefi":
        return Uefi(
            secure_boot=request.secure_boot is not False,
            template=request.template or DEFAULT_TEMPLATE,
            pause_after_boot_failure=bool(request.pause_after_boot_failure),
            pxe_protocol=request.pxe_protocol or gen.pxe_protocols[0],
            order_is_due=False,
        )
    check_no_uefi(
        secure_boot=request.secure_boot,
        template=request.template,
        keys=request.keys,
        pause=request.pause_after_boot_failure,
        pxe_protocol=request.pxe_protocol,
    )
    return None


def check_no_uefi(
    *, secure_boot: bool | None, template: str | None, keys: str | None, pause: bool | None, pxe_protocol: str | None
) -> None:
    """Refuse generation 2's firmware settings on generation 1."""
    asked = {
        "Secure Boot": secure_boot,
        "a Secure Boot template": template,
        "Secure Boot keys": keys,
        "pause after boot failure": pause,
        "PXE over IPv6": pxe_protocol == "ipv6",
    }
    for what, value in asked.items():
        if value:
            raise NotInGeneration(
                f"A generation 1 machine has no {what.removeprefix('a ')}: its firmware is a BIOS.",
                "Use --generation 2 for it.",
            )


def _floppy(gen: Generation, medium: str | None) -> Floppy | None:
    if gen.floppy_drives:
        return Floppy(medium=medium or "")
    if medium is not None:
        raise NotInGeneration(
            "A generation 2 machine has no floppy drive.",
            "Use --generation 1, or give the files on an ISO with --dvd.",
        )
    return None


def check_coms(gen: Generation, requests: tuple[ComRequest, ...]) -> tuple[Com, ...]:
    """COM ports as asked for; on generation 1 the first leads to the machine's own socket unless said otherwise."""
    numbers = [r.number for r in requests]
    if len(set(numbers)) != len(numbers):
        raise BadInput("A COM port is given twice.", "Say --com1 and --com2 once each.")
    for request in requests:
        _check_com(request)
    coms = {r.number: Com(number=r.number, kind=r.kind, path=r.path) for r in requests}
    if not gen.com_ports_built_in:
        return tuple(coms[number] for number in sorted(coms) if coms[number].kind != "none")
    if gen.com_ports_built_in and 1 not in coms:
        coms[1] = Com(number=1, kind="socket", path="")
    return tuple(coms[number] for number in sorted(coms))


def _check_com(request: ComRequest) -> None:
    if request.path and not PurePosixPath(request.path).is_absolute():
        raise BadInput(f"{request.path} is not an absolute path.", "Say where it is from the root on.")
    if request.kind == "file" and not request.path:
        raise BadInput(f"COM{request.number} is to lead to a file that is not named.", "Say the file's path.")


def slots(gen: Generation, bus: Bus) -> int:
    """How many drives a machine of a generation can have on a bus."""
    scsi = gen.scsi_controllers * gen.scsi_units
    return {"ide": gen.ide_slots, "scsi": scsi, "nvme": gen.nvme_slots, "usb": gen.usb_slots}[bus]


def _free_slot(machine: Machine, gen: Generation, bus: Bus, wanted: int | None) -> int:
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    taken = {drive.slot for drive in drives if drive.bus == bus}
    free = set(range(slots(gen, bus))) - taken
    if wanted is not None and wanted not in free:
        raise Conflict(f"{machine.name} has no free slot {wanted} on {BUS_NAMES[bus]}.", "Leave the slot out.")
    if free:
        return min(free) if wanted is None else wanted
    raise Conflict(
        f"The {BUS_NAMES[bus]} {'ports' if bus == 'usb' else 'controllers'} of {machine.name} are full.",
        "Remove a disk or DVD drive first." if bus == "scsi" else "Put it on SCSI: bus=scsi.",
    )


def check_bus(gen: Generation, bus: Bus | None, buses: tuple[Bus, ...], what: str) -> Bus:
    """The bus of a drive: the first of `buses`, those that such a drive may be on, unless said otherwise."""
    if bus is None or bus in buses:
        return bus or buses[0]
    allowed = " or ".join(BUS_NAMES[one] for one in buses)
    sentence = (
        f"In a generation {gen.number} machine {what} goes on {allowed}, not on {BUS_NAMES[bus]}."
        if slots(gen, bus)
        else f"A generation {gen.number} machine has no {BUS_NAMES[bus]}: {what} goes on {allowed}."
    )
    raise NotInGeneration(sentence, f"Leave out bus={bus}.")


def add_disk(machine: Machine, request: DiskRequest) -> Machine:
    """`machine` with one more disk."""
    gen = generation(machine.generation)
    if (request.size is None) == (request.path is None):
        raise BadInput("A disk is either a size or a path.", "Say --disk 20G, or --disk PATH,format=vhdx.")
    if request.path is not None and request.format is None:
        raise BadInput(
            f"The format of {request.path} is not named, and Kiban does not guess: a guest could fake it.",
            f"Say --disk {request.path},format=qcow2 (or vhdx, vhd, raw).",
        )
    if request.link and (request.copy or request.path is None):
        raise BadInput(
            "A linked disk is made on an existing image, and copies nothing.", "Say --disk PATH,format=qcow2,link."
        )
    bus = check_bus(gen, request.bus, gen.disk_buses, "a disk")
    _check_sectors(request, bus)
    name = next_id("disk", [d.id for d in machine.disks])
    form = "qcow2" if request.link or request.format is None else request.format
    owned = request.path is None or request.copy or request.link
    disk = Disk(
        id=name,
        path=f"{name}.{SUFFIX[form]}" if owned else str(request.path),
        format=form,
        bus=bus,
        slot=_free_slot(machine, gen, bus, request.slot),
        owned=owned,
        sectors=request.sectors,
    )
    return replace(machine, disks=(*machine.disks, disk))


def _check_sectors(request: DiskRequest, bus: Bus) -> None:
    if request.sectors == "4k" and bus == "ide":
        raise NotInGeneration(
            "A disk on IDE has sectors of 512 bytes, as its firmware and its guests expect.",
            "Put it on SCSI: bus=scsi. Or say sectors=512e, for one that is 4096 bytes inside.",
        )
    if request.size is not None:
        check_whole_sectors(request.size, request.sectors)


def check_whole_sectors(size: int, sectors: Sectors) -> None:
    """BadInput unless a disk of `size` bytes ends with a whole sector; its end could not be reached."""
    if sectors == "4k" and size % SECTOR_4K:
        raise BadInput(
            f"A disk of {size} bytes does not end with a whole sector of 4096.", "Say sectors=512.", code="bad-size"
        )


def add_dvd(machine: Machine, request: DvdRequest) -> Machine:
    """`machine` with one more DVD drive."""
    gen = generation(machine.generation)
    bus = check_bus(gen, request.bus, gen.dvd_buses, "a DVD drive")
    dvd = Dvd(
        id=next_id("dvd", [d.id for d in machine.dvds]),
        bus=bus,
        slot=_free_slot(machine, gen, bus, request.slot),
        medium=request.iso,
    )
    return replace(machine, dvds=(*machine.dvds, dvd))


def move_drive(machine: Machine, drive_id: str, bus: Bus | None, slot: int | None) -> Machine:
    """`machine` with a disk or DVD drive elsewhere; on its own bus, in the first free slot, unless said."""
    gen = generation(machine.generation)
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    drive = next((drive for drive in drives if drive.id == drive_id), None)
    if drive is None:
        known = ", ".join(each.id for each in drives) or "none"
        raise NotFound(f"{machine.name} has no disk or DVD drive {drive_id}.", f"It has: {known}.")
    if isinstance(drive, Disk):
        to = check_bus(gen, bus or drive.bus, gen.disk_buses, "a disk")
        _check_sectors(DiskRequest(sectors=drive.sectors), to)
    else:
        to = check_bus(gen, bus or drive.bus, gen.dvd_buses, "a DVD drive")
    others = replace(
        machine,
        disks=tuple(disk for disk in machine.disks if disk is not drive),
        dvds=tuple(dvd for dvd in machine.dvds if dvd is not drive),
    )
    place = _free_slot(others, gen, to, slot)
    return replace(
        machine,
        disks=tuple(replace(d, bus=to, slot=place) if d is drive else d for d in machine.disks),
        dvds=tuple(replace(d, bus=to, slot=place) if d is drive else d for d in machine.dvds),
    )


def remove_device(machine: Machine, device_id: str) -> Machine:
    """`machine` without the disk, DVD drive or adapter `device_id`."""
    if device_id not in machine.device_ids():
        known = ", ".join(machine.device_ids()) or "none"
        raise NotFound(f"{machine.name} has no device {device_id}.", f"It has: {known}.")
    return replace(
        machine,
        disks=tuple(d for d in machine.disks if d.id != device_id),
        dvds=tuple(d for d in machine.dvds if d.id != device_id),
        nics=tuple(n for n in machine.nics if n.id != device_id),
        boot=tuple(b for b in machine.boot if b != device_id),
    )


def insert(machine: Machine, device_id: str, medium: str) -> Machine:
    """`machine` with another medium in the DVD drive `device_id`; empty ejects."""
    if device_id not in [d.id for d in machine.dvds]:
        raise NotFound(f"{machine.name} has no DVD drive {device_id}.", "Add one: kiban set NAME --add-dvd ISO")
    dvds = tuple(replace(d, medium=medium) if d.id == device_id else d for d in machine.dvds)
    return replace(machine, dvds=dvds)
