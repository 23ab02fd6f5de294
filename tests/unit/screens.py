# SPDX-License-Identifier: GPL-2.0-or-later
"""Screens for tests: some of real firmware, kept by tests/guest/test_boot_watch.py, and others drawn in its font."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

FOLDER = Path(__file__).with_name("screens")
GLYPHS: dict[str, str] = json.loads((files("kiban.adapters.screen") / "firmware_font.json").read_text())["glyphs"]
INK, PAPER = b"\xaa\xaa\xaa", b"\x00\x00\x00"


def real(name: str) -> bytes:
    """A screen as QEMU gave it."""
    return lzma.decompress((FOLDER / f"{name}.ppm.xz").read_bytes())


def drawn(
    lines: Sequence[str],
    *,
    size: tuple[int, int] = (1280, 800),
    grid: tuple[int, int] = (0, 0),
    ink: bytes = INK,
    paper: bytes = PAPER,
) -> bytes:
    """A screen with `lines` at its top, in the firmware's font; `grid` is columns and rows, (0, 0) for all that fit."""
    width, height = size
    columns, rows = grid if grid[0] else (width // 8, height // 19)
    left, top = (width - columns * 8) // 2, (height - rows * 19) // 2
    pixels = [[paper] * width for _ in range(height)]
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            for y, bits in enumerate(bytes.fromhex(GLYPHS.get(character, "00" * 19))):
                for x in range(8):
                    if bits & 128 >> x:
                        pixels[top + row * 19 + y][left + column * 8 + x] = ink
    return b"P6\n%d %d\n255\n" % size + b"".join(b"".join(line) for line in pixels)
