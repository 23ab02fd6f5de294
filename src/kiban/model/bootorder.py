# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot order a person may ask for: classes on generation 1, single devices (or classes of them) on generation 2."""

from __future__ import annotations

from collections.abc import Sequence

from kiban.errors import BadInput, NotFound, NotInGeneration
from kiban.model.generations import BUS_NAMES, BootClass, Generation, generation
from kiban.model.machine import Disk, Dvd, Machine, boot_class

CLASSES: tuple[BootClass, ...] = ("floppy", "dvd", "disk", "nic")


def resolve(machine: Machine, wanted: Sequence[str]) -> tuple[str, ...]:
    """The order for `machine`, or a refusal; its generation's own order when nothing is wanted.

    On generation 1 all classes come out, the ones not named behind the ones that are, as its BIOS has it. On
    generation 2 only what was named comes out, each class spelled out as its devices.
    """
    gen = generation(machine.generation)
    if len(set(wanted)) != len(wanted):
        raise BadInput("The boot order names something twice.", "Name each device once: --boot dvd,disk,nic")
    for name in wanted:
        _check(machine, gen, name)
        _check_boots(machine, gen, name)
    wanted = wanted or gen.boot_classes
    if gen.boot_order == "by-class":
        return (*wanted, *(c for c in gen.boot_classes if c not in wanted))
    return tuple(device for name in wanted for device in _devices(machine, name, wanted))


def _check(machine: Machine, gen: Generation, name: str) -> None:
    if name == "floppy" and not gen.floppy_drives:
        raise NotInGeneration("A generation 2 machine has no floppy to boot from.", "Say --boot disk,dvd,nic.")
    if name in CLASSES:
        return
    if gen.boot_order == "by-class":
        raise NotInGeneration(
            f"A generation 1 machine boots by class of device, not from {name[:40]!r}: its BIOS takes the first IDE "
            "disk, the first DVD, the floppy, or the legacy adapter.",
            "Say --boot with floppy, dvd, disk and nic in the order you want.",
        )
    if name not in machine.device_ids():
        known = ", ".join(machine.device_ids()) or "none yet"
        raise NotFound(f"{machine.name} has no device {name[:40]!r} to boot from.", f"It has: {known}.")


def _check_boots(machine: Machine, gen: Generation, name: str) -> None:
    """Refuse a device, or a class whose devices are there, where the generation cannot boot from any of them."""
    if name == "disk" and machine.disks and not any(can_boot(machine, d.id) for d in machine.disks):
        buses = " or ".join(BUS_NAMES[bus] for bus in gen.boot_buses)
        raise NotInGeneration(
            f"A generation {gen.number} machine boots from {buses} only, and {machine.name} has no disk there.",
            f"Put the disk to boot from on {buses}: bus={gen.boot_buses[0]}.",
        )
    asked = [n.id for n in machine.nics if name in ("nic", n.id)]
    if asked and not any(can_boot(machine, nic) for nic in asked):
        which = machine.name if name == "nic" else f"{name} of {machine.name}"
        raise NotInGeneration(
            f"A generation {gen.number} machine boots from the network only with a {gen.pxe_adapter} adapter "
            f"({gen.pxe_model}), and {which} {'has' if name == 'nic' else 'is'} none.",
            f"Give it one: kind={gen.pxe_adapter},model={gen.pxe_model}.",
        )


def can_boot(machine: Machine, device_id: str) -> bool:
    """Whether the firmware of the machine's generation can boot from a disk, DVD drive or adapter of it."""
    gen = generation(machine.generation)
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    adapters = [nic.id for nic in machine.nics if nic.model == gen.pxe_model]
    return device_id in [*adapters, *(drive.id for drive in drives if drive.bus in gen.boot_buses)]


def _devices(machine: Machine, name: str, wanted: Sequence[str]) -> list[str]:
    if name not in CLASSES:
        return [name]
    # a device that is named by itself keeps the place it was given
    return [d for d in machine.device_ids() if boot_class(d) == name and d not in wanted and can_boot(machine, d)]
