# SPDX-License-Identifier: GPL-2.0-or-later
"""Applying changes to a machine: pure, and checked by the same contract that made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from kiban.errors import NotInGeneration
from kiban.model import bootorder, contract
from kiban.model.generations import generation
from kiban.model.machine import Floppy, Machine
from kiban.model.requests import Changes, ComRequest

OFFLINE = (
    "cpus",
    "memory",
    "secure_boot",
    "template",
    "keys",
    "pause_after_boot_failure",
    "pxe_protocol",
    "tpm",
    "boot",
    "coms",
    "video",
)
"""Settings that want the machine off; the others may change at any time."""


def wants_off(changes: Changes) -> bool:
    """Whether a running machine cannot take these changes."""
    return any(getattr(changes, name) is not None for name in OFFLINE)


def wants_keys(changes: Changes) -> bool:
    """Whether Secure Boot or its keys are to change."""
    return (changes.secure_boot, changes.template, changes.keys) != (None, None, None)


def apply(machine: Machine, changes: Changes) -> Machine:
    """`machine` with `changes`, or the refusal that making it that way would have met."""
    gen = generation(machine.generation)
    if changes.cpus is not None:
        machine = replace(machine, cpus=contract.check_cpus(gen, changes.cpus))
    if changes.memory is not None:
        machine = replace(machine, memory=contract.check_memory(gen, changes.memory))
    if changes.tpm is not None:
        machine = replace(machine, tpm=contract.check_tpm(gen, changes.tpm))
    if changes.coms is not None:
        machine = replace(machine, coms=contract.check_coms(gen, changes.coms))
    if changes.video is not None:
        video = contract.check_video(gen, changes.video)
        machine = replace(machine, board=replace(machine.board, video=video))
    if changes.floppy is not None:
        machine = _floppy(machine, changes.floppy)
    machine = _uefi(machine, changes)
    if changes.boot is not None:
        machine = replace(machine, boot=bootorder.resolve(machine, changes.boot))
    return replace(
        machine,
        guest=machine.guest if changes.guest is None else changes.guest,
        autostart=machine.autostart if changes.autostart is None else changes.autostart,
        notes=machine.notes if changes.notes is None else changes.notes,
    )


def _floppy(machine: Machine, medium: str) -> Machine:
    if machine.floppy is None:
        raise NotInGeneration("A generation 2 machine has no floppy drive.", "Give the files on an ISO with --dvd.")
    return replace(machine, floppy=Floppy(medium=medium))


def _uefi(machine: Machine, changes: Changes) -> Machine:
    if machine.uefi is None:
        contract.check_no_uefi(
            secure_boot=changes.secure_boot,
            template=changes.template,
            keys=changes.keys,
            pause=changes.pause_after_boot_failure,
            pxe_protocol=changes.pxe_protocol,
        )
        return machine
    settings = ("secure_boot", "template", "pause_after_boot_failure", "pxe_protocol")
    said = {name: value for name in settings if (value := getattr(changes, name)) is not None}
    return replace(machine, uefi=replace(machine.uefi, **said))


def with_coms(generation: int, coms: Iterable[Any], wanted: Iterable[ComRequest]) -> tuple[ComRequest, ...]:
    """All COM ports after a change: those not named stay; on generation 2 `none` takes the port away.

    `coms` are those that there are, as the model has them or a client of the service.
    """
    merged = {com.number: ComRequest(number=com.number, kind=com.kind, path=com.path) for com in coms}
    merged |= {com.number: com for com in wanted}
    return tuple(com for _, com in sorted(merged.items()) if generation == 1 or com.kind != "none")
