# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes to read from: an open file, a part of one, or memory. Reads outside of it are errors, never short answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiban.adapters.files import open_regular
from kiban.errors import BadInput

DAMAGED_HINT = "Take the file from its source again."


def damaged(name: str, what: str) -> BadInput:
    """The one error for a file that contradicts itself."""
    return BadInput(f"{name} is damaged: {what}.", DAMAGED_HINT, code="damaged-description")


class Blob:
    """Bytes with a name for errors; `read` is at an offset, so no position is shared."""

    def __init__(self, source: int | bytes, name: str, *, offset: int = 0, size: int | None = None) -> None:
        """Take a descriptor, which stays the caller's, or bytes; `offset` and `size` name a part of it."""
        self.name = name
        self._source = source
        self._offset = offset
        whole = os.fstat(source).st_size if isinstance(source, int) else len(source)
        self.size = whole - offset if size is None else size
        if offset < 0 or self.size < 0 or offset + self.size > whole:
            raise damaged(name, "it is shorter than it says")

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; BadInput when they are not all there."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise damaged(self.name, "something in it points behind its end")
        start = self._offset + offset
        if isinstance(self._source, bytes):
            return self._source[start : start + length]
        return self._pread(self._source, start, length)

    def _pread(self, descriptor: int, start: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length:
            try:
                part = os.pread(descriptor, length, start)
            except OSError as error:
                raise BadInput(
                    f"{self.name} cannot be read: {error.strerror}.", "Check the disk that it is on."
                ) from None
            if not part:
                raise damaged(self.name, "it became shorter while it was read")
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return b"".join(parts)

    def whole(self, limit: int) -> bytes:
        """All of it; BadInput when it is larger than `limit` bytes."""
        if self.size > limit:
            raise BadInput(
                f"{self.name} has {self.size} bytes, more than the {limit} that a description may have.",
                "Check that it is a description of a machine.",
                code="too-large",
            )
        return self.read(0, self.size)

    def part(self, offset: int, size: int, name: str) -> Blob:
        """A part of it, under a name of its own."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise damaged(self.name, f"{name} lies behind its end")
        return Blob(self._source, name, offset=self._offset + offset, size=size)


@contextmanager
def open_blob(path: Path) -> Iterator[Blob]:
    """A regular file as a Blob; raises what `kiban.adapters.files.open_regular` does."""
    with open_regular(path) as descriptor:
        yield Blob(descriptor, str(path))
