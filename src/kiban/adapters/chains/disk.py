# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk that a chain of images is: filling buffers with its bytes, and telling which of them are zeros anyway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kiban.adapters.images.layers import Layer, Run, merged
from kiban.adapters.images.source import FileSource

_STEPS_LIMIT = 50_000  # runs that one question about zeros looks at, some hundredths of a second


class Disk:
    """A chain as one disk of `size` bytes, its child first. Reads raise Damaged where a table or a file is broken."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.size = layers[0].size
        self._layers = tuple(layers)

    def runs(self, offset: int, length: int) -> Iterator[Run]:
        """Where the bytes lie; none of these runs is a parent's."""
        return merged(self._layers, offset, length)

    def fill(self, runs: Sequence[Run], view: memoryview) -> None:
        """Read the runs into `view`, which is as long as they are."""
        at = 0
        for run in runs:
            piece = view[at : at + run.length]
            if run.source is None:
                piece[:] = bytes(run.length)
            elif isinstance(run.source, FileSource):
                run.source.read_into(run.start, piece)
            else:  # a file with a log over it
                piece[:] = run.source.read(run.start, run.length)
            at += run.length

    def extents(self, offset: int, length: int, most: int) -> list[tuple[int, bool]]:
        """The lengths of alternating data (True) and zeros (False) from `offset` on.

        At most `most` of them, and fewer where finding out takes long; at least one.
        """
        found: list[tuple[int, bool]] = []
        for step, run in enumerate(self.runs(offset, length)):
            data = run.source is not None
            if found and found[-1][1] == data:
                found[-1] = (found[-1][0] + run.length, data)
            elif len(found) == most or step > _STEPS_LIMIT:
                break
            else:
                found.append((run.length, data))
        return found
