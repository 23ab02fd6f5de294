# SPDX-License-Identifier: GPL-2.0-or-later
"""What VHD and VHDX have in common beyond plain disks: a disk that says of each byte which file holds it.

A differencing disk leaves some of its bytes to a parent, which it knows by an id. Nobody reads a parent here: who has
all files of a chain lays them over each other with `merged`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kiban.adapters.images.mapped import Mapped
from kiban.adapters.images.source import Source, Window
from kiban.errors import Damaged

_NAME_LIMIT = 4096  # bytes of a path that are looked at; Windows' own limit is 64 KiB, that of its programs 520 bytes


class Run(NamedTuple):
    """`length` bytes of a disk: those of `source` from byte `start`, or, without a source, zeros or the parent's."""

    length: int
    source: Source | None = None
    start: int = 0
    parents: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """What a differencing disk says about its parent.

    Args:
        ids: one of them is the parent's.
        time: when the parent was last written, in seconds since 1970; None where it is not recorded.
        relative: the path from the child's folder, with backslashes; "" if there is none.
        names: other paths, as Windows would know the parent by.
    """

    ids: tuple[str, ...]
    time: int | None
    relative: str
    names: tuple[str, ...]


class Layer(Protocol):
    """One image of a chain.

    `ids` are what a child may call it; `parent` is None where it has none. `sectors` is as
    `kiban.model.machine.Sectors`. `runs` covers exactly the bytes asked for, which lie within its size, in order; it
    raises Damaged where its tables are broken.
    """

    @property
    def size(self) -> int: ...

    @property
    def ids(self) -> tuple[str, ...]: ...

    @property
    def parent(self) -> Parent | None: ...

    @property
    def sectors(self) -> str: ...

    def runs(self, offset: int, length: int) -> Iterator[Run]: ...


class Flat(Window):
    """A disk that lies in its file in one piece."""

    parent = None
    sectors = "512"

    def __init__(self, source: Source, size: int, ids: tuple[str, ...]) -> None:
        super().__init__(source, 0, size)
        self.ids = ids
        self._all = source

    def runs(self, offset: int, length: int) -> Iterator[Run]:
        yield Run(length, self._all, offset)


class Blocks(Mapped):
    """A disk in blocks, each of which its subclass takes apart into runs."""

    sectors = "512"

    def __init__(self, source: Source, size: int, block_size: int, ids: tuple[str, ...], parent: Parent | None) -> None:
        super().__init__(source, size, block_size)
        self.ids = ids
        self.parent = parent

    def runs(self, offset: int, length: int) -> Iterator[Run]:
        end = offset + length
        while offset < end:
            number, within = divmod(offset, self._block_size)
            count = min(self._block_size - within, end - offset)
            yield from self._block_runs(number, within, count)
            offset += count

    @abstractmethod
    def _block_runs(self, number: int, within: int, length: int) -> Iterable[Run]:
        """The runs of `length` bytes of block `number`, from byte `within` of it."""

    def _read_block(self, number: int, within: int, length: int) -> bytes:
        return b"".join(self._read_run(run) for run in self._block_runs(number, within, length))

    def _read_run(self, run: Run) -> bytes:
        if run.parents:
            raise Damaged("The image leaves data to a parent, which is not there.")
        return run.source.read(run.start, run.length) if run.source else self._zeros(run.length)


def sector_runs(bits: str, sector: int, within: int, length: int, present: Run) -> Iterator[Run]:
    """A partly written block: sectors whose bit is set are here, the others the parent's.

    Args:
        bits: "0" and "1", from the sector that byte `within` lies in to the one that its last byte lies in.
        sector: bytes of a sector.
        within: the first byte wanted, counted from the beginning of a sector of the block.
        length: bytes wanted.
        present: where the wanted bytes would lie if all of them were here.
    """
    skipped = within % sector
    for match in re.finditer("0+|1+", bits):
        first = max(0, match.start() * sector - skipped)
        count = min(match.end() * sector - skipped, length) - first
        if bits[match.start()] == "1":
            yield Run(count, present.source, present.start + first)
        else:
            yield Run(count, parents=True)


def merged(layers: Sequence[Layer], offset: int, length: int) -> Iterator[Run]:
    """The runs of a chain, the child first, its last parent last. A disk ends in zeros where its child is larger."""
    layer, others = layers[0], layers[1:]
    inside = max(0, min(length, layer.size - offset))
    for run in layer.runs(offset, inside) if inside else ():
        if not run.parents:
            yield run
        elif others:
            yield from merged(others, offset, run.length)
        else:
            raise Damaged("The image leaves data to a parent, which is not there.")
        offset += run.length
    if inside < length:
        yield Run(length - inside)


def path_text(raw: bytes, encoding: str) -> str:
    """A path out of a hostile image, as it stands there up to its first NUL; "" where it is none."""
    return raw[:_NAME_LIMIT].decode(encoding, errors="replace").split("\0", 1)[0]


def real_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """Those that name a disk. Hyper-V writes zeros where it has none, and no file is to be taken for that one."""
    return tuple(each for each in ids if each.strip("0-"))
