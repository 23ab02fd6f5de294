# SPDX-License-Identifier: GPL-2.0-or-later
"""What the formats have in common: a disk pieced together from blocks of the image file, zeros where there are none."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kiban.adapters.images.source import Budget, Source, check_range


class Mapped(ABC):
    """A disk of `size` bytes in blocks of `block_size` bytes, the last of which may be cut off.

    A subclass says what a block holds; reads across blocks are put together here.
    """

    def __init__(self, source: Source, size: int, block_size: int) -> None:
        self.size = size
        self._source = source
        self._block_size = block_size

    @property
    def budget(self) -> Budget:
        return self._source.budget

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        pieces = []
        end = offset + length
        while offset < end:
            number, within = divmod(offset, self._block_size)
            count = min(self._block_size - within, end - offset)
            self.budget.step()
            pieces.append(self._read_block(number, within, count))
            offset += count
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @abstractmethod
    def _read_block(self, number: int, within: int, length: int) -> bytes:
        """`length` bytes of block `number`, from byte `within` of it."""

    def _zeros(self, length: int) -> bytes:
        self.budget.charge(length)
        return bytes(length)


def shown_name(raw: bytes, encoding: str) -> str:
    """A file name from a hostile header, made fit for a terminal; "" if there is none."""
    text = raw.decode(encoding, errors="replace").split("\0", 1)[0]
    return "".join(c for c in text if c.isprintable())[:255]
