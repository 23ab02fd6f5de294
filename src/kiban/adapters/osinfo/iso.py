# SPDX-License-Identifier: GPL-2.0-or-later
"""The first sectors of an ISO image: who made it, and which firmware it offers itself to.

Read are the volume descriptors (ECMA-119 clause 8) and one sector of El Torito's boot catalog ("El Torito" Bootable
CD-ROM Format Specification 1.0; platform 0xEF is UEFI's addition); never a file system, never more than 68 KiB.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kiban.adapters.files import open_regular
from kiban.errors import BadInput

_SECTOR = 2048
_PLATFORMS = {0: "bios", 0xEF: "efi"}  # PowerPC and Mac have numbers too, but no machine here would use them


@dataclass(frozen=True, slots=True)
class IsoLabel:
    """An ISO's labels, without the blanks at their ends; `volume_size` in bytes, `made` the day it says of itself.

    `boots_on` has "bios" and "efi" where the boot catalog offers a loader for such firmware; it is empty for a disc
    that cannot be booted.
    """

    volume_id: str
    system_id: str
    publisher_id: str
    application_id: str
    volume_size: int
    boots_on: frozenset[str]
    made: date | None = None


def read_label(iso: Path) -> IsoLabel:
    """Read the labels of an image.

    Raises:
        NotFound, NotAllowed: the file.
        BadInput: it is not a regular file, or has no ISO 9660 volume (code not-an-iso).
    """
    with open_regular(iso) as descriptor:
        area = os.pread(descriptor, 32 * _SECTOR, 16 * _SECTOR)
        descriptors = _descriptors(area)
        primary = next((d for d in descriptors if d[0] == 1), None)
        if primary is None:
            raise BadInput(f"{iso} has no ISO 9660 volume.", "Give the ISO of an installer", code="not-an-iso")
        boot = next((d for d in descriptors if d[0] == 0 and d[7:30] == b"EL TORITO SPECIFICATION"), None)
        catalog = os.pread(descriptor, _SECTOR, struct.unpack_from("<I", boot, 71)[0] * _SECTOR) if boot else b""
    blocks, block_size = struct.unpack_from("<I", primary, 80)[0], struct.unpack_from("<H", primary, 128)[0]
    return IsoLabel(
        volume_id=_text(primary[40:72]),
        system_id=_text(primary[8:40]),
        publisher_id=_text(primary[318:446]),
        application_id=_text(primary[574:702]),
        volume_size=blocks * block_size,
        boots_on=_platforms(catalog),
        made=_day(primary[813:821]),
    )


def _descriptors(area: bytes) -> list[bytes]:
    """The volume descriptors up to the terminator (type 255)."""
    found = []
    for at in range(0, len(area) - _SECTOR + 1, _SECTOR):
        sector = area[at : at + _SECTOR]
        if sector[1:6] != b"CD001" or sector[0] == 255:
            break
        found.append(sector)
    return found


def _text(raw: bytes) -> str:
    text = raw.split(b"\0", 1)[0].decode("utf-8", errors="replace").rstrip()
    return "".join(c for c in text if c.isprintable())


def _day(digits: bytes) -> date | None:
    """The day of a volume's creation (ECMA-119 8.4.26.1: year, month and day as digits); None without one."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def _platforms(catalog: bytes) -> frozenset[str]:
    """Platforms with a bootable entry: the validation entry's for the default entry, then those of the sections."""
    if len(catalog) < 64 or catalog[0] != 1 or catalog[30:32] != b"\x55\xaa":
        return frozenset()
    platform, found = catalog[1], set[str]()
    for at in range(32, len(catalog) - 31, 32):
        kind = catalog[at]
        if kind in (0x90, 0x91):  # a section of entries for the platform in the next byte
            platform = catalog[at + 1]
        elif kind == 0x88 and platform in _PLATFORMS:
            found.add(_PLATFORMS[platform])
        elif kind not in (0, 0x44, 0x88):  # neither not bootable nor an extension: the catalog is over
            break
    return frozenset(found)
