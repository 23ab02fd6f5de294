# SPDX-License-Identifier: GPL-2.0-or-later
"""The log of a VHDX that was not closed properly, replayed in memory ([MS-VHDX] 2.3).

The log is a ring of entries in units of 4 KiB. The entries to replay are the run with the highest sequence number that
is whole: each entry intact, the numbers without a gap, and beginning where its last entry says that the run begins.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kiban.adapters.images.crc32c import crc32c
from kiban.adapters.images.source import Budget, Source, check_range
from kiban.errors import Damaged

_UNIT = 4096
_LOG_LIMIT = 64 << 20  # bytes; Hyper-V makes logs of 1 MiB
_CHECK_LIMIT = 4 << 20  # bytes whose checksum is computed, about a second; an intact log is computed once


@dataclass(frozen=True, slots=True)
class _Patch:
    """Bytes `start` to `end` of the file, all zeros where there is no data."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    """`place`, `length` and `tail` are bytes in the ring; `flushed` and `file_size` sizes that the file must have."""

    place: int
    length: int
    tail: int
    number: int
    flushed: int
    file_size: int
    data: bytes


def replayed(source: Source, log_id: bytes, start: int, size: int) -> Source:
    """The file as it is after its log was replayed.

    Raises:
        Damaged: the log is too large, lies beyond the end, or holds no whole run of entries.
    """
    if not 0 < size <= _LOG_LIMIT or size % _UNIT or start % _UNIT or start + size > source.size:
        raise Damaged("The VHDX was not closed properly, and its log is not where a log can be.")
    run = _Log(source, log_id, start, size).active()
    if not run:
        raise Damaged(
            "The VHDX was not closed properly, and its log is damaged.",
            "Let Hyper-V or qemu-img check -r all look at a copy",
        )
    if max(entry.flushed for entry in run) > source.size:
        raise Damaged("The VHDX was not closed properly, and the end of its file was lost.")
    patches = [patch for entry in run for patch in _patches(entry)]
    return _Patched(source, max(source.size, run[-1].file_size), patches)


class _Log:
    def __init__(self, source: Source, log_id: bytes, start: int, size: int) -> None:
        self._source = source
        self._id = log_id
        self._start = start
        self._size = size
        self._unchecked = _CHECK_LIMIT
        self._seen: dict[int, _Entry | None] = {}

    def active(self) -> list[_Entry]:
        """The run to replay, oldest entry first; empty if there is none."""
        best: list[_Entry] = []
        place = 0
        while place < self._size:
            run = self._run(place)
            whole = _from_tail(run)
            if whole and (not best or whole[-1].number > best[-1].number):
                best = whole
            # a run that does not hang together may hide another one that begins within it
            place += sum(entry.length for entry in run) if whole else _UNIT
        return best

    def _run(self, place: int) -> list[_Entry]:
        """The entries from `place` on whose numbers follow each other."""
        run: list[_Entry] = []
        total = 0
        entry = self._entry(place)
        while entry and (not run or entry.number == run[-1].number + 1) and total + entry.length <= self._size:
            run.append(entry)
            total += entry.length
            entry = self._entry((entry.place + entry.length) % self._size)
        return run

    def _entry(self, place: int) -> _Entry | None:
        if place not in self._seen:
            self._seen[place] = self._read_entry(place)
        return self._seen[place]

    def _read_entry(self, place: int) -> _Entry | None:
        """The entry there, if it is intact and of this log."""
        head = self._ring(place, 64)
        mark, checksum, length, tail, number, count = struct.unpack_from("<4sIIIQI", head)
        log_id, flushed, file_size = struct.unpack_from("<16sQQ", head, 32)
        if mark != b"loge" or log_id != self._id or number == 0:
            return None
        if length % _UNIT or not _UNIT <= length <= self._size or tail % _UNIT or 64 + 32 * count > length:
            return None
        self._unchecked -= length
        if self._unchecked < 0:
            raise Damaged("The VHDX was not closed properly, and its log is too large to be replayed.")
        data = self._ring(place, length)
        if crc32c(data[:4] + bytes(4) + data[8:]) != checksum:
            return None
        return _Entry(place, length, tail, number, flushed, file_size, data)

    def _ring(self, place: int, length: int) -> bytes:
        """Bytes of the ring, which goes on at its beginning."""
        first = min(length, self._size - place)
        data = self._source.read(self._start + place, first)
        return data + self._source.read(self._start, length - first) if first < length else data


def _from_tail(run: list[_Entry]) -> list[_Entry]:
    """The part of the run that its last entry wants replayed; empty if that does not begin in the run."""
    if not run:
        return []
    begin = next((at for at, entry in enumerate(run) if entry.place == run[-1].tail), None)
    return [] if begin is None else run[begin:]


def _patches(entry: _Entry) -> list[_Patch]:
    """What an entry writes. Its descriptors come first, and then, in units of their own, the data."""
    (count,) = struct.unpack_from("<I", entry.data, 24)
    data_at = -(-(64 + 32 * count) // _UNIT) * _UNIT
    found = []
    for at in range(64, 64 + 32 * count, 32):
        mark, trailing, leading, offset, number = struct.unpack_from("<4s4s8sQQ", entry.data, at)
        if number != entry.number or offset % _UNIT:
            raise _broken()
        if mark == b"zero":
            length = int.from_bytes(leading, "little")
            found.append(_Patch(offset, offset + length, b""))
        elif mark == b"desc":
            unit = entry.data[data_at : data_at + _UNIT]
            data_at += _UNIT
            if len(unit) < _UNIT or unit[:4] != b"data" or _unit_number(unit) != number:
                raise _broken()
            found.append(_Patch(offset, offset + _UNIT, leading + unit[8:4092] + trailing))
        else:
            raise _broken()
    return found


def _unit_number(unit: bytes) -> int:
    """A data unit repeats its entry's number, the upper half in front and the lower one at its end."""
    return int.from_bytes(unit[4092:4096] + unit[4:8], "little")


def _broken() -> Damaged:
    return Damaged("The VHDX was not closed properly, and an entry of its log is broken.")


class _Patched:
    """A file with patches over it, later ones over earlier ones, and zeros up to its new size."""

    def __init__(self, source: Source, size: int, patches: list[_Patch]) -> None:
        self.size = max([size, *(patch.end for patch in patches)])
        self._source = source
        self._patches = patches

    @property
    def budget(self) -> Budget:
        return self._source.budget

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        there = max(0, min(length, self._source.size - offset))
        self.budget.charge(length - there)
        data = bytearray(self._source.read(offset, there) if there else b"")
        data += bytes(length - there)
        for patch in self._patches:
            start, end = max(offset, patch.start), min(offset + length, patch.end)
            if start < end:
                piece = patch.data[start - patch.start : end - patch.start] if patch.data else bytes(end - start)
                data[start - offset : end - offset] = piece
        return bytes(data)
