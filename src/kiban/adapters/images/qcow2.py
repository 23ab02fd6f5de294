# SPDX-License-Identifier: GPL-2.0-or-later
"""qcow2 images of versions 2 and 3, after QEMU's docs/interop/qcow2.txt; the active state only, no snapshots.

Both levels of tables are read entry by entry where they lie, so that no table's size costs memory.
"""

from __future__ import annotations

import struct

from kiban.adapters.images.compression import unpack
from kiban.adapters.images.mapped import Mapped, shown_name
from kiban.adapters.images.source import Source
from kiban.errors import BadInput, Damaged

_CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = 2, 4, 8, 16
_KNOWN = 1 | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2  # 1: reference counts may be wrong; reading is fine
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1
_CACHED_CLUSTERS = 8
_CONVERT = "make it whole where the other file is: qemu-img convert -O qcow2 IMAGE WHOLE"


def open_qcow2(source: Source, parent: Source | None = None) -> Source:
    """The disk in a qcow2 file, over the disk `parent` when it holds only the changes to that.

    Raises:
        BadInput: it refers to another file (has-backing-file, has-data-file), is encrypted (encrypted-image), or uses
            a feature that is not read here (unknown-feature).
        Damaged: it is no qcow2, marked corrupt, or its tables are broken.
    """
    head = source.read(0, min(source.size, 112)).ljust(112, b"\0")
    magic, version, backing, name_length, bits, size, crypt, entries, table = struct.unpack_from(">4sIQIIQIIQ", head)
    if magic != b"QFI\xfb" or version not in (2, 3):
        raise Damaged("It is no qcow2 image of version 2 or 3.")
    if not 9 <= bits <= 21:
        raise Damaged(f"Clusters of 2^{bits} bytes do not exist in qcow2.")
    (incompatible,) = struct.unpack_from(">Q", head, 72) if version == 3 else (0,)
    (length,) = struct.unpack_from(">I", head, 100) if version == 3 else (72,)
    if backing and parent is None:
        raise _backing_file(source, backing, name_length)
    _check_features(incompatible, crypt)
    method = head[104] if length > 104 and incompatible & _COMPRESSION else 0
    disk = _Qcow2(source, size, bits, table, method)
    disk.parent = parent if backing else None
    disk.check_table(entries)
    return disk


def _backing_file(source: Source, start: int, length: int) -> BadInput:
    name = shown_name(source.read(start, min(length, 1023, max(0, source.size - start))), "utf-8")
    return BadInput(f"The image is only the changes to another one, {name!r}.", _CONVERT, code="has-backing-file")


def _check_features(incompatible: int, crypt: int) -> None:
    if crypt:
        raise BadInput("The image is encrypted.", "Decrypt it into a new one: qemu-img convert", code="encrypted-image")
    if incompatible & _DATA_FILE:
        raise BadInput("The image keeps its data in another file.", _CONVERT, code="has-data-file")
    if incompatible & _CORRUPT:
        raise Damaged("The image is marked corrupt.", "Repair a copy: qemu-img check -r all COPY")
    if incompatible & _EXTENDED_L2 or incompatible & ~_KNOWN:
        what = "extended L2 entries" if incompatible & _EXTENDED_L2 else f"the features {incompatible & ~_KNOWN:#x}"
        raise BadInput(
            f"The image uses {what}, which cannot be looked into here.",
            "Convert it: qemu-img convert -O qcow2 IMAGE PLAIN",
            code="unknown-feature",
        )


class _Qcow2(Mapped):
    def __init__(self, source: Source, size: int, bits: int, table: int, method: int) -> None:
        super().__init__(source, size, 1 << bits)
        self._bits = bits
        self._table = table
        self._method = method
        self.parent: Source | None = None  # what holds the rest, when this holds only the changes to it
        self._unpacked: dict[int, bytes] = {}  # entry to contents, the latest last

    def check_table(self, entries: int) -> None:
        """Damaged unless the L1 table covers the disk and lies within the file."""
        needed = -(-self.size // (self._block_size * (self._block_size // 8)))
        if entries < needed:
            raise Damaged("The image's L1 table is too short for its disk.")
        if self._table % self._block_size or self._table + 8 * needed > self._source.size:
            raise Damaged("The image's L1 table lies beyond its end.")

    def _read_block(self, number: int, within: int, length: int) -> bytes:
        per_table = self._block_size // 8
        table = self._aligned(self._entry(self._table + number // per_table * 8) & _OFFSET)
        entry = self._entry(table + number % per_table * 8) if table else 0
        if entry & _COMPRESSED:
            self.budget.charge(length)
            return self._decompressed(entry)[within : within + length]
        start = self._aligned(entry & _OFFSET)
        if not entry & _ZERO and not start and self.parent is not None:
            return self._below(self.parent, number * self._block_size + within, length)
        if entry & _ZERO or not start:
            return self._zeros(length)
        return self._padded(start, within, length)

    def _below(self, parent: Source, offset: int, length: int) -> bytes:
        """The parent may be smaller than its child; what it does not have is zero."""
        there = max(0, min(length, parent.size - offset))
        data = parent.read(offset, there) if there else b""
        return data + self._zeros(length - there) if there < length else data

    def _entry(self, place: int) -> int:
        return int.from_bytes(self._source.read(place, 8), "big")

    def _aligned(self, offset: int) -> int:
        if offset % self._block_size:
            raise Damaged("A table of the image names a place where no cluster can begin.")
        return offset

    def _padded(self, start: int, within: int, length: int) -> bytes:
        """The file's last cluster may be cut off where only zeros would follow; none may lie wholly beyond its end."""
        if start >= self._source.size:
            raise Damaged("A cluster of the image lies beyond the end of its file.")
        there = max(0, min(length, self._source.size - start - within))
        data = self._source.read(start + within, there) if there else b""
        return data + self._zeros(length - there) if there < length else data

    def _decompressed(self, entry: int) -> bytes:
        data = self._unpacked.pop(entry, None)
        if data is None:
            shift = 62 - (self._bits - 8)
            start = entry & ((1 << shift) - 1)
            sectors = (entry & (_COMPRESSED - 1)) >> shift
            length = (sectors + 1) * 512 - start % 512
            packed = self._source.read(start, max(0, min(length, self._source.size - start)))
            self.budget.charge(self._block_size)
            data = unpack(self._method, packed, self._block_size)
            if len(self._unpacked) >= _CACHED_CLUSTERS:
                del self._unpacked[next(iter(self._unpacked))]
        self._unpacked[entry] = data
        return data
