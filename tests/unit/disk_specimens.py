# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images made by hand, byte by byte, the way nobody well-meaning would make them."""

import struct
import uuid


def qcow2(  # every field that the check looks at, with a harmless default
    *,
    version: int = 3,
    backing: bytes = b"",
    incompatible: int = 0,
    size: int = 1 << 20,
    crypt: int = 0,
    cluster_bits: int = 16,
    backing_size: int | None = None,
) -> bytes:
    """A qcow2 header (docs/interop/qcow2.txt) with its tables left out."""
    at = 512 if backing else 0
    length = len(backing) if backing_size is None else backing_size
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, at, length, cluster_bits, size, crypt, 1, 0x30000, 0x10000, 1, 0, 0
    )
    head += struct.pack(">QQQII", incompatible, 0, 0, 4, 104)
    return head.ljust(512, b"\0") + backing.ljust(65536 * 4 - 512, b"\0")


def vhd_footer(*, kind: int, data_offset: int = 512, size: int = 4 << 20) -> bytes:
    """A VHD footer with a right checksum; kind 2 is fixed, 3 dynamic, 4 differencing."""
    body = bytearray(512)
    struct.pack_into(">8sIIQ", body, 0, b"conectix", 2, 0x10000, data_offset)
    struct.pack_into(">QQ", body, 40, size, size)
    struct.pack_into(">I", body, 60, kind)
    struct.pack_into(">I", body, 64, ~sum(body) & 0xFFFFFFFF)
    return bytes(body)


def differencing_vhd(parent: str) -> bytes:
    """Footer copy, dynamic header with the parent's name, footer."""
    header = bytearray(1024)
    header[:8] = b"cxsparse"
    name = parent.encode("utf-16-be")
    header[64 : 64 + len(name)] = name
    footer = vhd_footer(kind=4)
    return footer + bytes(header) + footer


def vhdx(*, has_parent: bool, parent: str = "", entries: int | None = None) -> bytes:
    """File identifier, region table, metadata with file parameters and perhaps a parent locator; nothing else."""
    image = bytearray(3 << 20)
    image[:8] = b"vhdxfile"
    metadata = 2 << 20
    count = 1 if entries is None else entries
    struct.pack_into("<4sIII", image, 192 << 10, b"regi", 0, count, 0)
    region = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
    struct.pack_into("<16sQII", image, (192 << 10) + 16, region, metadata, 1 << 20, 1)
    struct.pack_into("<8sHH", image, metadata, b"metadata", 0, 2)
    parameters = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
    locator = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
    struct.pack_into("<16sIII", image, metadata + 32, parameters, 65536, 8, 4)
    struct.pack_into("<16sIII", image, metadata + 64, locator, 65536 + 8, 512, 4)
    struct.pack_into("<II", image, metadata + 65536, 1 << 20, 2 if has_parent else 0)
    key, value = "relative_path".encode("utf-16-le"), parent.encode("utf-16-le")
    at = metadata + 65536 + 8
    struct.pack_into("<16sHHIIHH", image, at, bytes(16), 0, 1, 64, 128, len(key), len(value))
    image[at + 64 : at + 64 + len(key)] = key
    image[at + 128 : at + 128 + len(value)] = value
    return bytes(image)
