# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes VHDX images that no tool here makes: not closed properly, with a parent, with checksums after changes."""

from __future__ import annotations

import struct

from disk_makers import MIB, RANDOM

from kiban.adapters.images.crc32c import crc32c


def seal(image: bytearray, at: int, length: int) -> None:
    """Write the checksum of a header or region table anew."""
    image[at + 4 : at + 8] = bytes(4)
    struct.pack_into("<I", image, at + 4, crc32c(bytes(image[at : at + length])))


def metadata_item(image: bytearray, number: int) -> int:
    """Where the contents of an item lie in an image of qemu-img's: file parameters, size, page 83, sectors."""
    region = next(
        struct.unpack_from("<16sQ", image, at)[1]
        for at in range((192 << 10) + 16, (192 << 10) + 80, 32)
        if image[at : at + 4] == b"\x06\xa2\x7c\x8b"
    )
    return int(region + struct.unpack_from("<I", image, region + 32 + 32 * number + 16)[0])


def add_locator(image: bytearray, key: str, value: str) -> None:
    """A parent locator with one pair, as another item of the metadata."""
    region = metadata_item(image, 0) - (64 << 10)
    (count,) = struct.unpack_from("<H", image, region + 10)
    struct.pack_into("<H", image, region + 10, count + 1)
    guid = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")
    struct.pack_into("<16sIII", image, region + 32 + 32 * count, guid, 128 << 10, 200, 4)
    at = region + (128 << 10)
    raw_key, raw_value = key.encode("utf-16-le"), value.encode("utf-16-le")
    kind = bytes.fromhex("b7ef4ab09ed1814ab78925b8e9445913")
    struct.pack_into("<16sHH", image, at, kind, 0, 1)
    struct.pack_into("<IIHH", image, at + 20, 40, 40 + len(raw_key), len(raw_key), len(raw_value))
    image[at + 40 : at + 40 + len(raw_key) + len(raw_value)] = raw_key + raw_value


LOG_ID = bytes(range(1, 17))


def log_entry(number: int, tail: int, patches: list[tuple[int, bytes | int]], size: int) -> bytes:
    """One entry; a patch is 4 KiB of data at an offset, or a number of bytes to zero there."""
    descriptors, units = b"", b""
    for offset, what in patches:
        if isinstance(what, int):
            descriptors += struct.pack("<4s4sQQQ", b"zero", b"", what, offset, number)
            continue
        descriptors += struct.pack("<4s4s8sQQ", b"desc", what[4092:], what[:8], offset, number)
        units += struct.pack("<4sI4084sI", b"data", number >> 32, what[8:4092], number & 0xFFFFFFFF)
    length = 4096 + len(units)
    head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, tail, number, len(patches), 0, LOG_ID, size, size)
    entry = bytearray((head + descriptors).ljust(4096, b"\0") + units)
    struct.pack_into("<I", entry, 4, crc32c(bytes(entry)))
    return bytes(entry)


def with_log(image: bytearray, place: int, entries: list[bytes]) -> None:
    """Put entries into the ring from `place` on, and a log id into the headers."""
    for at in (64 << 10, 128 << 10):
        image[at + 48 : at + 64] = LOG_ID
        seal(image, at, 4096)
    size, start = struct.unpack_from("<IQ", image, (64 << 10) + 68)
    for entry in entries:
        first = min(len(entry), size - place)
        image[start + place : start + place + first] = entry[:first]
        image[start : start + len(entry) - first] = entry[first:]
        place = (place + len(entry)) % size


def payload_start(image: bytearray) -> int:
    """Where the first block with data lies in an image of qemu-img's."""
    return next(at for at in range(4 * MIB, len(image), MIB) if any(image[at : at + MIB]))


def dirty_vhdx(clean: bytearray, place: int) -> bytearray:
    """The image with two entries in its log from `place` on, and one of an older run behind them."""
    image = clean[:]
    data, size = payload_start(image), len(image)
    rng = RANDOM(2)
    second = (place + 3 * 4096) % MIB
    entries = [
        log_entry(41, place, [(data, rng.randbytes(4096)), (data + 8192, rng.randbytes(4096))], size),
        log_entry(42, place, [(data + 8192, 4096), (data + 65536, rng.randbytes(4096))], size),
    ]
    with_log(image, place, entries)
    with_log(image, (second + 2 * 4096) % MIB, [log_entry(7, place, [(data, 4096)], size)])
    return image
