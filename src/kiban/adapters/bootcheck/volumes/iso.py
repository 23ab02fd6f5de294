# SPDX-License-Identifier: GPL-2.0-or-later
"""A CD's file system: ISO 9660 with Rock Ridge's or Joliet's names, read only.

Firmware does not read it; GRUB does, and what comes after GRUB. As there, Rock Ridge's names come before Joliet's, and
those before the plain ones. Sources: ECMA-119, SUSP 1.12, RRIP 1.12, the Joliet specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kiban.adapters.bootcheck.volumes.eltorito import BLOCK, BootImage, descriptors, el_torito
from kiban.adapters.bootcheck.volumes.folder import Entry, parts
from kiban.adapters.images.source import Budget, Source, Window, check_range
from kiban.errors import Damaged

__all__ = ["BootImage", "Iso", "IsoFile", "el_torito"]

_FOLDER_LIMIT = 16 << 20  # bytes of one folder
_EXTENTS_LIMIT = 64  # pieces of up to 4 GiB that a file may have
_CONTINUATIONS_LIMIT = 16  # areas that the system use fields of one record may go on in
_JOLIET = (b"%/@", b"%/C", b"%/E")  # escape sequences of UCS-2 levels 1 to 3


@dataclass(frozen=True, slots=True)
class _Record:
    """A directory record; `extents` are (start, size) in bytes. `goes_on`: the next record has more of the file."""

    name: str
    is_folder: bool
    extents: tuple[tuple[int, int], ...]
    goes_on: bool = False

    @property
    def size(self) -> int:
        return sum(size for _, size in self.extents)


class Iso:
    """The ISO 9660 file system of a medium. `names` says whose names it has; only Rock Ridge's depend on case.

    Raises:
        Damaged: it is not one.
    """

    names: Literal["rock ridge", "joliet", "plain"]

    def __init__(self, medium: Source) -> None:
        self._medium = medium
        primary = joliet = None
        for descriptor in descriptors(medium):
            if descriptor[0] == 1 and primary is None:
                primary = descriptor
            elif descriptor[0] == 2 and descriptor[88:91] in _JOLIET:
                joliet = descriptor
        if primary is None:
            raise Damaged("It holds no ISO 9660 file system.")
        self._skip = 0
        self.names = "plain"
        self._root = self._root_of(primary)
        if self._has_rock_ridge():
            self.names = "rock ridge"
        elif joliet is not None:
            self.names = "joliet"
            self._root = self._root_of(joliet)

    def find(self, path: str) -> IsoFile | None:
        """The file of that path; None if there is none. Symbolic links are not followed."""
        names = parts(path)
        record = self._walk(names) if names else None
        return None if record is None or record.is_folder else IsoFile(self._medium, record.extents)

    def entries(self, path: str) -> list[Entry]:
        """The names in a folder; empty when there is no such folder."""
        names = parts(path)
        folder = None if names is None else self._walk(names)
        if folder is None or not folder.is_folder:
            return []
        return [Entry(each.name, each.is_folder, 0 if each.is_folder else each.size) for each in self._records(folder)]

    def _walk(self, names: list[str]) -> _Record | None:
        here: _Record | None = self._root
        for name in names:
            if here is None or not here.is_folder:
                return None
            wanted = self._key(name)
            here = next((each for each in self._records(here) if self._key(each.name) == wanted), None)
        return here

    def _key(self, name: str) -> str:
        return name if self.names == "rock ridge" else name.upper()

    def _root_of(self, descriptor: bytes) -> _Record:
        return _Record("", True, (_extent(descriptor[156:190]),))

    def _has_rock_ridge(self) -> bool:
        """Rock Ridge announces itself in the root folder's own record, with SUSP's field SP."""
        raw = next(self._raw_records(self._root), b"")
        field = raw[34:41]
        if field[:4] != b"SP\x07\x01" or field[4:6] != b"\xbe\xef":
            return False
        self._skip = field[6]
        return True

    def _records(self, folder: _Record) -> Iterator[_Record]:
        """The records of a folder, those of one file joined, without the folder itself and the one above it."""
        whole: _Record | None = None
        for raw in self._raw_records(folder):
            if raw[33:34] in (b"\0", b"\1") and raw[32] == 1:
                continue
            record = self._record(raw)
            if whole is not None:
                record = replace(record, extents=whole.extents + record.extents)
                if len(record.extents) > _EXTENTS_LIMIT:
                    raise Damaged("A file of its ISO 9660 file system is in more pieces than files can be.")
            whole = record if record.goes_on else None
            if whole is None and record.name:
                yield record

    def _raw_records(self, folder: _Record) -> Iterator[bytes]:
        start, size = folder.extents[0]
        if size > _FOLDER_LIMIT:
            raise Damaged("A folder of its ISO 9660 file system is larger than folders can be.")
        for at in range(start, start + size, BLOCK):
            block = self._medium.read(at, min(BLOCK, start + size - at))
            place = 0
            while place < len(block) and block[place]:
                raw = block[place : place + block[place]]
                if len(raw) < 34 or len(raw) < 33 + raw[32]:
                    raise Damaged("A folder of its ISO 9660 file system has a broken record.")
                yield raw
                place += len(raw)

    def _record(self, raw: bytes) -> _Record:
        flags, name = raw[25], raw[33 : 33 + raw[32]]
        record = _Record(self._plain(name), bool(flags & 2), (_extent(raw),), bool(flags & 0x80))
        if self.names != "rock ridge":
            return record
        rock_name = b""
        for field in self._system_use(raw):
            if field[:2] == b"NM" and len(field) > 5:
                rock_name += field[5:]
            elif field[:2] == b"CL" and len(field) >= 12:  # a folder that was too deep, and lies elsewhere
                record = replace(record, is_folder=True, extents=(self._moved(struct.unpack_from("<I", field, 4)[0]),))
            elif field[:2] == b"RE":  # where such folders lie; they are found in their own places
                return replace(record, name="")
        return replace(record, name=rock_name.decode("utf-8", errors="replace") or record.name)

    def _moved(self, block: int) -> tuple[int, int]:
        return _extent(self._medium.read(block * BLOCK, 34))

    def _plain(self, name: bytes) -> str:
        if self.names == "joliet":
            return name.decode("utf-16-be", errors="replace").partition(";")[0]
        text = name.decode("latin-1").partition(";")[0]
        return text.removesuffix(".")

    def _system_use(self, raw: bytes) -> Iterator[bytes]:
        """SUSP's fields of a record, in the record itself and in the areas in which they go on."""
        name_end = 33 + raw[32]
        area = raw[name_end + (name_end & 1) + self._skip :]
        for _ in range(_CONTINUATIONS_LIMIT):
            more = b""
            for field in _fields(area):
                if field[:2] == b"CE" and len(field) >= 28:
                    block, offset, length = (struct.unpack_from("<I", field, at)[0] for at in (4, 12, 20))
                    check_range(BLOCK, 0, length)
                    more = self._medium.read(block * BLOCK + offset, length)
                else:
                    yield field
            if not more:
                return
            area = more


class IsoFile:
    """A file's contents, of one or more extents."""

    def __init__(self, medium: Source, extents: tuple[tuple[int, int], ...]) -> None:
        self.size = sum(size for _, size in extents)
        self._medium = medium
        self._pieces = [Window(medium, start, size) for start, size in extents if size]

    @property
    def budget(self) -> Budget:
        return self._medium.budget

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        data, begin = [], 0
        for piece in self._pieces:
            start, end = max(offset - begin, 0), min(offset + length - begin, piece.size)
            if start < end:
                data.append(piece.read(start, end - start))
            begin += piece.size
        return b"".join(data)


def _extent(raw: bytes) -> tuple[int, int]:
    """Where a record's contents lie, behind their extended attributes; bytes."""
    block, size = struct.unpack_from("<I", raw, 2)[0], struct.unpack_from("<I", raw, 10)[0]
    return (block + raw[1]) * BLOCK, size


def _fields(area: bytes) -> Iterator[bytes]:
    place = 0
    while place + 4 <= len(area):
        length = area[place + 2]
        if length < 4 or area[place : place + 2] == b"ST":
            return
        yield area[place : place + length]
        place += length
