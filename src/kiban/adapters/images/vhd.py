# SPDX-License-Identifier: GPL-2.0-or-later
"""VHD images, fixed and dynamic, after Microsoft's "Virtual Hard Disk Image Format Specification" 1.0.

Where the format leaves a choice, this reads what QEMU's vpc driver would show the guest: the copy of the footer at the
start goes first, and the disk's size is that of its geometry unless a program of Hyper-V's kind made the image.
"""

from __future__ import annotations

import struct

from kiban.adapters.images.mapped import Mapped, shown_name
from kiban.adapters.images.source import Source, Window
from kiban.errors import BadInput, Damaged

_SECTOR = 512
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_LARGEST = 2040 << 30
_LARGEST_GEOMETRY = 65535 * 16 * 255  # sectors; what is written when the disk is larger than a geometry can say
_SIZE_COUNTS = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0")  # creators whose geometry is not the size
_UNUSED = 0xFFFFFFFF


def open_vhd(source: Source) -> Source:
    """The disk in a VHD file.

    Raises:
        BadInput: a differencing disk (needs-parent).
        Damaged: no footer, a wrong checksum, tables beyond the end.
    """
    footer = _footer(source)
    (kind,) = struct.unpack_from(">I", footer, 60)
    if kind == _FIXED:
        return Window(source, 0, _disk_size(footer))
    if kind not in (_DYNAMIC, _DIFFERENCING):
        raise Damaged(f"There is no VHD of type {kind}.")
    (start,) = struct.unpack_from(">Q", footer, 16)
    header = source.read(start, 1024)
    if kind == _DIFFERENCING:
        raise _needs_parent(header)
    return _Dynamic(source, header, _disk_size(footer))


def _footer(source: Source) -> bytes:
    starts = (0, source.size - _SECTOR) if source.size >= _SECTOR else ()
    for start in starts:
        footer = source.read(start, _SECTOR)
        if footer[:8] == b"conectix":
            _check_sum(footer, 64)
            return footer
    raise Damaged("It has no VHD footer, so its end was lost or it is no VHD.")


def _check_sum(data: bytes, place: int) -> None:
    """The checksum at `place` is the complement of the sum of all other bytes."""
    total = sum(data) - sum(data[place : place + 4])
    if struct.unpack_from(">I", data, place)[0] != ~total & 0xFFFFFFFF:
        raise Damaged("A checksum of the VHD is wrong.")


def _disk_size(footer: bytes) -> int:
    """Bytes."""
    cylinders, heads, sectors = struct.unpack_from(">HBB", footer, 56)
    geometry = cylinders * heads * sectors
    if footer[28:32] in _SIZE_COUNTS or geometry in (0, _LARGEST_GEOMETRY):
        size = int.from_bytes(footer[48:56], "big") // _SECTOR * _SECTOR
    else:
        size = geometry * _SECTOR
    if size > _LARGEST:
        raise Damaged(f"The VHD claims to be a disk of {size} bytes, which is more than a VHD can be.")
    return size


def _needs_parent(header: bytes) -> BadInput:
    name = shown_name(header[64:576], "utf-16-be")
    return BadInput(
        f"The VHD is a differencing disk and needs its parent{f', {name!r}' if name else ''}.",
        "merge it with its parent into one file first, for instance with Hyper-V's Convert-VHD",
        code="needs-parent",
    )


class _Dynamic(Mapped):
    """Each block is a bitmap of written sectors and then the sectors; those never written hold zeros anyway."""

    def __init__(self, source: Source, header: bytes, size: int) -> None:
        if header[:8] != b"cxsparse":
            raise Damaged("The VHD's header is missing where its footer says that it is.")
        _check_sum(header, 36)
        table, _, entries, block_size = struct.unpack_from(">QIII", header, 16)
        if block_size < _SECTOR or block_size & (block_size - 1):
            raise Damaged(f"The VHD cannot have blocks of {block_size} bytes.")
        super().__init__(source, size, block_size)
        blocks = -(-size // block_size)
        if entries < blocks:
            raise Damaged("The VHD's block table is too short for its disk.")
        self._table = Window(source, table, 4 * blocks)
        self._bitmap = -(-block_size // (_SECTOR * 8) // _SECTOR) * _SECTOR

    def _read_block(self, number: int, within: int, length: int) -> bytes:
        sector = int.from_bytes(self._table.read(4 * number, 4), "big")
        if sector == _UNUSED:
            return self._zeros(length)
        return self._source.read(sector * _SECTOR + self._bitmap + within, length)
