# SPDX-License-Identifier: GPL-2.0-or-later
"""The card of a machine: its settings and hardware in the words of Hyper-V, and what its generation lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiban.model.generations import BUS_NAMES, GENERATIONS, Generation
from kiban.model.units import format_size

SCSI_UNITS = 64
"""Units on a SCSI controller, by which a slot is divided (see kiban.model.machine)."""


HEARTBEATS = {
    "ok": "OK",
    "no-contact": "no contact: no guest agent has answered since the start",
    "lost": "lost: the guest agent does not answer any more",
    "paused": "paused",
    "unknown": "unknown",
}


def guest_rows(guest: Any) -> dict[str, list[str]]:
    """What the guest says of itself, as rows of the card."""
    return {"heartbeat": _some(HEARTBEATS.get(guest.heartbeat, guest.heartbeat)), "addresses": list(guest.addresses)}


def machine_card(machine: Any, guest: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The rows of the card: each label with its lines. A damaged machine has little to show."""
    if machine.problem:
        return {"id": [machine.id], "problem": [machine.problem]}
    gen = GENERATIONS[machine.generation]
    return {
        "generation": [gen.title.removeprefix("generation ")],
        "state": [_state(machine)],
        "boot": _boot(machine.boot),
        **guest,
        "processors": [str(machine.cpus)],
        "memory": [format_size(machine.memory)],
        "guest": _some(machine.guest),
        "firmware": [_firmware(machine)],
        "TPM": ["2.0"] if machine.tpm else [],
        "disks": [f"{d.id}  {_place(d)}  {d.format}  {d.path}{_rest(d)}" for d in machine.disks],
        "DVD drives": [f"{d.id}  {_place(d)}  {d.medium or 'empty'}" for d in machine.dvds],
        "floppy": [] if machine.floppy is None else [machine.floppy or "empty"],
        "network": [line for nic in machine.nics for line in _nic(nic)],
        "COM ports": [_com(com) for com in machine.coms],
        "display": _some(machine.video),
        "boot order": _some(", ".join(machine.boot_order)),
        "boot entries": [_entry(entry) for entry in machine.boot_entries],
        "autostart": ["yes"] if machine.autostart else [],
        "notes": machine.notes.splitlines(),
        "created": [machine.created],
        "id": [machine.id],
        "warnings": list(machine.warnings),
        "does not have": [", ".join(absent(gen))],
    }


def absent(gen: Generation) -> list[str]:
    """What a PC may have and this generation does not, read from its literal."""
    missing = [
        (not gen.ide_slots, "IDE"),
        (not gen.floppy_drives, "floppy"),
        (gen.keyboard_and_mouse != "ps2", "PS/2"),
        (not gen.com_ports_built_in, "COM ports until asked for"),
        (not gen.legacy_adapters, "legacy network adapters"),
        (gen.firmware == "bios", "UEFI"),
        (not gen.secure_boot, "Secure Boot"),
        (not gen.tpm, "TPM"),
        ("scsi" not in gen.boot_buses, "boot from SCSI"),
        (not gen.http_boot, "HTTP boot"),
    ]
    return [name for lacks, name in missing if lacks]


def _some(text: str) -> list[str]:
    return [text] if text else []


def _state(machine: Any) -> str:
    running = f"{machine.state} (QEMU's process {machine.pid}, {machine.accelerator})" if machine.pid else machine.state
    why = machine.reason if machine.reason != machine.state else ""
    return f"{running}: {why}" if why and not machine.pid else running


_BOOTS = {"firmware": "still in its firmware", "started": "past its firmware"}


def _boot(boot: Any) -> list[str]:
    """How far the machine has come; nothing when that is not known."""
    if boot.state not in ("refused", "failed"):
        return _some(_BOOTS.get(boot.state, boot.state))
    where = f" ({boot.device})" if boot.device else ""
    return [f"{boot.state}{where}: {boot.sentence}", *([boot.hint] if boot.hint else [])]


def _firmware(machine: Any) -> str:
    if machine.secure_boot is None:
        return str(machine.firmware)
    secure = f"Secure Boot on, template {machine.template}" if machine.secure_boot else "Secure Boot off"
    return f"{machine.firmware}, {secure}"


def _rest(disk: Any) -> str:
    return f"  (being copied from {disk.rest})" if getattr(disk, "rest", "") else ""


def _place(drive: Any) -> str:
    """Where a drive sits: `IDE 0:1` is the slave of the first channel, `SCSI 0:5` unit 5 of the first controller."""
    if drive.bus in ("nvme", "usb"):
        return f"{BUS_NAMES[drive.bus]} {drive.slot}"
    major, minor = divmod(drive.slot, 2 if drive.bus == "ide" else SCSI_UNITS)
    return f"{drive.bus.upper()} {major}:{minor}"


def _nic(nic: Any) -> list[str]:
    lines = [f"{nic.id}  {nic.kind}  {nic.model}  {nic.mac}  {nic.network}"]
    for f in nic.forwards:
        address = f"[{f.host_address}]" if ":" in f.host_address else f.host_address
        lines.append(f"      {f.protocol} {address}:{f.host_port} leads to the guest's port {f.guest_port}")
    if nic.boot is not None:
        lines.append(f"      boots {nic.boot.file} of {nic.boot.folder} over {nic.boot.protocol}")
    return lines


def _com(com: Any) -> str:
    return f"COM{com.number}  {com.kind}  {com.path}".rstrip()


def _entry(entry: Any) -> str:
    leads = f" ({entry.device})" if entry.device else ""
    return f"{entry.name}  {entry.description}{leads}{'' if entry.active else ', inactive'}"
