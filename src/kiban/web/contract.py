# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract of both generations as a table, from their literals: for the page that compares them and for
docs/reference/contract.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kiban.model.generations import BUS_NAMES, Bus, Generation
from kiban.model.units import format_size
from kiban.web.words import Words

Cell = Callable[[Generation, Words], str]
CHIPSETS = {"pc-i440fx": "Intel 440FX/PIIX", "pc-q35": "Q35"}
FIRMWARE = {"bios": "BIOS (SeaBIOS)", "uefi": "UEFI (OVMF)"}
PROTOCOLS = {"ipv4": "IPv4", "ipv6": "IPv6"}


def _asked(there: bool, words: Words) -> str:
    return words("when asked for") if there else words("no")


def _count(count: int, said: str, words: Words) -> str:
    return said if count else words("no")


def _buses(buses: tuple[Bus, ...]) -> str:
    return ", ".join(BUS_NAMES[bus] for bus in buses)


ROWS: Mapping[str, Cell] = {
    "board": lambda gen, words: f"{CHIPSETS[gen.machine_family]} ({gen.machine_family})",
    "firmware": lambda gen, words: FIRMWARE[gen.firmware],
    "secure boot": lambda gen, words: words("on unless switched off") if gen.secure_boot else words("no"),
    "tpm": lambda gen, words: _asked(gen.tpm, words),
    "guests": lambda gen, words: ", ".join(words("bits", bits=bits) for bits in gen.guest_bits),
    "processors": lambda gen, words: words("range", least=1, most=gen.max_cpus),
    "memory": lambda gen, words: words("range", least=format_size(gen.min_memory), most=format_size(gen.max_memory)),
    "ide": lambda gen, words: _count(gen.ide_slots, words("so many drives", count=gen.ide_slots), words),
    "scsi": lambda gen, words: words("so many controllers", count=gen.scsi_controllers, units=gen.scsi_units),
    "nvme": lambda gen, words: _count(gen.nvme_slots, words("so many disks", count=gen.nvme_slots), words),
    "usb": lambda gen, words: _count(gen.usb_slots, words("so many dvds", count=gen.usb_slots), words),
    "disks": lambda gen, words: _buses(gen.disk_buses),
    "dvds": lambda gen, words: _buses(gen.dvd_buses),
    "boots": lambda gen, words: _buses(gen.boot_buses),
    "floppy": lambda gen, words: _count(gen.floppy_drives, str(gen.floppy_drives), words),
    "keyboard": lambda gen, words: {"ps2": "PS/2", "usb": "USB"}[gen.keyboard_and_mouse],
    "display": lambda gen, words: ", ".join(gen.video),
    "com": lambda gen, words: words(
        f"so many {'built in' if gen.com_ports_built_in else 'asked for'}", count=gen.com_ports
    ),
    "synthetic": lambda gen, words: words(
        "up to, each", most=gen.synthetic_adapters, models=" / ".join(gen.synthetic_models)
    ),
    "legacy": lambda gen, words: _count(gen.legacy_adapters, words("up to", most=gen.legacy_adapters), words),
    "pxe": lambda gen, words: words(
        f"boots from {gen.pxe_adapter}",
        model=gen.pxe_model,
        protocols=" + ".join(PROTOCOLS[p] for p in gen.pxe_protocols),
    ),
    "http": lambda gen, words: words("yes") if gen.http_boot else words("no"),
    "order": lambda gen, words: words(f"order {gen.boot_order}"),
    "usual order": lambda gen, words: ", ".join(gen.boot_classes),
    "pause": lambda gen, words: _asked(gen.pause_after_boot_failure, words),
}
"""By what a row is about: what is in it for a generation."""
