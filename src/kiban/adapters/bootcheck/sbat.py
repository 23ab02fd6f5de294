# SPDX-License-Identifier: GPL-2.0-or-later
"""SBAT: generations of components, in images and in the revocation level that shim keeps.

Sources: rhboot/shim's SBAT.md and its sbat.c, csv.c and pe.c, which decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kiban.adapters.bootcheck.pe import Image
from kiban.errors import Damaged

ORIGINAL = "sbat,1,2021030218\n"  # the level that revokes nothing
LARGEST = 64 * 1024  # bytes read of a section; real ones have some hundred

Generations = tuple[tuple[str, int], ...]
"""Component and generation, in the order in which they stand."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """A component of an image whose generation is below the one demanded."""

    component: str
    generation: int
    demanded: int


def image_entries(section: bytes) -> Generations:
    """The entries of a .sbat section; Damaged where shim cannot read it: fewer than six columns, empty ones."""
    return _entries(section, 6)


def of_image(image: Image) -> Generations:
    """An image's SBAT entries, for people: also those with fewer columns than shim wants; none when unreadable."""
    section = image.section(".sbat")
    try:
        return _entries(image.content(section, LARGEST), 2) if section else ()
    except Damaged:
        return ()


def level_entries(level: str) -> Generations:
    """The entries of a revocation level, as SbatLevel holds it; Damaged when shim could not read it."""
    return _entries(level.encode("latin-1", "replace"), 2)


def _entries(data: bytes, columns: int) -> Generations:
    text = data.split(b"\0", 1)[0].removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    found = []
    for line in re.split(r"[\r\n]+", text):
        if line:
            values = line.split(",")[: 6 if columns == 6 else 3]
            if len(values) < columns or "" in values:
                raise Damaged("SBAT data has a line that cannot be read.", code="sbat-revoked")
            found.append((values[0], _number(values[1])))
    return tuple(found)


def _number(text: str) -> int:
    """As C's atoi() cut to 16 bits, which is what shim compares; 0 for what is no number."""
    digits = re.match(r"\d{1,19}", text.strip(" \t"), re.ASCII)
    return int(digits[0]) % 2**16 if digits else 0


def revoked(entries: Generations, level: Generations) -> Revoked | None:
    """The first entry of an image that the level revokes; of several of a component in the level the first counts."""
    demanded: dict[str, int] = {}
    for component, generation in level:
        demanded.setdefault(component, generation)
    for component, generation in entries:
        if generation < demanded.get(component, 0):
            return Revoked(component, generation, demanded[component])
    return None


def keeps(stored: str, candidate: str) -> bool:
    """Whether shim keeps the stored level, since it is not older than its own (preserve_sbat_uefi_variable)."""
    if len(stored) < len(ORIGINAL) or not stored.startswith("sbat,"):
        return False
    version, date = _version(stored)
    own_version, own_date = _version(candidate)
    if len(version) > len(own_version) or (len(version) == len(own_version) and version > own_version):
        return True
    return date[:10] >= own_date[:10]


def _version(level: str) -> tuple[str, str]:
    """Second field, and all that follows it."""
    fields = level.split(",", 2)
    return (fields[1], fields[2]) if len(fields) == 3 else ("", "")


def embedded_levels(section: bytes) -> tuple[str, str]:
    """The levels "automatic" and "latest" from a shim's .sbatlevel section; the original one, twice, for none."""
    if len(section) < 12:
        return ORIGINAL, ORIGINAL
    offsets = (int.from_bytes(section[place : place + 4], "little") for place in (4, 8))
    automatic, latest = (section[4 + offset :].split(b"\0", 1)[0].decode("latin-1") for offset in offsets)
    return automatic, latest
