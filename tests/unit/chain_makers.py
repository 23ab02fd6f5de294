# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes chains of VHDX and VHD after [MS-VHDX] and Microsoft's VHD specification, and what they hold, independently.

A disk is described by what was written to it, sector by sector; the image is one way to tell that, `contents` another.
"""

from __future__ import annotations

import random
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiban.adapters.images.crc32c import crc32c

MIB = 1 << 20
BAT, METADATA = "2dc27766-f623-4200-9d64-115e9bfd4a08", "8b7ca206-4790-4b9a-b8fe-575f050f886e"
NEVER_READ = b"\xee"  # where the sectors of a parent would be
LOCATOR = "b04aefb7-d19e-4a81-b789-25b8e9445913"


@dataclass
class Made:
    """One disk of a chain: bytes written at sector borders, blocks made zero, in states of their own.

    `writes` are done first; `zeroed` blocks (number: state of [MS-VHDX], 1 to 3) are VHDX's only. A block whose
    sectors were all written is told as fully present.
    """

    size: int
    block: int = MIB
    sector: int = 512
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    zeroed: dict[int, int] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def blocks(self, filler: bytes) -> dict[int, tuple[bytearray, list[bool]]]:
        """The data of each block that was written to, `filler` where it was not, and which of its sectors were."""
        found: dict[int, tuple[bytearray, list[bool]]] = {}
        for offset, data in self.writes:
            assert offset % self.sector == len(data) % self.sector == 0
            for at in range(offset, offset + len(data), self.sector):
                number, within = divmod(at, self.block)
                if number not in found:
                    found[number] = (bytearray(filler * self.block), [False] * (self.block // self.sector))
                found[number][0][within : within + self.sector] = data[at - offset :][: self.sector]
                found[number][1][within // self.sector] = True
        return {number: block for number, block in found.items() if number not in self.zeroed}


def contents(chain: Sequence[Made]) -> bytes:
    """What the first disk of the chain holds, put together write by write from the last one on."""
    disk = bytearray()
    for made in reversed(chain):
        disk = disk[: made.size].ljust(made.size, b"\0")
        for offset, data in made.writes:
            disk[offset : offset + len(data)] = data
        for number in made.zeroed:
            end = min(made.size, (number + 1) * made.block)
            disk[number * made.block : end] = bytes(end - number * made.block)
    return bytes(disk)


def scribbled(rng: random.Random, size: int, *, block: int = MIB, sector: int = 512) -> Made:
    """A disk with writes of all lengths at random places, and one block written whole."""
    made = Made(size, block, sector)
    sectors = size // made.sector
    for most in (1, 1, 3, 40, 40, 700):
        first = rng.randrange(sectors)
        count = min(sectors - first, rng.randint(1, most))
        made.writes.append((first * made.sector, rng.randbytes(count * made.sector)))
    whole = rng.randrange(size // made.block) * made.block
    made.writes.append((whole, rng.randbytes(made.block)))
    return made


def guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


def _sealed(block: bytearray) -> bytes:
    struct.pack_into("<I", block, 4, crc32c(bytes(block)))
    return bytes(block)


# VHDX


def vhdx(path: Path, made: Made, parent: Made | None = None, *, locator: dict[str, str] | None = None) -> Path:
    """The disk as a VHDX file, whose headers, log, metadata and block table lie as Hyper-V places them.

    The locator names `parent` by its id and `..\\parent.vhdx`-like paths, unless it is given.
    """
    if parent is not None and locator is None:
        locator = {"relative_path": ".\\parent.vhdx"}
    if parent is not None and locator is not None:
        locator = {"parent_linkage": f"{{{parent.id}}}"} | locator
    chunk = (made.sector << 23) // made.block
    count = -(-made.size // made.block)
    entries = -(-count // chunk) * (chunk + 1) if locator else count + (count - 1) // chunk
    table_size = -(-8 * entries // MIB) * MIB
    with path.open("wb") as file:
        file.write(b"vhdxfile" + "independent".encode("utf-16-le"))
        for sequence, at in enumerate((64 << 10, 128 << 10)):
            file.seek(at)
            file.write(_header(made, sequence))
        for at in (192 << 10, 256 << 10):
            file.seek(at)
            file.write(_regions(table_size))
        file.seek(2 * MIB)
        file.write(_metadata(made, locator))
        file.truncate(3 * MIB + table_size)
        end = _blocks(file, made, 3 * MIB + table_size, parent=locator is not None)
        file.truncate(end)
    return path


def _header(made: Made, sequence: int) -> bytes:
    block = bytearray(4096)
    struct.pack_into("<4sIQ16s16s", block, 0, b"head", 0, sequence, uuid.uuid4().bytes_le, made.id.bytes_le)
    struct.pack_into("<16sHHIQ", block, 48, bytes(16), 0, 1, MIB, MIB)
    return _sealed(block)


def _regions(table_size: int) -> bytes:
    block = bytearray(64 << 10)
    struct.pack_into("<4sII", block, 0, b"regi", 0, 2)
    struct.pack_into("<16sQII", block, 16, guid(BAT), 3 * MIB, table_size, 1)
    struct.pack_into("<16sQII", block, 48, guid(METADATA), 2 * MIB, MIB, 1)
    return _sealed(block)


def _metadata(made: Made, locator: dict[str, str] | None) -> bytes:
    items = [
        ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", struct.pack("<II", made.block, 2 if locator else 0), 4),
        ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", struct.pack("<Q", made.size), 6),
        ("beca12ab-b2e6-4523-93ef-c309e000c746", uuid.uuid4().bytes_le, 6),
        ("8141bf1d-a96f-4709-ba47-f233a8faab5f", struct.pack("<I", made.sector), 6),
        ("cda348c7-445d-4471-9cc9-e9885251c556", struct.pack("<I", 4096), 6),
    ]
    if locator:
        items.append(("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", _locator(locator), 4))
    region = bytearray(MIB)
    struct.pack_into("<8sHH", region, 0, b"metadata", 0, len(items))
    at = 64 << 10
    for number, (item, data, flags) in enumerate(items):
        struct.pack_into("<16sIII", region, 32 + 32 * number, guid(item), at, len(data), flags)
        region[at : at + len(data)] = data
        at += len(data)
    return bytes(region)


def _locator(pairs: dict[str, str]) -> bytes:
    table, texts = b"", b""
    base = 20 + 12 * len(pairs)
    for key, value in pairs.items():
        raw_key, raw_value = key.encode("utf-16-le"), value.encode("utf-16-le", "surrogatepass")
        key_at = base + len(texts)
        table += struct.pack("<IIHH", key_at, key_at + len(raw_key), len(raw_key), len(raw_value))
        texts += raw_key + raw_value
    return struct.pack("<16sHH", guid(LOCATOR), 0, len(pairs)) + table + texts


def _blocks(file, made: Made, end: int, *, parent: bool) -> int:  # type: ignore[no-untyped-def]  # an open file
    """Write blocks, bitmaps and their entries; where the file ends."""
    bitmaps: dict[int, int] = {}
    chunk = (made.sector << 23) // made.block

    def entry(index: int, state: int, place: int) -> None:
        file.seek(3 * MIB + 8 * index)
        file.write(struct.pack("<Q", place | state))

    for number, state in made.zeroed.items():
        entry(number + number // chunk, state, 0)
    for number, (data, written) in made.blocks(NEVER_READ if parent else b"\0").items():
        place, end = end, end + made.block
        file.seek(place)
        file.write(data)
        whole = not parent or all(written[: max(0, made.size - number * made.block) // made.sector])
        entry(number + number // chunk, 6 if whole else 7, place)
        if whole:
            continue
        group = number // chunk
        if group not in bitmaps:
            bitmaps[group], end = end, end + MIB
            entry(group * (chunk + 1) + chunk, 6, bitmaps[group])
        bits = sum(1 << index for index, bit in enumerate(written) if bit)
        file.seek(bitmaps[group] + (number % chunk) * len(written) // 8)
        file.write(bits.to_bytes(len(written) // 8, "little"))
    return end


# VHD


def vhd(
    path: Path,
    made: Made,
    parent: Made | None = None,
    *,
    stamp: int = 0,
    relative: str = ".\\parent.vhd",
    name: str = "C:\\disks\\parent.vhd",
) -> Path:
    """The disk as a dynamic VHD file, or a differencing one; `stamp` is the parent's time, seconds since 2000."""
    count = -(-made.size // made.block)
    table_size = -(-4 * count // 512) * 512
    texts = (relative.encode("utf-16-le"), name.encode("utf-16-le"))
    bitmap = -(-made.block // 512 // 8 // 512) * 512
    footer = _footer(made, 4 if parent else 3)
    end = 2048 + table_size + 1024
    with path.open("wb") as file:
        file.write(footer)
        file.write(_sparse_header(made, parent, stamp=stamp, name=name, texts=texts))
        file.seek(2048)
        file.write(b"\xff" * table_size)
        for index, text in enumerate(texts):
            file.seek(2048 + table_size + 512 * index)
            file.write(text)
        for number, (data, written) in made.blocks(NEVER_READ if parent else b"\0").items():
            file.seek(2048 + 4 * number)
            file.write(struct.pack(">I", end // 512))
            file.seek(end)
            bits = "".join("1" if bit else "0" for bit in written)
            file.write(int(bits, 2).to_bytes(len(written) // 8, "big").ljust(bitmap, b"\0") + data)
            end += bitmap + made.block
        file.seek(end)
        file.write(footer)
    return path


def _footer(made: Made, kind: int) -> bytes:
    block = bytearray(512)
    struct.pack_into(">8sIIQI4sI4s", block, 0, b"conectix", 2, 0x10000, 512, 700_000_000, b"win ", 0xA0000, b"Wi2k")
    struct.pack_into(">QQHBBI", block, 40, made.size, made.size, 10, 4, 17, kind)
    block[68:84] = made.id.bytes
    struct.pack_into(">I", block, 64, ~sum(block) & 0xFFFFFFFF)
    return bytes(block)


def _sparse_header(made: Made, parent: Made | None, *, stamp: int, name: str, texts: Sequence[bytes]) -> bytes:
    count = -(-made.size // made.block)
    texts_at = 2048 + -(-4 * count // 512) * 512
    block = bytearray(1024)
    struct.pack_into(">8sQQIII", block, 0, b"cxsparse", 0xFFFFFFFFFFFFFFFF, 2048, 0x10000, count, made.block)
    if parent:
        struct.pack_into(">16sI", block, 40, parent.id.bytes, stamp)
        raw = name.encode("utf-16-be")
        block[64 : 64 + len(raw)] = raw
        for index, (code, text) in enumerate(zip((b"W2ru", b"W2ku"), texts, strict=True)):
            struct.pack_into(">4sIIIQ", block, 576 + 24 * index, code, 512, len(text), 0, texts_at + 512 * index)
    struct.pack_into(">I", block, 36, ~sum(block) & 0xFFFFFFFF)
    return bytes(block)
