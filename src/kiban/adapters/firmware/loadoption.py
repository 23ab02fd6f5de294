# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes of a UEFI boot entry: EFI_LOAD_OPTION and the device path in it.

Layouts are those of the UEFI specification 2.10, sections 3.1.3 (load options) and 10.3 (device path nodes). What is
built here equals byte for byte what OVMF builds for the same device, which is how entries are recognised.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from kiban.errors import Damaged

ACTIVE = 0x00000001
HIDDEN = 0x00000008
CATEGORY = 0x00001F00  # any bit set: an application such as the firmware's menu, not something to boot

FIRMWARE_MADE = UUID("8108ac4e-9f11-4d59-850e-e21a522c59b2")
"""Optional data of an entry that EDK2 made by itself, and deletes by itself when it no longer finds the device."""

_END = bytes.fromhex("7fff0400")
_NEXT_INSTANCE = bytes.fromhex("7f010400")
_PCI_ROOT = bytes.fromhex("02010c00d041030a00000000")  # ACPI node, PNP0A03, UID 0
_MEDIA = 0x04
_MESSAGING = 0x03
_SCSI = (_MESSAGING, 2)
_USB = (_MESSAGING, 5)
_MAC = (_MESSAGING, 11)
_NVME = (_MESSAGING, 23)
_DEVICES = frozenset({_SCSI, _USB, _MAC, _NVME})
_HARD_DRIVE = bytes((_MEDIA, 1))
_HARD_DRIVE_SIZE = 42  # number, start, size, signature, kind of table, kind of signature
_FILE = bytes((_MEDIA, 4))
_MAX_DESCRIPTION = 1024
_MAX_FILE = 1024


@dataclass(frozen=True, slots=True)
class LoadOption:
    """One boot entry; `path` is the device path without its end node."""

    description: str
    path: bytes
    attributes: int = ACTIVE
    optional: bytes = b""

    @property
    def active(self) -> bool:
        return bool(self.attributes & ACTIVE)

    @property
    def bootable(self) -> bool:
        """Whether the firmware tries it in turn, as opposed to the menu and other tools."""
        return not self.attributes & CATEGORY

    @property
    def firmware_made(self) -> bool:
        return self.optional == FIRMWARE_MADE.bytes_le

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises Damaged on anything that is not a load option; the guest may have written it."""
        if len(data) < 8:
            raise Damaged("A UEFI boot entry is too short.")
        attributes, path_size = struct.unpack_from("<LH", data)
        end = next((i for i in range(6, len(data) - 1, 2) if data[i : i + 2] == b"\0\0"), None)
        if end is None or end + 2 + path_size > len(data):
            raise Damaged("A UEFI boot entry is cut short.")
        start = end + 2
        description = data[6:end].decode("utf-16-le", "replace")[:_MAX_DESCRIPTION]
        path = b"".join(nodes(data[start : start + path_size]))
        return cls(description, path, attributes, data[start + path_size :])

    def to_bytes(self) -> bytes:
        """The variable's data."""
        path = self.path + _END
        head = struct.pack("<LH", self.attributes, len(path))
        return head + self.description.encode("utf-16-le", "surrogatepass") + b"\0\0" + path + self.optional


def nodes(path: bytes) -> list[bytes]:
    """The nodes of a device path up to its end. Raises Damaged when a length leads outside."""
    found: list[bytes] = []
    position = 0
    while position + 4 <= len(path):
        kind, _, length = struct.unpack_from("<BBH", path, position)
        if kind == 0x7F:
            return found
        if length < 4 or position + length > len(path):
            raise Damaged("A UEFI device path is cut short.")
        found.append(path[position : position + length])
        position += length
    return found


def instances(paths: bytes) -> list[bytes]:
    """The device paths of a variable that lists several, such as ErrOut. Raises Damaged."""
    found: list[bytes] = []
    position = 0
    while position < len(paths):
        path = b"".join(nodes(paths[position:]))
        found.append(path)
        position += len(path)
        if paths[position : position + 4] != _NEXT_INSTANCE:
            break
        position += 4
    return found


def join(paths: Sequence[bytes]) -> bytes:
    """Several device paths as one variable's data."""
    return _NEXT_INSTANCE.join(paths) + _END


def node(kind: int, subtype: int, data: bytes) -> bytes:
    """One device path node."""
    return struct.pack("<BBH", kind, subtype, len(data) + 4) + data


def on_root(device: int, function: int) -> bytes:
    """The path of what sits on the first root bus itself."""
    return _PCI_ROOT + node(1, 1, bytes((function, device)))


def pci(device: int, function: int) -> bytes:
    """The path of what sits behind the root port at `device.function` of the first root bus."""
    return on_root(device, function) + node(1, 1, bytes((0, 0)))


def scsi(target: int, lun: int) -> bytes:
    """A SCSI unit on its controller."""
    return node(3, 2, struct.pack("<HH", target, lun))


def nvme() -> bytes:
    """The one namespace of an NVMe controller of QEMU's, which has no EUI-64."""
    return node(3, 23, struct.pack("<IQ", 1, 0))


def usb(port: int) -> bytes:
    """A USB device with one interface, on a port of its controller; USB counts ports from 1, UEFI from 0."""
    return node(3, 5, bytes((port - 1, 0)))


def mac(address: str) -> bytes:
    """A network adapter; `address` is written as six pairs of hex digits with colons."""
    return node(3, 11, bytes.fromhex(address.replace(":", "")).ljust(32, b"\0") + b"\1")


def ipv4() -> bytes:
    """IPv4 with an address from DHCP."""
    return node(3, 12, bytes(23))


def ipv6() -> bytes:
    """IPv6 with an address from the network; 64 bits is the prefix EDK2 writes."""
    return node(3, 13, bytes(38) + bytes((0, 64)) + bytes(16))


def uri(address: str) -> bytes:
    """A URI; an empty one is what DHCP answers with."""
    return node(3, 24, address.encode())


def firmware_file(volume: UUID, file: UUID) -> bytes:
    """A program inside the firmware's own flash volume."""
    return node(_MEDIA, 7, volume.bytes_le) + node(_MEDIA, 6, file.bytes_le)


def is_firmware_file(path: bytes) -> bool:
    """Whether the entry leads to a program inside the firmware, such as its shell."""
    return path[:2] == bytes((_MEDIA, 7))


def file_on_partition(path: bytes) -> tuple[str, str]:
    """The partition and the file that an entry leads to, each "" where it names none.

    The partition is a GUID in lower case, or on MBR the disk's signature and the number (`deadbeef-01`); the file has
    backslashes and begins with one.
    """
    partition, file = "", ""
    for part in nodes(path):
        if part[:2] == _HARD_DRIVE and len(part) == _HARD_DRIVE_SIZE:
            (number,), signature, kind = struct.unpack_from("<L", part, 4), part[24:40], part[41]
            mbr = f"{int.from_bytes(signature[:4], 'little'):08x}-{number:02x}"
            partition = {1: mbr, 2: str(UUID(bytes_le=signature))}.get(kind, "")
        elif part[:2] == _FILE:
            file += "\\" + part[4:].decode("utf-16-le", "replace").split("\0")[0].strip("\\")
    return partition, file[:_MAX_FILE]


def split_device(path: bytes) -> tuple[bytes, bool]:
    """The path of the disk, DVD drive or network adapter an entry is on, and whether the entry means all of it.

    An entry of the guest goes on to a partition and a file, so it does not mean the whole device. The path is empty for
    an entry that names neither, such as one that gives only a partition's identifier.
    """
    parts = nodes(path)
    if not path.startswith(_PCI_ROOT):
        return b"", False
    at = next((i for i, part in enumerate(parts) if (part[0], part[1]) in _DEVICES), None)
    if at is None:
        return b"", False
    rest = parts[at + 1 :]
    return b"".join(parts[: at + 1]), all(part[0] == _MESSAGING for part in rest)
