# SPDX-License-Identifier: GPL-2.0-or-later
"""Name of a command to its function, who may ask for it, and whether it is long work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kiban.commands import (
    bootcheck,
    capacity,
    com,
    devices,
    disks,
    doctor,
    life,
    machines,
    media,
    screen,
    secureboot,
    takeover,
    tokens,
    tpm,
    usage,
)
from kiban.model.roles import Permission


@dataclass(frozen=True)
class Command:
    """A thing a person can ask for. A job's function takes `progress` and may take long."""

    name: str
    function: Callable[..., Any]
    permission: Permission
    job: bool


COMMANDS: dict[str, Command] = {
    c.name: c
    for c in (
        Command("machines.list", machines.list_all, "read", False),
        Command("machines.info", machines.info, "read", False),
        Command("machines.create", machines.create, "manage", True),
        Command("machines.edit", machines.edit, "manage", False),
        Command("machines.rename", machines.rename, "manage", False),
        Command("machines.remove", machines.remove, "manage", False),
        Command("machines.discard", machines.discard, "operate", False),
        Command("takeover.plan", takeover.plan, "manage", False),
        Command("takeover.import_machine", takeover.import_machine, "manage", True),
        Command("takeover.export", takeover.export, "manage", True),
        Command("life.start", life.start, "operate", True),
        Command("life.shut_down", life.shut_down, "operate", True),
        Command("life.turn_off", life.turn_off, "operate", False),
        Command("life.restart", life.restart, "operate", True),
        Command("life.reset", life.reset, "operate", False),
        Command("life.pause", life.pause, "operate", False),
        Command("life.resume", life.resume, "operate", False),
        Command("life.save", life.save, "operate", True),
        Command("devices.add_disk", devices.add_disk, "manage", False),
        Command("devices.add_nic", devices.add_nic, "manage", False),
        Command("devices.change_nic", devices.change_nic, "manage", False),
        Command("devices.add_dvd", devices.add_dvd, "manage", False),
        Command("devices.move_drive", devices.move_drive, "manage", False),
        Command("devices.remove_device", devices.remove_device, "manage", False),
        Command("devices.insert", devices.insert, "operate", False),
        Command("devices.eject", devices.eject, "operate", False),
        Command("disks.list", disks.list_all, "read", False),
        Command("disks.info", disks.info, "operate", False),
        Command("disks.create", disks.create, "manage", True),
        Command("disks.convert", disks.convert, "manage", True),
        Command("disks.clone", disks.clone, "manage", True),
        Command("disks.resize", disks.resize, "manage", True),
        Command("disks.compact", disks.compact, "manage", True),
        Command("disks.check", disks.check, "operate", True),
        Command("disks.merge", disks.merge, "manage", True),
        Command("media.list", media.list_all, "read", False),
        Command("media.advise", media.advise, "operate", False),
        Command("media.upload", media.upload, "manage", False),
        Command("media.remove", media.remove, "manage", False),
        Command("disks.mount", disks.mount, "manage", True),
        Command("disks.unmount", disks.unmount, "manage", True),
        Command("disks.mounts", disks.mounts, "operate", False),
        Command("screen.screenshot", screen.screenshot, "read", False),
        Command("screen.type_text", screen.type_text, "operate", False),
        Command("screen.press", screen.press, "operate", False),
        Command("usage.show", usage.show, "read", False),
        Command("usage.running", usage.running, "read", False),
        Command("usage.history", usage.history, "read", False),
        Command("usage.guest", usage.guest, "read", False),
        Command("screen.view", screen.view, "read", False),
        Command("screen.use", screen.use, "operate", False),
        Command("com.attach", com.attach, "operate", False),
        Command("tpm.show", tpm.show, "read", False),
        Command("tpm.log", tpm.log, "read", False),
        Command("tpm.raw_log", tpm.raw_log, "read", False),
        Command("secureboot.show", secureboot.show, "read", False),
        Command("secureboot.enroll", secureboot.enroll, "manage", False),
        Command("secureboot.revoke", secureboot.revoke, "manage", False),
        Command("secureboot.reset", secureboot.reset, "manage", False),
        Command("secureboot.update", secureboot.update, "manage", False),
        Command("secureboot.undo", secureboot.undo, "manage", False),
        Command("secureboot.audit", secureboot.audit, "read", True),
        Command("bootcheck.explain", bootcheck.explain, "read", False),
        Command("bootcheck.explain_path", bootcheck.explain_path, "operate", False),
        Command("tokens.list", tokens.list_all, "manage", False),
        Command("tokens.create", tokens.create, "manage", False),
        Command("tokens.revoke", tokens.revoke, "manage", False),
        Command("host.show", capacity.show, "read", False),
        Command("doctor.report", doctor.report, "read", False),
    )
}
