# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the text on a VGA text screen from its picture, with the font that QEMU's own video BIOS draws it in."""

from __future__ import annotations

from pathlib import Path

from kiban.demo.png import decode

VGABIOS = Path("/usr/share/seabios/vgabios-stdvga.bin")
LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")
COLUMNS, ROWS, HEIGHT = 80, 25, 16


def read_text(png: bytes) -> str:
    """The lines of an 80 by 25 text screen; empty for a picture of another size."""
    screen = decode(png)
    if screen.width % COLUMNS or screen.height != ROWS * HEIGHT:
        return ""
    font, cell = _font(), screen.width // COLUMNS
    rows = (
        "".join(font.get(_glyph(screen.rows, column * cell, row * HEIGHT), " ") for column in range(COLUMNS)).rstrip()
        for row in range(ROWS)
    )
    return "\n".join(rows)


def _font() -> dict[bytes, str]:
    rom = VGABIOS.read_bytes()
    start = rom.index(LETTER_A) - ord("A") * HEIGHT
    return {rom[start + c * HEIGHT : start + (c + 1) * HEIGHT]: chr(c) for c in range(126, 31, -1)}


def _glyph(lines: list[bytes], x: int, y: int) -> bytes:
    """The cell's pixels as the font has them: eight to a byte, lit or not; the cell's first pixel is background."""
    ground = lines[y][3 * x : 3 * x + 3]
    return bytes(
        sum(128 >> bit for bit in range(8) if lines[y + line][3 * (x + bit) : 3 * (x + bit) + 3] != ground)
        for line in range(HEIGHT)
    )
