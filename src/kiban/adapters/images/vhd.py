# SPDX-License-Identifier: GPL-2.0-or-later
"""VHD images, fixed and dynamic, after Microsoft's "Virtual Hard Disk Image Format Specification" 1.0.

Where the format leaves a choice, this reads what QEMU's vpc driver would show the guest: the copy of the footer at the
start goes first, and the disk's size is that of its geometry unless a program of Hyper-V's kind made the image.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

from kiban.adapters.images.layers import Blocks, Flat, Parent, Run, path_text, real_ids, sector_runs
from kiban.adapters.images.mapped import shown_name
from kiban.adapters.images.source import Source, Window
from kiban.errors import BadInput, Damaged

_SECTOR = 512
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_LARGEST = 2040 << 30
_LARGEST_GEOMETRY = 65535 * 16 * 255  # sectors; what is written when the disk is larger than a geometry can say
_SIZE_COUNTS = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS", b"wa\0\0")  # creators whose geometry is not the size
_UNUSED = 0xFFFFFFFF
_EPOCH = 946684800  # times count from 2000-01-01 UTC
_RELATIVE, _ABSOLUTE = b"W2ru", b"W2ku"


def open_vhd(source: Source) -> Source:
    """The disk in a VHD file that needs no other file.

    Raises:
        BadInput: a differencing disk (needs-parent).
        Damaged: as `open_vhd_layer`.
    """
    disk = open_vhd_layer(source)
    if disk.parent:
        raise _needs_parent(disk.parent)
    return disk


def vhd_ids(source: Source) -> tuple[str, ...]:
    """What children call this VHD: the unique id of its footer, which it keeps when it is written."""
    return _ids(_footer(source))


def vhd_time(source: Source) -> int:
    """When this VHD was made, in seconds since 1970; some writers tell a child this instead of its last change."""
    return int.from_bytes(_footer(source)[24:28], "big") + _EPOCH


def _ids(footer: bytes) -> tuple[str, ...]:
    return (str(uuid.UUID(bytes=footer[68:84])),)


def open_vhd_layer(source: Source) -> Flat | Dynamic:
    """The disk in a VHD file, which may leave data to a parent.

    Raises:
        Damaged: no footer, a wrong checksum, tables beyond the end.
    """
    footer = _footer(source)
    (kind,) = struct.unpack_from(">I", footer, 60)
    if kind == _FIXED:
        return Flat(source, _disk_size(footer), _ids(footer))
    if kind not in (_DYNAMIC, _DIFFERENCING):
        raise Damaged(f"There is no VHD of type {kind}.")
    (start,) = struct.unpack_from(">Q", footer, 16)
    header = source.read(start, 1024)
    if header[:8] != b"cxsparse":
        raise Damaged("The VHD's header is missing where its footer says that it is.")
    _check_sum(header, 36)
    parent = _parent(source, header) if kind == _DIFFERENCING else None
    return Dynamic(source, header, _disk_size(footer), _ids(footer), parent)


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


def _needs_parent(parent: Parent) -> BadInput:
    name = shown_name(next(iter(parent.names), parent.relative).encode("utf-8", "replace"), "utf-8")
    return BadInput(
        f"The VHD is a differencing disk and needs its parent{f', {name!r}' if name else ''}.",
        "Merge it with its parent into one file first, for instance with Hyper-V's Convert-VHD",
        code="needs-parent",
    )


def _parent(source: Source, header: bytes) -> Parent:
    paths = dict.fromkeys((_RELATIVE, _ABSOLUTE), "")
    for at in range(576, 576 + 8 * 24, 24):
        code, _, length, _, place = struct.unpack_from(">4sIIIQ", header, at)
        if code in paths and not paths[code]:
            paths[code] = path_text(source.read(place, min(length, 4096)), "utf-16-le")
    (stamp,) = struct.unpack_from(">I", header, 56)
    names = (path_text(header[64:576], "utf-16-be"), paths[_ABSOLUTE])
    return Parent(
        ids=real_ids((str(uuid.UUID(bytes=header[40:56])),)),
        time=stamp + _EPOCH if stamp else None,
        relative=paths[_RELATIVE],
        names=tuple(name for name in names if name),
    )


class Dynamic(Blocks):
    """Each block is a bitmap of written sectors and then the sectors.

    Without a parent those never written hold zeros anyway, so the bitmap is looked at only for a differencing disk.
    """

    def __init__(self, source: Source, header: bytes, size: int, ids: tuple[str, ...], parent: Parent | None) -> None:
        table, _, entries, block_size = struct.unpack_from(">QIII", header, 16)
        if block_size < _SECTOR or block_size & (block_size - 1):
            raise Damaged(f"The VHD cannot have blocks of {block_size} bytes.")
        super().__init__(source, size, block_size, ids, parent)
        blocks = -(-size // block_size)
        if entries < blocks:
            raise Damaged("The VHD's block table is too short for its disk.")
        self._table = Window(source, table, 4 * blocks)
        self._bitmap = -(-block_size // (_SECTOR * 8) // _SECTOR) * _SECTOR

    def _block_runs(self, number: int, within: int, length: int) -> Iterable[Run]:
        sector = int.from_bytes(self._table.read(4 * number, 4), "big")
        if sector == _UNUSED:
            return (Run(length, parents=self.parent is not None),)
        start = sector * _SECTOR
        present = Run(length, self._source, start + self._bitmap + within)
        if not self.parent:
            return (present,)
        first, last = within // _SECTOR, (within + length - 1) // _SECTOR
        raw = self._source.read(start + first // 8, last // 8 - first // 8 + 1)
        digits = f"{int.from_bytes(raw, 'big'):0{8 * len(raw)}b}"  # the highest bit is the first sector
        return sector_runs(digits[first % 8 :][: last - first + 1], _SECTOR, within, length, present)
