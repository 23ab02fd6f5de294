# SPDX-License-Identifier: GPL-2.0-or-later
"""ISO and floppy images: is a file what it is said to be, before a machine gets it.

Only marks at fixed places and the size are looked at. What an ISO holds is the business of osinfo and bootcheck.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.files import open_regular
from kiban.errors import BadInput
from kiban.model.units import KiB, format_size

# sizes that QEMU's floppy drives know as raw images (hw/block/fdc.c), in KiB
FLOPPY_SIZES = {name: kib * KiB for name, kib in {
    "160K": 160, "180K": 180, "320K": 320, "360K": 360, "720K": 720, "1.2M": 1200, "1.44M": 1440, "2.88M": 2880,
}.items()}  # fmt: skip
LARGEST_FLOPPY = max(FLOPPY_SIZES.values())
ISO_AREA = range(16 * 2048, 32 * 2048)
"""The volume recognition area of ECMA-119 and ECMA-167, in bytes: from sector 16 on, one descriptor a sector."""


@dataclass(frozen=True, slots=True)
class Medium:
    """A removable medium's file: its path and its size in bytes."""

    path: Path
    size: int


def check_iso(path: Path) -> Medium:
    """An ISO 9660 or UDF image.

    Raises:
        NotFound, NotAllowed, BadInput (code not-an-iso): with what it is instead.
    """
    with open_regular(path) as descriptor:
        size = os.fstat(descriptor).st_size
        area = os.pread(descriptor, len(ISO_AREA), ISO_AREA.start)
    check_iso_area(str(path), area)
    return Medium(path, size)


def check_iso_area(name: str, area: bytes) -> None:
    """BadInput (code not-an-iso) unless the bytes at ISO_AREA of the file called `name` begin a volume."""
    marks = {area[at + 1 : at + 6] for at in range(0, len(area), 2048)}
    if area[1:6] != b"CD001" and not (area[1:6] == b"BEA01" and marks & {b"NSR02", b"NSR03"}):
        raise BadInput(
            f"{name} is not an ISO image: no ISO 9660 or UDF volume begins at 32 KiB.",
            "A hard disk image goes to --disk, a floppy image to --floppy",
            code="not-an-iso",
        )


def check_floppy(path: Path) -> Medium:
    """A raw floppy image of one of the sizes that a PC's drive knows.

    Raises:
        NotFound, NotAllowed, BadInput (code not-a-floppy).
    """
    with open_regular(path) as descriptor:
        size = os.fstat(descriptor).st_size
    check_floppy_size(str(path), size)
    return Medium(path, size)


def check_floppy_size(name: str, size: int) -> None:
    """BadInput (code not-a-floppy) unless a floppy may have so many bytes."""
    if size not in FLOPPY_SIZES.values():
        raise BadInput(
            f"{name} is not a floppy image: no floppy has {format_size(size)} ({size} bytes).",
            f"Sizes of floppies: {', '.join(FLOPPY_SIZES)}",
            code="not-a-floppy",
        )
