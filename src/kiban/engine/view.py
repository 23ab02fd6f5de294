# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine as people and programs see it: definition, state and what the firmware would boot, in one flat picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kiban.engine import nvram
from kiban.engine.handle import Handle
from kiban.model.generations import GENERATIONS
from kiban.model.machine import Com, Disk, Dvd, Floppy, Machine, Nic
from kiban.model.outcome import Boot
from kiban.model.states import State


@dataclass(frozen=True, kw_only=True)
class MachineView:
    """Everything there is to say about a machine. `memory` in bytes, times in ISO 8601 and UTC.

    With a `problem`, the definition cannot be read: only name (the id), id, state and problem mean anything.
    """

    name: str
    id: str
    generation: int
    state: State
    reason: str
    accelerator: str
    cpus: int
    memory: int
    guest: str
    firmware: str
    machine_type: str
    secure_boot: bool | None
    template: str
    pause_after_boot_failure: bool | None
    pxe_protocol: str
    tpm: bool
    disks: tuple[Disk, ...]
    dvds: tuple[Dvd, ...]
    floppy: Floppy | None
    nics: tuple[Nic, ...]
    coms: tuple[Com, ...]
    boot_order: tuple[str, ...]
    boot_entries: tuple[Mapping[str, Any], ...]
    boot: Boot
    video: str
    autostart: bool
    notes: str
    pid: int | None
    started: str | None
    created: str
    directory: str
    runtime: str
    warnings: tuple[str, ...]
    problem: str


def of(handle: Handle, *, entries: bool = True) -> MachineView:
    """The picture of a machine. Without `entries` its boot order is not read, which is what makes a long list quick."""
    machine = handle.definition
    state: dict[str, Any] = {
        "name": handle.name,
        "id": handle.id,
        "state": handle.state,
        "reason": handle.reason,
        "boot": handle.boot,
        "accelerator": handle.accelerator,
        "pid": handle.process.pid if handle.process else None,
        "started": handle.started or None,
        "directory": str(handle.directory),
        "runtime": str(handle.runtime),
        "warnings": tuple(handle.warnings),
        "problem": handle.problem,
    }
    if machine is None:
        return MachineView(**state, **_UNKNOWN)
    found = _entries(handle, machine) if entries and machine.uefi else ()
    definition = _definition(machine)
    if machine.uefi:
        # what is in force: the guest may have changed it, and the service may have been killed in the middle
        facts = nvram.facts(handle.directory, machine.uefi)
        definition |= {"secure_boot": facts.secure_boot, "template": facts.template}
    if found:
        # the order in force, which the guest may have changed since it was asked for
        definition["boot_order"] = tuple(dict.fromkeys(e["device"] for e in found if e["device"]))
    return MachineView(**state, **definition, boot_entries=found)


def _definition(machine: Machine) -> dict[str, Any]:
    uefi = machine.uefi
    same = ("generation", "cpus", "memory", "guest", "tpm", "disks", "dvds", "floppy", "nics", "coms")
    return {name: getattr(machine, name) for name in same} | {
        "boot_order": machine.boot,
        "autostart": machine.autostart,
        "notes": machine.notes,
        "created": machine.created,
        "firmware": machine.board.firmware_code or GENERATIONS[machine.generation].firmware,
        "machine_type": machine.board.machine_type,
        "video": machine.board.video,
        "secure_boot": None,
        "template": "",
        "pause_after_boot_failure": uefi.pause_after_boot_failure if uefi else None,
        "pxe_protocol": uefi.pxe_protocol if uefi else "",
    }


def _entries(handle: Handle, machine: Machine) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"name": e.name, "device": e.device, "active": e.active, "description": e.description, "file": e.file}
        for e in nvram.entries(handle.directory, machine)
    )


_UNKNOWN: dict[str, Any] = {
    "generation": 0, "cpus": 0, "memory": 0, "guest": "", "firmware": "", "machine_type": "", "secure_boot": None,
    "template": "", "pause_after_boot_failure": None, "pxe_protocol": "", "tpm": False, "disks": (), "dvds": (),
    "floppy": None, "nics": (), "coms": (), "boot_order": (), "boot_entries": (), "video": "", "autostart": False,
    "notes": "", "created": "",
}  # fmt: skip
