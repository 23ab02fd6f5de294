# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the text on a VGA text screen from its picture, with the font that QEMU's own video BIOS draws it in.

PNG as in ISO/IEC 15948, as far as QEMU's screendump uses it: 8 bits, RGB, not interlaced.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

VGABIOS = Path("/usr/share/seabios/vgabios-stdvga.bin")
LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")
COLUMNS, ROWS, HEIGHT = 80, 25, 16


def read_text(png: bytes) -> str:
    """The lines of an 80 by 25 text screen; empty for a picture of another size."""
    width, height, lines = _pixels(png)
    if width % COLUMNS or height != ROWS * HEIGHT:
        return ""
    font, cell = _font(), width // COLUMNS
    rows = (
        "".join(font.get(_glyph(lines, column * cell, row * HEIGHT), " ") for column in range(COLUMNS)).rstrip()
        for row in range(ROWS)
    )
    return "\n".join(rows)


def _font() -> dict[bytes, str]:
    rom = VGABIOS.read_bytes()
    start = rom.index(LETTER_A) - ord("A") * HEIGHT
    return {rom[start + c * HEIGHT : start + (c + 1) * HEIGHT]: chr(c) for c in range(126, 31, -1)}


def _glyph(lines: list[bytearray], x: int, y: int) -> bytes:
    """The cell's pixels as the font has them: eight to a byte, lit or not; the cell's first pixel is background."""
    ground = lines[y][3 * x : 3 * x + 3]
    return bytes(
        sum(128 >> bit for bit in range(8) if lines[y + line][3 * (x + bit) : 3 * (x + bit) + 3] != ground)
        for line in range(HEIGHT)
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _pixels(png: bytes) -> tuple[int, int, list[bytearray]]:
    chunks = list(_chunks(png))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, colour, interlaced) == (8, 2, 0), "not a picture by screendump"
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    stride, before, lines = 3 * width, bytearray(3 * width), []
    for row in range(height):
        at = row * (stride + 1)
        before = _unfilter(data[at], bytearray(data[at + 1 : at + 1 + stride]), before)
        lines.append(before)
    return width, height, lines


def _unfilter(kind: int, line: bytearray, above: bytearray) -> bytearray:
    for i in range(len(line)) if kind else ():
        left, up = (line[i - 3] if i >= 3 else 0), above[i]
        corner = above[i - 3] if i >= 3 else 0
        line[i] = (line[i] + (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]) & 255
    return line


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
