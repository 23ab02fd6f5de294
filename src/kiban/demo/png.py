# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of guests' screens: their pixels, their colours, and the firmware's "Access Denied" where it stands on them.

PNG as in ISO/IEC 15948, as far as QEMU's screendump uses it: 8 bits, RGB, not interlaced.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter

from kiban.errors import BadInput

MAX_PIXELS = 16 << 20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LIT = bytes(level >= 64 for level in range(256))

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""Left, top, width and height, in pixels."""

# "Access Denied" as OVMF's fixed font draws it: 8 columns to a letter, a bit for each pixel, read off a guest's screen.
_DENIED = (
    *("10000000000000f8000000001c", "380000000000006c000018000c", "6c00000000000066000018000c"),
    *("c600000000000066000000000c", "c67c7c7c7c7c00667cdc387c3c", "c6c6c6c6c6c60066c66618c66c"),
    *("fec0c0c6c0c00066c66618c6cc", "c6c0c0fe7c7c0066fe6618fecc", "c6c0c0c006060066c06618c0cc"),
    *("c6c0c0c006060066c06618c0cc", "c6c6c6c6c6c6006cc66618c6cc", "c67c7c7c7c7c00f87c663c7c7e"),
)
_WORDS = [bytes(int(bit) for bit in f"{int(line, 16):0{4 * len(line)}b}") for line in _DENIED]


@dataclass(frozen=True)
class Picture:
    """A screen; each row holds three bytes for each pixel: red, green, blue."""

    width: int
    height: int
    rows: list[bytes]

    def commonest(self) -> tuple[Colour, float]:
        """The colour that most pixels have, and the part of the screen that has it."""
        count: Counter[Colour] = Counter()
        for row in self.rows:
            count.update(zip(row[0::3], row[1::3], row[2::3], strict=True))
        colour, number = max(count.items(), key=itemgetter(1))
        return colour, number / (self.width * self.height)

    def has(self, colour: Colour) -> bool:
        """Whether any pixel has the colour."""
        return any(colour in zip(row[0::3], row[1::3], row[2::3], strict=True) for row in self.rows)

    def access_denied(self) -> Box | None:
        """Where OVMF's words "Access Denied" stand, or None."""
        lit = [row[1::3].translate(_LIT) for row in self.rows]
        first, *rest = _WORDS
        for top in range(self.height - len(rest)):
            left = lit[top].find(first)
            while left >= 0:
                if all(lit[top + n].startswith(word, left) for n, word in enumerate(rest, 1)):
                    return left, top, len(first), len(_WORDS)
                left = lit[top].find(first, left + 1)
        return None


def decode(png: bytes) -> Picture:
    """The picture in a PNG as QEMU writes it; BadInput for anything else."""
    try:
        header, data = _chunks(png)
        width, height, *form = struct.unpack(">IIBBBBB", header)
        if form != [8, 2, 0, 0, 0] or not 0 < width * height <= MAX_PIXELS:
            raise BadInput("This PNG is no picture of a guest's screen.")
        size = height * (3 * width + 1)
        raw = zlib.decompressobj().decompress(data, size)
        if len(raw) != size:
            raise BadInput("The picture of the guest's screen is cut off.")
        return Picture(width, height, _unfiltered(raw, 3 * width))
    except (struct.error, zlib.error) as error:
        raise BadInput(f"The picture of the guest's screen cannot be read: {error}.") from error


def _chunks(png: bytes) -> tuple[bytes, bytes]:
    """The header's body, and the bodies of all data chunks together."""
    if not png.startswith(_SIGNATURE):
        raise BadInput("The picture of the guest's screen is no PNG.")
    at, header, data = len(_SIGNATURE), b"", []
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            data.append(body)
        at += length + 12
    return header, b"".join(data)


def _unfiltered(raw: bytes, stride: int) -> list[bytes]:
    rows, above = [], bytes(stride)
    for at in range(0, len(raw), stride + 1):
        above = _row(raw[at], raw[at + 1 : at + 1 + stride], above)
        rows.append(above)
    return rows


def _row(kind: int, line: bytes, above: bytes) -> bytes:
    """A row without its filter. Most rows of a text screen are plain or empty, so those are quick."""
    if kind == 0:
        return line
    if kind == 1:
        channels = [accumulate(line[c::3], _add) for c in range(3)]
        return bytes(value for pixel in zip(*channels, strict=True) for value in pixel)
    if kind == 2:
        return bytes((step + up) & 255 for step, up in zip(line, above, strict=True)) if any(line) else above
    if kind in (3, 4):
        return _predicted(kind, bytearray(line), above)
    raise BadInput("The picture of the guest's screen has a filter that PNG does not know.")


def _add(left: int, step: int) -> int:
    return (left + step) & 255


def _predicted(kind: int, line: bytearray, above: bytes) -> bytes:
    for at, up in enumerate(above):
        left, corner = (line[at - 3], above[at - 3]) if at >= 3 else (0, 0)
        guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
        line[at] = (line[at] + guess) & 255
    return bytes(line)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    by_left, by_up, by_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
