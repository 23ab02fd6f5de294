# SPDX-License-Identifier: GPL-2.0-or-later
"""The hardware table: what two guests see of their machines, a row for each kind of thing.

Cells say what the guest's kernel said, with names for the PCI numbers of devices that Kiban gives to machines.
"""

from __future__ import annotations

from collections.abc import Callable

from kiban.demo.hardware import Hardware

PCI = {
    "8086:1237": "Intel 440FX",
    "8086:29c0": "Intel Q35",
    "8086:7010": "PIIX3",
    "1af4:1000": "virtio",
    "1af4:1041": "virtio",
    "1af4:1004": "virtio",
    "1af4:1048": "virtio",
    "1011:0019": "DEC 21143",
    "1013:00b8": "Cirrus GD 5446",
    "1234:1111": "QEMU display",
    "1b36:000d": "xHCI",
}
"""Names of the devices that Kiban gives to machines; any other keeps its number."""

NONE = "none"


def rows(first: Hardware, second: Hardware) -> list[tuple[str, str, str]]:
    """The table's rows: a label, what the first guest sees, what the second sees."""
    return [(label, cell(first) or NONE, cell(second) or NONE) for label, cell in _ROWS]


def _text(seen: Hardware, key: str) -> str:
    value = seen[key]
    return value if isinstance(value, str) else ", ".join(value)


def _lines(*keys: str) -> Callable[[Hardware], str]:
    """A cell with a line for each device, PCI numbers with names."""

    def cell(seen: Hardware) -> str:
        values = [seen[key] for key in keys]
        return "\n".join(named(line) for value in values for line in ([value] if isinstance(value, str) else value))

    return cell


def named(line: str) -> str:
    """A device's line with the name of its PCI number before the number.

    >>> named("IDE 8086:7010 ata_piix")
    'IDE PIIX3 8086:7010 ata_piix'
    """
    return " ".join(f"{PCI[word]} {word}" if word in PCI else word for word in line.split(" "))


def _drives(seen: Hardware) -> str:
    """The bus of each DVD drive; the size Linux tells of an empty one is made up."""
    return "\n".join(line.partition(" ")[0] for line in seen["dvd"])


def _firmware(seen: Hardware) -> str:
    return f"{_text(seen, 'firmware')}: {_text(seen, 'firmware_vendor')}"


def _memory(seen: Hardware) -> str:
    return f"{_text(seen, 'cpus')}, {int(_text(seen, 'memory_kib')) >> 10} MiB"


def _tpm(seen: Hardware) -> str:
    version = _text(seen, "tpm")
    return f"TPM {version}" if version else ""


_ROWS: list[tuple[str, Callable[[Hardware], str]]] = [
    ("firmware", _firmware),
    ("board", _lines("board")),
    ("chipset", _lines("host_bridge")),
    ("Secure Boot", _lines("secure_boot")),
    ("kernel lockdown", _lines("lockdown")),
    ("TPM", _tpm),
    ("controllers", _lines("controller")),
    ("disks", _lines("disk")),
    ("DVD drives", _drives),
    ("floppy", _lines("floppy")),
    ("PS/2", _lines("ps2")),
    ("USB", _lines("usb_controller", "usb")),
    ("video", _lines("video")),
    ("COM ports", _lines("com")),
    ("network", _lines("nic")),
    ("processors, memory", _memory),
    ("kernel", _lines("kernel")),
]
