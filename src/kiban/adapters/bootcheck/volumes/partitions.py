# SPDX-License-Identifier: GPL-2.0-or-later
"""Partition tables, GPT and MBR, as EDK2's PartitionDxe understands them.

Sources: UEFI specification 2.10 chapter 5; for what firmware accepts, MdeModulePkg/Universal/Disk/PartitionDxe of
edk2-stable202211. A partition that it would not make a handle for is not in the answer.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kiban.adapters.images.source import Source, Window
from kiban.errors import Damaged

ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_UNUSED_TYPE = bytes(16)
_ENTRIES_LIMIT = 4 << 20  # bytes of GPT entries; the usual table has 16 KiB
_USED_LIMIT = 1024  # partitions of a GPT
_LOGICAL_LIMIT = 128  # logical partitions; Linux stops at 255 in all
_EXTENDED = (0x05, 0x0F)
_PROTECTIVE = 0xEE
_EFI_SYSTEM = 0xEF


@dataclass(frozen=True, slots=True)
class Partition:
    """`start` and `size` are bytes. `guid` is the partition's own, lower case; on MBR it is the disk's signature and
    the number, as Linux writes PARTUUID (`deadbeef-01`). `type_guid` is "" on MBR. Logical partitions count from 5.
    """

    number: int
    guid: str
    type_guid: str
    start: int
    size: int
    is_esp: bool
    scheme: Literal["gpt", "mbr"]

    def open(self, medium: Source) -> Window:
        """The partition's contents, as far as the medium reaches; Damaged when it starts beyond the end."""
        return Window(medium, self.start, max(0, min(self.size, medium.size - self.start)))


def read(medium: Source, sector: int = 512) -> list[Partition]:
    """The partitions of the GPT, or else of the MBR; empty where there is no partition table.

    Args:
        sector: the logical block size of the device, in bytes: 512, 2048 on a DVD, 4096. A table that was written for
            another size is not found, by firmware neither.

    Raises:
        Damaged: a protective MBR says that there is a GPT, but neither copy is intact, and nothing else is there.
    """
    found = gpt(medium, sector)
    if found is None:
        found = mbr(medium, sector)
        if not found and is_protective(medium, sector):
            raise Damaged(
                "Its protective MBR promises a GPT partition table, but both copies of that are damaged or missing.",
                "Look at the disk with a partitioning tool, for instance sfdisk --verify",
            )
    return found


def is_protective(medium: Source, sector: int) -> bool:
    """Whether the boot sector says that the medium has a GPT, without which firmware looks for none."""
    return any(kind == _PROTECTIVE and start == 1 for kind, start, _ in _records(_head(medium, sector)))


def gpt(medium: Source, sector: int) -> list[Partition] | None:
    """The partitions of the first copy of the GPT that is intact, None if none is."""
    if not is_protective(medium, sector):
        return None
    for lba in (1, medium.size // sector - 1):
        header = _gpt_header(medium, sector, lba)
        entries = _gpt_entries(medium, sector, header) if header else None
        if header and entries is not None:
            return _gpt_partitions(header, entries, sector)
    return None


def mbr(medium: Source, sector: int) -> list[Partition]:
    """The partitions of the MBR, those in an extended one last; empty if it has none or contradicts itself."""
    return list(_mbr(medium, sector, _head(medium, sector)))


def table_sector(medium: Source) -> int:
    """The sector size that a GPT was written for, 512 or 4096, for a hint; 0 when there is no GPT."""
    for sector in (512, 4096):
        if medium.size >= 2 * sector and medium.read(sector, 8) == b"EFI PART":
            return sector
    return 0


def _head(medium: Source, sector: int) -> bytes:
    return medium.read(0, sector) if medium.size >= sector else b""


@dataclass(frozen=True, slots=True)
class _Header:
    first_usable: int
    last_usable: int
    entries_lba: int
    count: int
    entry_size: int
    entries_crc: int


def _gpt_header(medium: Source, sector: int, lba: int) -> _Header | None:
    if lba < 1 or (lba + 1) * sector > medium.size:
        return None
    block = medium.read(lba * sector, sector)
    if block[:8] != b"EFI PART":
        return None
    length, crc = struct.unpack_from("<II", block, 12)
    if not 92 <= length <= sector or zlib.crc32(block[:16] + bytes(4) + block[20:length]) != crc:
        return None
    own_lba, _, first, last = struct.unpack_from("<QQQQ", block, 24)
    header = _Header(first, last, *struct.unpack_from("<QIII", block, 72))
    if own_lba != lba or header.entry_size < 128 or header.count * header.entry_size > _ENTRIES_LIMIT:
        return None
    return header


def _gpt_entries(medium: Source, sector: int, header: _Header) -> list[bytes] | None:
    """The entries, None if they lie outside of the medium or their checksum is wrong."""
    start, length = header.entries_lba * sector, header.count * header.entry_size
    if start + length > medium.size:
        return None
    table = medium.read(start, length)
    if zlib.crc32(table) != header.entries_crc:
        return None
    return [table[at : at + 128] for at in range(0, length, header.entry_size)]


def _gpt_partitions(header: _Header, entries: list[bytes], sector: int) -> list[Partition]:
    """The entries that firmware uses: within the usable range, not overlapping, not reserved for an OS (bit 1)."""
    used = [(number, entry) for number, entry in enumerate(entries, 1) if entry[:16] != _UNUSED_TYPE]
    if len(used) > _USED_LIMIT:
        raise Damaged(f"Its GPT has {len(used)} partitions, which is more than a disk to boot from can need.")
    ranges = [struct.unpack_from("<QQ", entry, 32) for _, entry in used]
    in_range = [header.first_usable <= first <= last <= header.last_usable for first, last in ranges]
    overlapping = _overlapping(ranges, in_range)
    found = []
    for place, (number, entry) in enumerate(used):
        (attributes,) = struct.unpack_from("<Q", entry, 48)
        if not in_range[place] or place in overlapping or attributes & 2:
            continue
        first, last = ranges[place]
        kind = str(uuid.UUID(bytes_le=entry[:16]))
        own = str(uuid.UUID(bytes_le=entry[16:32]))
        size = (last - first + 1) * sector
        found.append(Partition(number, own, kind, first * sector, size, kind == ESP_TYPE, "gpt"))
    return found


def _overlapping(ranges: Sequence[tuple[int, ...]], counts: Sequence[bool]) -> set[int]:
    """The places of those ranges (first, last) that share a block with another one.

    EDK2 compares an entry that is out of range only with those before it, and so does this.
    """
    found: set[int] = set()
    for one, (first, last) in enumerate(ranges):
        if counts[one]:
            others = range(one + 1, len(ranges))
            shared = [other for other in others if ranges[other][1] >= first and ranges[other][0] <= last]
            found.update(shared, [one] if shared else [])
    return found


def _records(block: bytes) -> list[tuple[int, int, int]]:
    """The four records of a master or extended boot record: type, first block, blocks."""
    if block[510:512] != b"\x55\xaa":
        return []
    return [(block[at + 4], *struct.unpack_from("<II", block, at + 8)) for at in range(446, 510, 16)]


def _mbr(medium: Source, sector: int, head: bytes) -> Iterator[Partition]:
    """The boot sector of a file system has the same mark, so a table counts only if its partitions make sense."""
    records = _records(head)
    if not records:
        return
    used = [at for at, (kind, _, size) in enumerate(records) if kind and size]
    ranges = [(records[at][1], records[at][1] + records[at][2] - 1) for at in used]
    if any(last >= medium.size // sector for _, last in ranges) or _overlapping(ranges, [True] * len(ranges)):
        return
    (signature,) = struct.unpack_from("<I", head, 440)
    for at in used:
        kind, start, size = records[at]
        if kind != _PROTECTIVE:
            yield _mbr_partition(signature, at + 1, kind, start * sector, size * sector)
    for at in used:
        kind, start, size = records[at]
        if kind in _EXTENDED:
            yield from _logical(medium, sector, signature, start, size)


def _logical(medium: Source, sector: int, signature: int, base: int, blocks: int) -> Iterator[Partition]:
    """Follow the chain of extended boot records; each names one partition and, from the first on, the next record."""
    link, number = 0, 5
    for _ in range(_LOGICAL_LIMIT):
        records = _records(medium.read((base + link) * sector, sector))
        if not records or records[0][2] == 0:
            return
        kind, start, size = records[0]
        if kind in _EXTENDED:
            link = start
        else:
            if start == 0 or link + start + size > blocks:
                return
            yield _mbr_partition(signature, number, kind, (base + link + start) * sector, size * sector)
            number += 1
            kind, link, _ = records[1]
            if kind not in _EXTENDED:
                return
        if link == 0 or link >= blocks:
            return


def _mbr_partition(signature: int, number: int, kind: int, start: int, size: int) -> Partition:
    return Partition(number, f"{signature:08x}-{number:02x}", "", start, size, kind == _EFI_SYSTEM, "mbr")
