# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes as people write them: "2G", "1.5T", "20GiB" to bytes and back.

Every unit is a power of 1024, with or without the "i", as in Hyper-V's PowerShell and in QEMU, so that a disk of 20GB
is the same disk in both worlds.
"""

from __future__ import annotations

import re
from fractions import Fraction

from kiban.errors import BadInput

KiB = 1 << 10
MiB = 1 << 20
GiB = 1 << 30
TiB = 1 << 40
SECTOR = 512
LARGEST = 1 << 60  # 1 EiB: beyond any disk or memory of any format here, far below what 64-bit offsets can hold

_UNITS = {"": 1, "K": KiB, "M": MiB, "G": GiB, "T": TiB, "P": 1 << 50}
_SIZE = re.compile(r"(?P<number>[0-9]{1,20}(?:\.[0-9]{1,9})?)\s*(?:(?P<unit>[KMGTP])(?:i?B)?|B)", re.IGNORECASE)
_HINT = "Write a number and a unit: 512M, 2G, 1.5T, 20GiB"


def parse_size(text: str) -> int:
    """Bytes of a size that a person wrote; at least 1.

    A fraction is rounded down to whole 512-byte sectors, so that "1.1G" is good for a disk as well.

    Raises:
        BadInput: no number and unit, zero, negative, or more than 1 EiB. A bare number is refused because it means
            bytes to some programs and megabytes to others.
    """
    shown = text.strip()[:40]
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"'{shown}' is not a size.", _HINT, code="bad-size")
    exact = Fraction(match["number"]) * _UNITS[(match["unit"] or "").upper()]
    size = int(exact) if exact.denominator == 1 else int(exact) // SECTOR * SECTOR
    if size <= 0:
        raise BadInput(f"A size of '{shown}' is nothing.", _HINT, code="bad-size")
    if size > LARGEST:
        raise BadInput(f"'{shown}' is more than any machine can have.", _HINT, code="bad-size")
    return size


def format_size(size: int) -> str:
    """A number of bytes for people to read: "20 GiB", "1.5 TiB", "512 B"; exact where one decimal is enough."""
    for unit, factor in (("PiB", 1 << 50), ("TiB", TiB), ("GiB", GiB), ("MiB", MiB), ("KiB", KiB)):
        if abs(size) >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
