# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that holds a current Hyper-V configuration (.vmcx, .vmrs): headers, replay log, object tables.

Source: "HyperV Storage File Format" (microsoft/openvmm, support/hvs_file/FORMAT.md). The layout of the log's entries
was found on specimens, whose checksums it explains; docs/design/import.md has the whole. Numbers are little-endian,
structures are packed, checksums are CRC-32 with their own field zeroed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from kiban.adapters.foreign.blob import Blob, damaged
from kiban.errors import BadInput

_HEADER = struct.Struct("<IIHIIIIQQI")
_HEADER_SIGNATURE = 0x01282014
_HEADERS = (0, 4096)
_VERSION = 0x0400

_LOG = struct.Struct("<III B I 17x")  # padded to the 34 bytes that its checksum covers
_LOG_SIGNATURE = 0x01110003
_LOG_ENTRY = struct.Struct("<QIQII")
_LOG_LIMIT = 64 << 20
_LOG_ENTRIES_LIMIT = 4096  # a log with the largest alignment holds 2,339
_PAGE = 4096

_OBJECT_TABLES_AT = 8192
_OBJECTS_SIGNATURE = 0x01110001
_OBJECT = struct.Struct("<BIQIB")
_OBJECTS_LIMIT = 1_000_000  # a machine with 1 TiB of saved memory has about as many

EMPTY, OBJECT_TABLE, KEY_TABLE, FILE_OBJECT, FREE = range(5)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the file."""

    kind: int
    offset: int
    size: int


def checked(data: bytes, field: int) -> bool:
    """Whether the CRC-32 at `field` is that of the data with the field zeroed."""
    expected: int = struct.unpack_from("<I", data, field)[0]
    return zlib.crc32(data[field + 4 :], zlib.crc32(bytes(4), zlib.crc32(data[:field]))) == expected


class Container:
    """An opened file: reads see it as it is after its replay log."""

    def __init__(self, blob: Blob) -> None:
        """Check the headers and take the replay log into account; BadInput when the file contradicts itself."""
        self.blob = blob
        self._pages: dict[int, bytearray] = {}  # what the log changes, by number of the page
        log_offset, log_size = self._header()
        self._load_log(log_offset, log_size)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly that many bytes, with what the replay log has for them."""
        data = self.blob.read(offset, length)
        if not self._pages or not length:
            return data
        patched = bytearray(data)
        for number in range(offset // _PAGE, (offset + length - 1) // _PAGE + 1):
            page = self._pages.get(number)
            if page is not None:
                start = number * _PAGE
                first, last = max(start, offset), min(start + len(page), offset + length)
                patched[first - offset : last - offset] = page[first - start : last - start]
        return bytes(patched)

    def _write(self, at: int, data: bytes) -> None:
        """Remember data that belongs at an offset; the file itself stays as it is."""
        while data:
            number, start = divmod(at, _PAGE)
            page = self._pages.get(number)
            if page is None:
                page = bytearray(self.blob.read(number * _PAGE, min(_PAGE, self.blob.size - number * _PAGE)))
                self._pages[number] = page
            part = data[: _PAGE - start]
            page[start : start + len(part)] = part
            at, data = at + len(part), data[len(part) :]

    def _header(self) -> tuple[int, int]:
        """Offset and size of the replay log, from the valid header with the higher sequence number."""
        valid = []
        for at in _HEADERS:
            if at + _HEADER.size > self.blob.size:
                break
            raw = self.blob.read(at, _HEADER.size)
            fields = _HEADER.unpack(raw)
            if fields[0] == _HEADER_SIGNATURE and checked(raw, 4):
                valid.append(fields)
        if not valid:
            raise BadInput(
                f"{self.blob.name} is no Hyper-V configuration: neither of its headers is valid.",
                "Name the .vmcx of a machine, or the folder of an export.",
                code="not-a-configuration",
            )
        newest = max(valid, key=lambda fields: int(fields[2]))
        if newest[3] != _VERSION:
            raise BadInput(
                f"{self.blob.name} has format {newest[3] >> 8}.{newest[3] & 255}; only 4.0 can be read.",
                "Update the machine's configuration on a current Hyper-V: Update-VMVersion.",
                code="old-configuration",
            )
        return newest[7], newest[8]

    def _load_log(self, offset: int, size: int) -> None:
        """Remember what a change that was cut short still has to write; each part of it must be whole."""
        name = self.blob.name
        raw = self.blob.read(offset, _LOG.size)
        signature, _, count, _, most = _LOG.unpack(raw)
        if signature != _LOG_SIGNATURE or not checked(raw, 4):
            raise damaged(name, "the header of its replay log is not valid")
        if not count:
            return
        if count > min(most, _LOG_ENTRIES_LIMIT) or size > _LOG_LIMIT or _LOG.size + count * _LOG_ENTRY.size > size:
            raise damaged(name, f"its replay log cannot hold {count} entries")
        log = self.blob.part(offset, size, name)
        total = 0
        for number in range(count):
            raw = log.read(_LOG.size + number * _LOG_ENTRY.size, _LOG_ENTRY.size)
            target, length, at, _, _ = _LOG_ENTRY.unpack(raw)
            total += length
            if not checked(raw, 20) or total > _LOG_LIMIT:
                raise damaged(name, f"entry {number} of its replay log is not valid")
            data = log.read(at, length)
            if zlib.crc32(data) != struct.unpack_from("<I", raw, 24)[0] or target + length > self.blob.size:
                raise damaged(name, f"entry {number} of its replay log has other contents than it says")
            self._write(target, data)

    def objects(self) -> Iterator[Stored]:
        """The objects in use, over the whole chain of object tables."""
        at, seen, total = _OBJECT_TABLES_AT, set[int](), 0
        while True:
            signature, count = struct.unpack("<II", self.read(at, 8))
            total += count + 1
            if at in seen or signature != _OBJECTS_SIGNATURE or total > _OBJECTS_LIMIT:
                raise damaged(self.blob.name, f"there is no object table at {at}, or it was there before")
            seen.add(at)
            following = yield from self._table(at, count)
            if following is None:
                return
            at = following

    def _table(self, at: int, count: int) -> Generator[Stored, None, int | None]:
        """The objects of one table; returns where the next table is, None when this is the last."""
        raw = self.read(at + 8, count * _OBJECT.size)
        following = None
        for start in range(0, len(raw), _OBJECT.size):
            entry = raw[start : start + _OBJECT.size]
            kind, _, offset, size, _ = _OBJECT.unpack(entry)
            if kind in (EMPTY, FREE):
                continue
            if not checked(entry, 1) or offset + size > self.blob.size:
                raise damaged(self.blob.name, "an entry of its object table is not valid")
            if kind == OBJECT_TABLE:
                following = offset
            else:
                yield Stored(kind, offset, size)
        return following
