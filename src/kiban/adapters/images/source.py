# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes to read from: a file that is already open, a part of another source, and what may be read of them at all.

Media are hostile: a few bytes can name a file of many gigabytes or a chain without an end. So all sources of one
question share a budget, and a reader that would exceed it fails instead of working on.
"""

from __future__ import annotations

import os
from typing import Protocol

from kiban.errors import Damaged

READ_LIMIT = 64 << 20  # bytes of a single read; who wants more reads in pieces
_PAGE = 4096
_PAGES_KEPT = 1024


class Source(Protocol):
    """Something of a fixed size that can be read anywhere: a file, a disk, a partition, a file on it.

    `size` is in bytes. `read` returns exactly the bytes asked for, or raises Damaged when they lie beyond the end, are
    more than READ_LIMIT, or cost more than the budget has left.
    """

    @property
    def size(self) -> int: ...

    @property
    def budget(self) -> Budget: ...

    def read(self, offset: int, length: int) -> bytes: ...


class Budget:
    """What answering one question may cost, shared by all sources that it reads.

    Args:
        max_bytes: to read from files, unpack and make up as zeros, together.
        max_reads: single reads, those from the cache too; they bound the time.

    `bytes_read` and `reads` count what came from files so far and how often it was read.
    """

    def __init__(self, max_bytes: int = 1 << 30, max_reads: int = 1_000_000) -> None:
        self.bytes_read = 0
        self.reads = 0
        self._bytes_left = max_bytes
        self._reads_left = max_reads

    def step(self) -> None:
        """Pay for one read, whatever its length."""
        self.reads += 1
        if self.reads > self._reads_left:
            raise Damaged("Reading it takes more than so many steps that it cannot be a medium to boot from.")

    def charge(self, length: int) -> None:
        """Pay for bytes that cost memory or time without being read: zeros, unpacked data, checksums."""
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise Damaged("Answering this reads more than a boot loader and its files can need.")

    def charge_read(self, length: int) -> None:
        """Pay for bytes that come from a file."""
        self.charge(length)
        self.bytes_read += length


def check_range(size: int, offset: int, length: int) -> None:
    """Damaged unless `length` bytes from `offset` lie within `size` bytes, and are few enough for a single read."""
    if length > READ_LIMIT:
        raise Damaged(f"It names a piece of {length} bytes, which is too large to read at once.")
    if offset < 0 or length < 0 or offset + length > size:
        raise Damaged(f"It ends at byte {size}, but names bytes {offset} to {offset + length}.")


class FileSource:
    """A file by its descriptor, read by position only, so that the descriptor may be shared.

    Args:
        descriptor: open for reading; it stays the caller's.
        size: in bytes, where the caller knows it; a block device has none of its own.
        budget: shared with the other sources of the question.
    """

    def __init__(self, descriptor: int, size: int | None = None, budget: Budget | None = None) -> None:
        self.size = os.fstat(descriptor).st_size if size is None else size
        self.budget = budget or Budget()
        self._descriptor = descriptor
        self._pages: dict[int, bytes] = {}

    @property
    def bytes_read(self) -> int:
        """What all sources that share the budget have read from files, in bytes."""
        return self.budget.bytes_read

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        self.budget.step()
        if length > _PAGE:
            return self._pread(offset, length)
        first, last = offset // _PAGE, max(offset, offset + length - 1) // _PAGE
        data = b"".join(self._page(number) for number in range(first, last + 1))
        return data[offset - first * _PAGE :][:length]

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill `view` from byte `offset`, past the cache and without a copy; Damaged as for `read`."""
        check_range(self.size, offset, len(view))
        self.budget.step()
        self.budget.charge_read(len(view))
        done = 0
        while done < len(view):
            try:
                count = os.preadv(self._descriptor, [view[done:]], offset + done)
            except OSError as error:
                raise Damaged(f"Byte {offset} cannot be read: {error.strerror}.") from error
            if not count:
                raise Damaged(f"It ends before byte {offset + len(view)}, though it was longer when it was opened.")
            done += count

    def _page(self, number: int) -> bytes:
        """A page from the cache, which drops the one that was not used for longest."""
        page = self._pages.pop(number, None)
        if page is None:
            start = number * _PAGE
            page = self._pread(start, max(0, min(_PAGE, self.size - start)))
            if len(self._pages) >= _PAGES_KEPT:
                del self._pages[next(iter(self._pages))]
        self._pages[number] = page
        return page

    def _pread(self, offset: int, length: int) -> bytes:
        self.budget.charge_read(length)
        pieces: list[bytes] = []
        missing = length
        while missing:
            try:
                piece = os.pread(self._descriptor, missing, offset + length - missing)
            except OSError as error:
                raise Damaged(f"Byte {offset} cannot be read: {error.strerror}.") from error
            if not piece:
                raise Damaged(f"It ends before byte {offset + length}, though it was longer when it was opened.")
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


class Window:
    """A part of another source: `size` bytes from byte `start`. Damaged unless it lies within the other."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        if start < 0 or size < 0 or start + size > source.size:
            raise Damaged(f"It ends at byte {source.size}, but a part of it is said to end at byte {start + size}.")
        self.size = size
        self._source = source
        self._start = start

    @property
    def budget(self) -> Budget:
        return self._source.budget

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        return self._source.read(self._start + offset, length)


class Memory:
    """Bytes that are in memory already."""

    def __init__(self, data: bytes, budget: Budget | None = None) -> None:
        self.size = len(data)
        self.budget = budget or Budget()
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        check_range(self.size, offset, length)
        self.budget.step()
        return self._data[offset : offset + length]
