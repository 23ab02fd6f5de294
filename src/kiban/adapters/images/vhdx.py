# SPDX-License-Identifier: GPL-2.0-or-later
"""VHDX images after [MS-VHDX]: headers, regions, metadata, block allocation table. Its log is in vhdxlog.

An image that was not closed properly is read as it will be once its log is replayed; the file itself stays as it is.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from kiban.adapters.images.crc32c import crc32c
from kiban.adapters.images.layers import Blocks, Parent, Run, path_text, real_ids, sector_runs
from kiban.adapters.images.mapped import shown_name
from kiban.adapters.images.source import Source, Window
from kiban.adapters.images.vhdxlog import replayed
from kiban.errors import BadInput, Damaged

_KIB, _MIB = 1 << 10, 1 << 20
_LARGEST = 64 << 40
_HEADERS = (64 * _KIB, 128 * _KIB)
_REGION_TABLES = (192 * _KIB, 256 * _KIB)
_ENTRIES_LIMIT = 2047  # of a region or metadata table


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


_BAT = _guid("2dc27766-f623-4200-9d64-115e9bfd4a08")
_METADATA = _guid("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_FILE_PARAMETERS = _guid("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_DISK_SIZE = _guid("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_DISK_ID = _guid("beca12ab-b2e6-4523-93ef-c309e000c746")
_LOGICAL_SECTOR = _guid("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL_SECTOR = _guid("cda348c7-445d-4471-9cc9-e9885251c556")
_PARENT_LOCATOR = _guid("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_ITEMS = {
    _FILE_PARAMETERS: 8,
    _DISK_SIZE: 8,
    _DISK_ID: 16,
    _LOGICAL_SECTOR: 4,
    _PHYSICAL_SECTOR: 4,
    _PARENT_LOCATOR: 20,
}

_LOCATOR_TYPE = _guid("b04aefb7-d19e-4a81-b789-25b8e9445913")

_NOT_PRESENT, _UNDEFINED, _ZERO, _UNMAPPED, _PRESENT, _PARTLY = 0, 1, 2, 3, 6, 7


def open_vhdx(source: Source) -> Vhdx:
    """The disk in a VHDX file that needs no other file.

    Raises:
        BadInput: a differencing disk (needs-parent), or what `open_vhdx_layer` raises.
        Damaged: as `open_vhdx_layer`.
    """
    disk = open_vhdx_layer(source)
    if disk.parent:
        raise _needs_parent(disk.parent)
    return disk


def vhdx_ids(source: Source) -> tuple[str, ...]:
    """What children call this VHDX: its DataWriteGuid, another one after each change of its contents.

    Raises Damaged when it is no VHDX.
    """
    return (str(uuid.UUID(bytes_le=_marked_header(source)[32:48])),)


def open_vhdx_layer(source: Source) -> Vhdx:
    """The disk in a VHDX file, which may leave data to a parent.

    Raises:
        BadInput: a region or item that is required and not known, or a parent of another kind (unknown-feature).
        Damaged: no valid header, a wrong checksum, tables that contradict each other, a log that cannot be replayed.
    """
    header = _marked_header(source)
    log_id, log_version, version, log_size, log_start = struct.unpack_from("<16sHHIQ", header, 48)
    if version != 1:
        raise Damaged(f"There is no VHDX of version {version}.")
    if log_id != bytes(16):
        if log_version != 0:
            raise Damaged(f"The VHDX was not closed, and its log is of version {log_version}, which is not known.")
        source = replayed(source, log_id, log_start, log_size)
    regions = _regions(source)
    return _disk(source, regions, (str(uuid.UUID(bytes_le=header[32:48])),))


def _marked_header(source: Source) -> bytes:
    if source.size < _MIB or source.read(0, 8) != b"vhdxfile":
        raise Damaged("It is no VHDX image.")
    return _header(source)


def _header(source: Source) -> bytes:
    """The valid header with the higher sequence number; a writer always leaves the other one intact."""
    found: list[tuple[int, bytes]] = []
    for start in _HEADERS:
        header = source.read(start, 4 * _KIB)
        if header[:4] == b"head" and _checksum_right(header):
            found.append((struct.unpack_from("<Q", header, 8)[0], header))
    if not found:
        raise Damaged("Both headers of the VHDX are damaged.")
    return max(found, key=lambda each: each[0])[1]


def _checksum_right(block: bytes) -> bool:
    return int.from_bytes(block[4:8], "little") == crc32c(block[:4] + bytes(4) + block[8:])


def _regions(source: Source) -> dict[bytes, Window]:
    """The regions of the first table that is intact."""
    for start in _REGION_TABLES:
        table = source.read(start, 64 * _KIB)
        if table[:4] == b"regi" and _checksum_right(table):
            break
    else:
        raise Damaged("Both region tables of the VHDX are damaged.")
    (count,) = struct.unpack_from("<I", table, 8)
    if count > _ENTRIES_LIMIT:
        raise Damaged("The region table of the VHDX has more entries than it can have.")
    found: dict[bytes, Window] = {}
    for at in range(16, 16 + 32 * count, 32):
        guid, offset, length, required = struct.unpack_from("<16sQII", table, at)
        if guid in (_BAT, _METADATA):
            if offset < _MIB or guid in found:
                raise Damaged("The region table of the VHDX contradicts itself.")
            found[guid] = Window(source, offset, length)
        elif required & 1:
            raise _unknown(guid)
    if len(found) != 2:
        raise Damaged("The region table of the VHDX lacks a region.")
    return found


def _unknown(guid: bytes) -> BadInput:
    return BadInput(
        f"The VHDX requires a feature that is not known, {uuid.UUID(bytes_le=guid)}.",
        "Convert it with the program that wrote it",
        code="unknown-feature",
    )


def _items(region: Window) -> dict[bytes, Window]:
    """The items of the metadata region."""
    table = region.read(0, 64 * _KIB)
    if table[:8] != b"metadata":
        raise Damaged("The metadata of the VHDX is damaged.")
    (count,) = struct.unpack_from("<H", table, 10)
    if count > _ENTRIES_LIMIT:
        raise Damaged("The metadata of the VHDX has more entries than it can have.")
    found: dict[bytes, Window] = {}
    for at in range(32, 32 + 32 * count, 32):
        guid, offset, length, flags = struct.unpack_from("<16sIII", table, at)
        if guid in _ITEMS and not flags & 1:  # bit 0 marks items of a user, whose ids are their own
            if guid in found or length < _ITEMS[guid]:
                raise Damaged("The metadata of the VHDX contradicts itself.")
            found[guid] = Window(region, offset, length)
        elif flags & 4:
            raise _unknown(guid)
    return found


def _disk(source: Source, regions: dict[bytes, Window], ids: tuple[str, ...]) -> Vhdx:
    items = _items(regions[_METADATA])
    missing = {_FILE_PARAMETERS, _DISK_SIZE, _LOGICAL_SECTOR} - items.keys()
    if missing:
        raise Damaged("The metadata of the VHDX lacks what every VHDX has.")
    block_size, flags = struct.unpack("<II", items[_FILE_PARAMETERS].read(0, 8))
    (size,) = struct.unpack("<Q", items[_DISK_SIZE].read(0, 8))
    (sector,) = struct.unpack("<I", items[_LOGICAL_SECTOR].read(0, 4))
    if sector not in (512, 4096) or size > _LARGEST or size % sector:
        raise Damaged(f"The VHDX cannot be a disk of {size} bytes in sectors of {sector}.")
    if not _MIB <= block_size <= 256 * _MIB or block_size & (block_size - 1):
        raise Damaged(f"The VHDX cannot have blocks of {block_size} bytes.")
    parent = _parent(items.get(_PARENT_LOCATOR)) if flags & 2 else None
    return Vhdx(source, regions[_BAT], _Layout(size, block_size, sector, _physical(items), ids, parent))


def _physical(items: dict[bytes, Window]) -> int:
    """Bytes of a physical sector; a disk whose writer left that out says nothing of the kind, which is 512."""
    item = items.get(_PHYSICAL_SECTOR)
    return int.from_bytes(item.read(0, 4), "little") if item else 512


def _needs_parent(parent: Parent) -> BadInput:
    named = next((path for path in (parent.relative, *parent.names) if path), "")
    name = shown_name(named.encode("utf-8", "replace"), "utf-8")
    return BadInput(
        f"The VHDX is a differencing disk and needs its parent{f', {name!r}' if name else ''}.",
        "Merge it with its parent into one file first, for instance with Hyper-V's Convert-VHD",
        code="needs-parent",
    )


def _parent(locator: Window | None) -> Parent:
    """What the locator's table of keys and values says ([MS-VHDX] 2.6.2.6)."""
    if locator is None:
        return Parent((), None, "", ())
    table = locator.read(0, min(locator.size, 64 * _KIB))
    if table[:16] != _LOCATOR_TYPE:
        raise _unknown(table[:16])
    count = min(struct.unpack_from("<H", table, 18)[0], 64, (len(table) - 20) // 12)
    values: dict[str, str] = {}
    for at in range(20, 20 + 12 * count, 12):
        key_at, value_at, key_size, value_size = struct.unpack_from("<IIHH", table, at)
        key = path_text(table[key_at : key_at + key_size], "utf-16-le")
        values[key] = path_text(table[value_at : value_at + value_size], "utf-16-le")
    linkages = (values.get("parent_linkage", ""), values.get("parent_linkage2", ""))
    paths = (values.get("volume_path", ""), values.get("absolute_win32_path", ""))
    return Parent(
        ids=real_ids(link.strip("{}").lower() for link in linkages),
        time=None,
        relative=values.get("relative_path", ""),
        names=tuple(path for path in paths if path),
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    size: int
    block_size: int
    sector: int
    physical: int
    ids: tuple[str, ...]
    parent: Parent | None


class Vhdx(Blocks):
    """The disk. `sector_size` is its logical one in bytes, 512 or 4096, as its writer saw it."""

    def __init__(self, source: Source, table: Window, layout: _Layout) -> None:
        super().__init__(source, layout.size, layout.block_size, layout.ids, layout.parent)
        self.sector_size = layout.sector
        self.sectors = "4k" if layout.sector == 4096 else "512e" if layout.physical == 4096 else "512"
        self._table = table
        self._chunk = (layout.sector << 23) // layout.block_size  # blocks that share a block of sector bitmaps
        blocks = -(-layout.size // layout.block_size)
        if layout.parent:  # each chunk ends in the entry of its bitmaps, the last one too
            entries = -(-blocks // self._chunk) * (self._chunk + 1)
        else:
            entries = blocks + max(0, blocks - 1) // self._chunk
        if table.size < 8 * entries:
            raise Damaged("The block table of the VHDX is too short for its disk.")

    def _block_runs(self, number: int, within: int, length: int) -> Iterable[Run]:
        state, start = self._entry(number + number // self._chunk)
        if state == _PRESENT:
            return (Run(length, self._source, self._in_data(start) + within),)
        if state == _PARTLY and self.parent:
            present = Run(length, self._source, self._in_data(start) + within)
            return sector_runs(self._bits(number, within, length), self.sector_size, within, length, present)
        if state == _NOT_PRESENT:
            return (Run(length, parents=self.parent is not None),)
        if state in (_UNDEFINED, _ZERO, _UNMAPPED):  # zeros even where a parent has data
            return (Run(length),)
        raise Damaged(f"The block table of the VHDX has an entry of state {state}, which no such disk has.")

    def _entry(self, index: int) -> tuple[int, int]:
        """State, and place in the file in bytes, of an entry of the block table."""
        entry = int.from_bytes(self._table.read(8 * index, 8), "little")
        return entry & 7, (entry >> 20) * _MIB

    def _bits(self, number: int, within: int, length: int) -> str:
        """A digit for each sector that the bytes touch, "1" where it is here and not in the parent."""
        chunk = number // self._chunk
        state, start = self._entry(chunk * (self._chunk + 1) + self._chunk)
        if state != _PRESENT:
            raise Damaged("The VHDX lacks the bitmap of a block that is partly in its parent.")
        base = (number % self._chunk) * self._block_size
        first, last = (base + within) // self.sector_size, (base + within + length - 1) // self.sector_size
        raw = self._source.read(self._in_data(start) + first // 8, last // 8 - first // 8 + 1)
        digits = f"{int.from_bytes(raw, 'little'):0{8 * len(raw)}b}"[::-1]  # the lowest bit is the first sector
        return digits[first % 8 :][: last - first + 1]

    def _in_data(self, start: int) -> int:
        if start < _MIB:
            raise Damaged("The block table of the VHDX places a block in its header.")
        return start
