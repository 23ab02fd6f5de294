# SPDX-License-Identifier: GPL-2.0-or-later
"""The glyphs of the firmware's font, photographed: GRUB writes all printable ASCII through the firmware's console.

Run the test of it with KIBAN_FONT naming a file to have them written there, as they are kept in
src/kiban/adapters/screen/firmware_font.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from kiban.demo.png import Picture

CHARACTERS = "".join(map(chr, range(33, 127)))
WIDTH, HEIGHT, TOP = 8, 19, 1
"""Of a cell; and where the first row of 42 begins on a screen of 800 pixels."""


def grub_cfg() -> str:
    """What GRUB has to do to show them in the first row."""
    quoted = "'" + CHARACTERS.replace("'", "'\"'\"'") + "'"
    return f"set timeout=0\nterminal_output console\nclear\necho {quoted}\nsleep 9999\n"


def glyphs(picture: Picture) -> dict[str, str]:
    """Each character's rows of pixels, a byte to a row, in hex."""
    assert (picture.width, picture.height) == (1280, 800)
    lit = [bytes(level >= 64 for level in row[1::3]) for row in picture.rows[TOP : TOP + HEIGHT]]
    return {
        character: bytes(_bits(row[place * WIDTH : (place + 1) * WIDTH]) for row in lit).hex()
        for place, character in enumerate(CHARACTERS)
    }


def _bits(pixels: bytes) -> int:
    return int("".join(map(str, pixels)), 2)


def write(path: Path, found: dict[str, str]) -> None:
    """Keep them as the package has them."""
    path.write_text(json.dumps({"glyphs": found}, indent=1))
