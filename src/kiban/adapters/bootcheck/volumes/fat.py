# SPDX-License-Identifier: GPL-2.0-or-later
"""FAT12, FAT16 and FAT32 with long names, read only, and mounted only where firmware would mount it.

Sources: Microsoft's "FAT32 File System Specification" 1.03; for what firmware accepts, FatPkg/EnhancedFatDxe of
edk2-stable202211, which tells FAT12 from FAT16 by the number of clusters and refuses a FAT32 with too few of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.bootcheck.volumes.folder import Entry, parts
from kiban.adapters.images.source import Budget, Source, check_range
from kiban.errors import Damaged

_FAT12_LIMIT, _FAT16_LIMIT = 0xFF5, 0xFFF5  # clusters, as EDK2 counts
_DIRECTORY_LIMIT = 65536 * 32  # bytes; the specification's limit of entries
_TABLE_PIECE = 3 << 10  # bytes of the table read at once; entries of all widths end at multiples of 3
_LONG_NAME = 0x0F
_VOLUME_LABEL = 0x08
_FOLDER = 0x10


@dataclass(frozen=True, slots=True)
class _Record:
    """A directory entry; `short` is the name as 8.3, `name` the long one where there is one."""

    name: str
    short: str
    is_folder: bool
    cluster: int
    size: int


class Fat:
    """The FAT file system that fills `volume`.

    Raises:
        Damaged: it is not one, or one that firmware does not mount.
    """

    def __init__(self, volume: Source) -> None:
        boot = volume.read(0, 512) if volume.size >= 512 else b""
        if len(boot) < 512:
            raise Damaged("It is too small for a FAT file system.")
        self._volume = volume
        sector, per_cluster, reserved, copies, root_entries, small, media, fat16 = struct.unpack_from(
            "<HBHBHHBH", boot, 11
        )
        sectors = small or struct.unpack_from("<I", boot, 32)[0]
        fat32, flags, version, root = struct.unpack_from("<IHHI", boot, 36)
        per_fat = fat16 or fat32
        if not _is_power(sector, 512, 4096) or not _is_power(per_cluster, 1, 128) or 0 in (reserved, copies, sectors):
            raise Damaged("It holds no FAT file system.")
        if 1 < media < 0xF8 and media != 0xF0:
            raise Damaged("It holds no FAT file system: its boot sector names no kind of medium.")
        if (fat16 and not root_entries) or (not fat16 and (not fat32 or version or flags & 0x80)):
            raise Damaged("Its FAT file system has fields in its boot sector that firmware does not accept.")
        self._cluster_size: int = sector * per_cluster
        self._table = reserved * sector
        self._table_size = per_fat * sector
        self._root_start = self._table + copies * self._table_size
        self._root_size = root_entries * 32 if fat16 else 0
        first = self._root_start // sector + -(-self._root_size // sector)
        self._data: int = first * sector
        self._clusters = (sectors - first) // per_cluster
        self.bits = self._width(small=bool(fat16))
        self._root = 0 if fat16 else root
        self._piece = -1, b""  # of the table, the latest that was read

    def _width(self, *, small: bool) -> int:
        """12, 16 or 32; the count of clusters decides, not the label."""
        if self._clusters < 1:
            raise Damaged("Its FAT file system has no room for files.")
        if small and self._clusters < _FAT16_LIMIT:
            return 12 if self._clusters < _FAT12_LIMIT else 16
        if small or self._clusters < _FAT16_LIMIT:
            raise Damaged(
                f"Its FAT{16 if small else 32} file system has {self._clusters} clusters, with which firmware does not "
                "mount it.",
                "Make the file system anew and let the tool choose the FAT's width",
            )
        return 32

    def find(self, path: str) -> FatFile | None:
        """The file of that path, upper and lower case being the same, by long or short name; None if there is none."""
        names = parts(path)
        record = None if not names else self._walk(names)
        return None if record is None or record.is_folder else FatFile(self, record.cluster, record.size)

    def entries(self, path: str) -> list[Entry]:
        """The names in a folder; empty when there is no such folder."""
        names = parts(path)
        folder = _ROOT if names == [] else self._walk(names) if names else None
        if folder is None or not folder.is_folder:
            return []
        return [Entry(each.name, each.is_folder, each.size) for each in self._records(folder)]

    def _walk(self, names: list[str]) -> _Record | None:
        here = _ROOT
        for name in names:
            if not here.is_folder:
                return None
            wanted = _folded(name)
            found = (each for each in self._records(here) if wanted in (_folded(each.name), _folded(each.short)))
            here_or_none = next(found, None)
            if here_or_none is None:
                return None
            here = here_or_none
        return here

    def _records(self, folder: _Record) -> Iterator[_Record]:
        """The entries in use, without the volume label, "." and ".."."""
        pieces: list[bytes] = []  # the long name's entries, last part first
        for raw in self._raw_entries(folder):
            attributes = raw[11]
            if raw[0] == 0:
                return
            if raw[0] == 0xE5:
                pieces = []
            elif attributes & 0x3F == _LONG_NAME:
                pieces = [raw] if raw[0] & 0x40 else [*pieces, raw][:20]
            else:
                if not attributes & _VOLUME_LABEL and raw[0] != 0x2E:
                    yield self._record(raw, pieces)
                pieces = []

    def _record(self, raw: bytes, pieces: list[bytes]) -> _Record:
        high, low, size = *struct.unpack_from("<H", raw, 20), *struct.unpack_from("<HI", raw, 26)
        cluster = low | (high << 16 if self.bits == 32 else 0)
        short = _short_name(raw)
        name = _long_name(pieces, _name_checksum(raw[:11])) or _with_case(short, raw[12])
        is_folder = bool(raw[11] & _FOLDER)
        return _Record(name, short, is_folder, cluster, 0 if is_folder else size)

    def _raw_entries(self, folder: _Record) -> Iterator[bytes]:
        for block in self._directory_blocks(folder):
            for at in range(0, len(block), 32):
                yield block[at : at + 32]

    def _directory_blocks(self, folder: _Record) -> Iterator[bytes]:
        """A folder's contents, piece by piece: the root of FAT12 and FAT16 has a place of its own."""
        start = folder.cluster or self._root  # a folder's first cluster is 0 when it means the root
        if not start:
            yield self._volume.read(self._root_start, self._root_size)
            return
        total = 0
        for cluster in self.chain(start):
            total += self._cluster_size
            if total > _DIRECTORY_LIMIT:
                raise Damaged("A folder of its FAT file system is larger than folders can be.")
            yield self._volume.read(self._place(cluster), self._cluster_size)

    def chain(self, cluster: int) -> Iterator[int]:
        """The clusters of a chain from `cluster` on; Damaged where it leaves the volume or comes back to itself."""
        mark, steps, next_mark = cluster, 0, 2
        end = 0xFF8 if self.bits == 12 else 0xFFF8 if self.bits == 16 else 0x0FFFFFF8
        while cluster < end:
            if not 2 <= cluster <= self._clusters + 1:
                raise Damaged(f"A chain of its FAT file system leads to cluster {cluster}, which does not exist.")
            yield cluster
            cluster = self._next(cluster)
            steps += 1
            if cluster == mark:  # Brent's way of finding a loop: the mark moves on with each power of two
                raise Damaged("A chain of clusters in its FAT file system leads back to itself.")
            if steps == next_mark:
                mark, next_mark = cluster, next_mark * 2

    def _next(self, cluster: int) -> int:
        self.budget.step()
        number, within = divmod(cluster * self.bits // 8, _TABLE_PIECE)
        if number != self._piece[0]:
            start = number * _TABLE_PIECE
            length = max(0, min(_TABLE_PIECE, self._table_size - start))
            self._piece = number, self._volume.read(self._table + start, length)
        width = 4 if self.bits == 32 else 2
        check_range(len(self._piece[1]), within, width)
        value = int.from_bytes(self._piece[1][within : within + width], "little")
        if self.bits == 12:
            return value >> 4 if cluster & 1 else value & 0xFFF
        return value & 0x0FFFFFFF

    def _place(self, cluster: int) -> int:
        return self._data + (cluster - 2) * self._cluster_size

    @property
    def budget(self) -> Budget:
        return self._volume.budget

    @property
    def cluster_size(self) -> int:
        """Bytes."""
        return self._cluster_size

    def read_run(self, cluster: int, offset: int, length: int) -> bytes:
        """Bytes from clusters that follow each other on the volume."""
        return self._volume.read(self._place(cluster) + offset, length)


class FatFile:
    """A file's contents; its chain is followed only as far as it is read."""

    def __init__(self, fat: Fat, cluster: int, size: int) -> None:
        self.size = size
        self._fat = fat
        self._chain = fat.chain(cluster)
        self._runs: list[tuple[int, int, int]] = []  # first cluster in the file, on the volume, how many
        self._known = 0  # clusters that the runs cover

    @property
    def budget(self) -> Budget:
        return self._fat.budget

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        if length == 0:
            return b""
        unit = self._fat.cluster_size
        self._follow(-(-(offset + length) // unit))
        pieces = []
        for index, cluster, count in self._runs:
            start, end = max(offset, index * unit), min(offset + length, (index + count) * unit)
            if start < end:
                pieces.append(self._fat.read_run(cluster, start - index * unit, end - start))
        return b"".join(pieces)

    def _follow(self, clusters: int) -> None:
        """Learn the first `clusters` clusters of the chain."""
        while self._known < clusters:
            cluster = next(self._chain, None)
            if cluster is None:
                raise Damaged("A file's chain of clusters in its FAT file system ends before the file does.")
            if self._runs and self._runs[-1][1] + self._runs[-1][2] == cluster:
                index, first, count = self._runs[-1]
                self._runs[-1] = (index, first, count + 1)
            else:
                self._runs.append((self._known, cluster, 1))
            self._known += 1


_ROOT = _Record("", "", True, 0, 0)


def _is_power(number: int, least: int, most: int) -> bool:
    return least <= number <= most and number & (number - 1) == 0


def _folded(name: str) -> str:
    """For comparing names as EDK2 does: case is only that of Latin-1's letters."""
    return "".join(c.upper() if c.isascii() or "à" <= c <= "þ" else c for c in name)


def _name_checksum(short: bytes) -> int:
    """What ties the entries of a long name to the short one that they belong to."""
    value = 0
    for byte in short:
        value = ((value & 1) << 7 | value >> 1) + byte & 0xFF
    return value


def _long_name(pieces: list[bytes], checksum: int) -> str:
    """The long name of entries in the order in which they are stored, "" if they do not belong together."""
    count = len(pieces)
    if not pieces or not pieces[0][0] & 0x40:
        return ""
    units = b""
    for place, piece in enumerate(pieces):
        if piece[0] & 0x3F != count - place or piece[13] != checksum:
            return ""
        units = piece[1:11] + piece[14:26] + piece[28:32] + units
    return units.decode("utf-16-le", errors="replace").split("\0", 1)[0]


def _short_name(raw: bytes) -> str:
    """The 8.3 name; EDK2 widens its bytes to UCS-2 as they are, whatever code page they were written in."""
    stem = raw[:8].decode("latin-1").rstrip(" ")
    extension = raw[8:11].decode("latin-1").rstrip(" ")
    return f"{stem}.{extension}" if extension else stem


def _with_case(short: str, flags: int) -> str:
    """Windows NT keeps the case of a short name in two bits instead of a long name."""
    stem, dot, extension = short.partition(".")
    return (stem.lower() if flags & 8 else stem) + dot + (extension.lower() if flags & 16 else extension)
