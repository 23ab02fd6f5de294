# SPDX-License-Identifier: GPL-2.0-or-later
"""A CD's boot catalog (El Torito), as EDK2's PartitionDxe reads it: the way by which firmware boots from a DVD.

Sources: "El Torito" Bootable CD-ROM Format Specification 1.0, UEFI 2.10 section 13.3.2, and
MdeModulePkg/Universal/Disk/PartitionDxe/ElTorito.c of edk2-stable202211.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.images.source import Source, Window

EFI_PLATFORM = 0xEF
BLOCK = 2048
_DESCRIPTORS_LIMIT = 64
_DISKETTES = {1: 80 * 2 * 15 * 512, 2: 80 * 2 * 18 * 512, 3: 80 * 2 * 36 * 512}  # emulated, by media type, in bytes


@dataclass(frozen=True, slots=True)
class BootImage:
    """A bootable entry of the catalog. `platform` is that of its section: 0 BIOS, 0xEF EFI. Bytes.

    `entry` is its place in the catalog among the bootable ones, 0 for the default entry: the number in EDK2's CDROM()
    device path. EDK2 offers entries of any platform to its FAT driver.
    """

    platform: int
    entry: int
    start: int
    size: int

    def open(self, medium: Source) -> Window:
        """The image, as far as the medium reaches; Damaged when it starts beyond the end."""
        return Window(medium, self.start, max(0, min(self.size, medium.size - self.start)))


def el_torito(medium: Source, sector: int = BLOCK) -> list[BootImage]:
    """The bootable entries of the boot catalog in its order; empty for a medium without one.

    Args:
        sector: the device's logical block size. EDK2 reads only one such block of the catalog, so that it misses
            entries of a long catalog when the ISO lies on a disk; so does this.
    """
    found: list[BootImage] = []
    volume_blocks = 0
    for descriptor in descriptors(medium):
        if descriptor[0] == 1:
            (volume_blocks,) = struct.unpack_from("<I", descriptor, 80)
        if descriptor[7:30] != b"EL TORITO SPECIFICATION":
            continue
        start = struct.unpack_from("<I", descriptor, 71)[0] * BLOCK
        catalog = medium.read(start, BLOCK) if start + BLOCK <= medium.size else b""
        if catalog[:1] == b"\1" and catalog[30:32] == b"\x55\xaa" and _sum16(catalog[:32]) == 0:
            found += _entries(catalog[: min(sector, BLOCK)], min(volume_blocks * BLOCK, medium.size), medium.size)
    return found


def _sum16(data: bytes) -> int:
    return sum(int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)) & 0xFFFF


def _entries(catalog: bytes, volume_end: int, medium_size: int) -> Iterator[BootImage]:
    """EDK2 takes each entry with the bootable mark, wherever it stands; section headers only tell the platform."""
    platform, number = catalog[1], 1
    for at in range(32, len(catalog), 32):
        entry = catalog[at : at + 32]
        if entry[0] in (0x90, 0x91):
            platform = entry[1]
        count, block = int.from_bytes(entry[6:8], "little"), int.from_bytes(entry[8:12], "little")
        if entry[0] != 0x88 or block == 0:
            continue
        if at == 32:
            number = 0
        size = _image_size(entry[1], count, block, volume_end)
        if size > 0 and block * BLOCK < medium_size:
            yield BootImage(platform, number, block * BLOCK, size)
        number += 1


def _image_size(media_type: int, count: int, block: int, volume_end: int) -> int:
    """Bytes of an entry as EDK2 computes them: a count of 0 or 1 means up to the end of the volume, and without
    emulation it counts blocks of 2048 bytes, not the specification's 512, which is never too little for a FAT.
    """
    if media_type & 0x0F in _DISKETTES:
        return _DISKETTES[media_type & 0x0F]
    if count < 2 or media_type & 0x0F not in (0, 4):
        return volume_end - block * BLOCK
    return count * (BLOCK if media_type & 0x0F == 0 else 512)


def descriptors(medium: Source) -> Iterator[bytes]:
    """The volume descriptors of ISO 9660 (ECMA-119 clause 8) up to the terminator; none for another medium."""
    for number in range(16, 16 + _DESCRIPTORS_LIMIT):
        if (number + 1) * BLOCK > medium.size:
            return
        descriptor = medium.read(number * BLOCK, BLOCK)
        if descriptor[1:6] != b"CD001" or descriptor[0] == 255:
            return
        yield descriptor
