# SPDX-License-Identifier: GPL-2.0-or-later
"""Exporting a machine: what is asked for, what comes out of it, and the definition as it goes along.

Whatever leads out of the machine's own folder means nothing on another host, and in a folder from a stranger it would
choose files of this one. So `portable` is applied on both ways: when a machine is exported and when one is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from kiban.model.contract import SUFFIX
from kiban.model.machine import Com, Disk, Machine

ExportKind = Literal["kiban", "hyper-v", "ovf"]

MANIFEST = "kiban-export.json"
"""The file by which a folder is known as an exported machine; it has size and SHA-256 of the others."""
DEFINITION = "vm.json"
FIRMWARE = ("nvram.fd", "keys.json", "keys.undo.json")
"""Of generation 2: variables with the boot order and the keys; what is known of the keys besides."""
TPM_STATE = "tpm2-00.permall"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What a person asks for; the path is absolute, of a folder that is not there yet, or empty."""

    path: str
    kind: ExportKind = "kiban"


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file of an exported machine: its name in the folder, its bytes, and their SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export has made. `left_out` has a sentence for each thing that did not go along."""

    path: str
    kind: ExportKind
    files: tuple[ExportedFile, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """A machine as others are told of it, with what its NVRAM says: whether Secure Boot is on, Hyper-V's id of the
    template ("" for keys of its own), the devices it boots from in their order. On generation 1 NVRAM says nothing."""

    machine: Machine
    secure_boot: bool = False
    template_id: str = ""
    order: tuple[str, ...] = ()


def disk_name(disk: Disk) -> str:
    """The name of a disk's image in the folder."""
    return f"{disk.id}.{SUFFIX[disk.format]}"


def portable(machine: Machine) -> tuple[Machine, tuple[str, ...]]:
    """The machine without what leads out of its own folder, and a sentence for each thing that is lost by that."""
    left = [
        *(f"The ISO in {dvd.id}, {dvd.medium}: the drive is empty." for dvd in machine.dvds if dvd.medium),
        *(f"The network boot folder of {n.id}, {n.boot.folder}." for n in machine.nics if n.boot),
        *(f"Where COM{c.number} leads, {c.path}: it has a socket of its own." for c in machine.coms if c.path),
    ]
    if machine.floppy and machine.floppy.medium:
        left.append(f"The floppy {machine.floppy.medium}: the drive is empty.")
    alone = replace(
        machine,
        disks=tuple(replace(disk, path=disk_name(disk), owned=True, rest=None) for disk in machine.disks),
        dvds=tuple(replace(dvd, medium="") for dvd in machine.dvds),
        floppy=replace(machine.floppy, medium="") if machine.floppy else None,
        nics=tuple(replace(nic, boot=None) for nic in machine.nics),
        coms=tuple(_own_socket(com) for com in machine.coms),
    )
    return alone, tuple(left)


def sectors_lost(machine: Machine) -> tuple[str, ...]:
    """A sentence for each disk whose sectors neither a VHDX of QEMU's nor a VMDK can have."""
    disks = [disk.id for disk in machine.disks if disk.sectors == "4k"]
    return tuple(
        f"Sectors of 4096 bytes of {disk}: there they have 512, and its partitions are not found." for disk in disks
    )


def _own_socket(com: Com) -> Com:
    return replace(com, kind="socket", path="") if com.path or com.kind == "file" else com
