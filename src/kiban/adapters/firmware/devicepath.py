# SPDX-License-Identifier: GPL-2.0-or-later
"""UEFI device paths in words: which device, which partition, which file.

Layouts are those of the UEFI specification 2.10, section 10.3. Paths come from guests, so a node that is too short
for its kind is named by its numbers instead of being read.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Mapping
from uuid import UUID

from kiban.adapters.firmware.loadoption import nodes

_MAX_TEXT = 1024  # characters; a path of a real device is far shorter


def describe(path: bytes, names: Mapping[bytes, str] | None = None) -> str:
    r"""A device path for people, outermost part first: `disk0, partition 1, \EFI\BOOT\BOOTX64.EFI`.

    Args:
        path: the nodes, with or without the end node.
        names: device paths (without end node) and what the machine calls those devices; the longest that fits counts.

    Raises Damaged when a node's length leads outside.
    """
    parts = nodes(path)
    known = names or {}
    for count in range(len(parts), 0, -1):
        name = known.get(b"".join(parts[:count]))
        if name is not None:
            return _join([name, *map(_words, parts[count:])])
    return _join(list(map(_words, parts)))


def _join(words: list[str]) -> str:
    return ", ".join(word for word in words if word)[:_MAX_TEXT]


def _words(node: bytes) -> str:
    kind, subtype = node[0], node[1]
    words = _NODES.get((kind, subtype))
    try:
        return words(node[4:]) if words else f"node {kind}.{subtype}"
    except (struct.error, ValueError, IndexError):  # a node shorter than its kind
        return f"damaged node {kind}.{subtype}"


def _text(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").split("\0", 1)[0]


def _pci(data: bytes) -> str:
    return f"PCI {data[1]:02x}.{data[0]:x}"


def _scsi(data: bytes) -> str:
    return "SCSI target {}, unit {}".format(*struct.unpack_from("<HH", data))


def _sata(data: bytes) -> str:
    return "SATA port {}".format(*struct.unpack_from("<H", data))


def _nvme(data: bytes) -> str:
    return "NVMe namespace {}".format(*struct.unpack_from("<I", data))


def _usb(data: bytes) -> str:
    return f"USB port {data[0]}"


def _mac(data: bytes) -> str:
    return "network adapter " + data[:6].hex(":")


def _address(data: bytes, offset: int, size: int) -> str:
    raw = data[offset : offset + size]
    if len(raw) < size or not any(raw):
        return ""
    return f" from {ipaddress.ip_address(raw)}"


def _ipv4(data: bytes) -> str:
    return "IPv4" + _address(data, 4, 4)


def _ipv6(data: bytes) -> str:
    return "IPv6" + _address(data, 16, 16)


def _uri(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _partition(data: bytes) -> str:
    return "partition {}".format(*struct.unpack_from("<I", data))


def _cd_image(data: bytes) -> str:
    return "El Torito image {}".format(*struct.unpack_from("<I", data))


def _guid(prefix: str) -> Callable[[bytes], str]:
    return lambda data: f"{prefix} {UUID(bytes_le=data[:16])}"


_NODES: dict[tuple[int, int], Callable[[bytes], str]] = {
    (1, 1): _pci,
    (1, 4): _guid("device of vendor"),
    (2, 1): lambda _: "",  # the root bus, of which there is one
    (3, 2): _scsi,
    (3, 5): _usb,
    (3, 11): _mac,
    (3, 12): _ipv4,
    (3, 13): _ipv6,
    (3, 18): _sata,
    (3, 23): _nvme,
    (3, 24): _uri,
    (4, 1): _partition,
    (4, 2): _cd_image,
    (4, 3): _guid("medium of vendor"),
    (4, 4): _text,
    (4, 6): _guid("firmware file"),
    (4, 7): _guid("firmware volume"),
}
