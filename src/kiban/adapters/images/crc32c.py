# SPDX-License-Identifier: GPL-2.0-or-later
"""CRC-32C (Castagnoli), which VHDX uses and Python's standard library does not have."""

from __future__ import annotations


def _table() -> tuple[int, ...]:
    values = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901 - the bits are shifted out in place
        values.append(value)
    return tuple(values)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of `data`, by table; some MB a second."""
    table, crc = _TABLE, 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
