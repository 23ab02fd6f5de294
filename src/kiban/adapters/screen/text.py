# SPDX-License-Identifier: GPL-2.0-or-later
"""The text that UEFI firmware has written on a screen, read back exactly: each cell of its console is a known glyph.

The console of EDK2's graphics driver, which shim, MokManager and GRUB's console write through too: one font of 8 by 19
pixels, its grid of columns and rows centred on the screen. The glyphs are in firmware_font.json, photographed from a
running firmware by tests/guest/firmware_font.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kiban.errors import Damaged

WIDTH, HEIGHT = 8, 19
MAX_PIXELS = 1 << 24
_HEADER = 64  # bytes; QEMU's is under 20
_MODES = ((80, 25), (100, 31), (128, 40), (80, 50))
"""Columns and rows that a loader may have asked for, besides as many as the screen holds."""
# green tells all colours that firmware and shim write in from all that they write on: black, blue and red have none
_LIT = b"0" * 64 + b"1" * 192


@dataclass(frozen=True)
class Text:
    """What is written on a screen of `width` by `height` pixels: rows of equal length, blanks where nothing is read."""

    width: int
    height: int
    rows: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The rows as a person reads them: without blanks at their end, and without the empty ones."""
        return tuple(row.rstrip() for row in self.rows if row.strip())

    @property
    def flow(self) -> str:
        """All rows in one, so that what was broken at the edge of the screen is whole."""
        return "".join(self.rows)


def read(ppm: bytes) -> Text:
    """The text on a screen, from its picture as QEMU's screendump writes it (binary PPM, 8 bits, netpbm's ppm(5)).

    Damaged when this is no such picture.
    """
    width, height, start = _header(ppm)
    stride = 3 * width
    lit = [ppm[start + y * stride + 1 : start + (y + 1) * stride : 3].translate(_LIT) for y in range(height)]
    best, most = Text(width, height), 0
    for columns, rows in dict.fromkeys(((width // WIDTH, height // HEIGHT), *_MODES)):
        left, top = (width - columns * WIDTH) // 2, (height - rows * HEIGHT) // 2
        if columns > 0 and rows > 0 and left >= 0 and top >= 0:
            grid = _grid(lit, left, top, columns, rows)
            found = sum(sum(map(str.isalnum, row)) for row in grid)
            if found > most:
                best, most = Text(width, height, grid), found
            if found > _SURE:
                break
    return best


_SURE = 40  # letters; a grid that is off by a pixel finds a handful at most


def _header(ppm: bytes) -> tuple[int, int, int]:
    """Width, height and where the pixels begin."""
    fields = ppm[:_HEADER].split(maxsplit=4)
    if len(fields) < 4 or fields[0] != b"P6" or fields[3] != b"255" or not (fields[1] + fields[2]).isdigit():
        raise Damaged("QEMU's picture of the screen is no PPM.")
    width, height = int(fields[1]), int(fields[2])
    start = ppm.index(b"255", ppm.index(fields[2], len(fields[1]) + 3)) + 4
    if not 0 < width * height <= MAX_PIXELS or len(ppm) < start + 3 * width * height:
        raise Damaged("QEMU's picture of the screen is cut off.")
    return width, height, start


def _grid(lit: Sequence[bytes], left: int, top: int, columns: int, rows: int) -> tuple[str, ...]:
    """What stands in one grid of cells."""
    return tuple(_row(lit[y : y + HEIGHT], left, columns) for y in range(top, top + rows * HEIGHT, HEIGHT))


def _row(lines: Sequence[bytes], left: int, columns: int) -> str:
    font, end = _font(), left + columns * WIDTH
    if not any(b"1" in line[left:end] for line in lines):
        return " " * columns
    # eight pixels become one byte, so that a column of bytes is a glyph
    cells = zip(*(int(line[left:end], 2).to_bytes(columns) for line in lines), strict=True)
    return "".join(font.get(cell, " ") for cell in cells)


@cache
def _font() -> dict[tuple[int, ...], str]:
    """Characters by their glyphs, each also as dark on light."""
    path = files("kiban.adapters.screen") / "firmware_font.json"
    glyphs = {character: bytes.fromhex(glyph) for character, glyph in json.loads(path.read_text())["glyphs"].items()}
    return dict(_both(glyphs))


def _both(glyphs: dict[str, bytes]) -> Iterator[tuple[tuple[int, ...], str]]:
    for character, glyph in glyphs.items():
        yield tuple(255 - line for line in glyph), character
        yield tuple(glyph), character
