# SPDX-License-Identifier: GPL-2.0-or-later
"""Differencing VHD and VHDX over their parents: every byte, against what was written put together independently."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from chain_makers import MIB, Made, contents, scribbled, vhd, vhdx
from disk_makers import RANDOM, opened
from hypothesis import given, settings
from hypothesis import strategies as st
from vhdx_makers import log_entry, seal, with_log

from kiban.adapters.chains.disk import Disk
from kiban.adapters.images.layers import Layer
from kiban.adapters.images.source import Memory
from kiban.adapters.images.vhd import open_vhd_layer
from kiban.adapters.images.vhdx import open_vhdx_layer
from kiban.errors import BadInput, Damaged


def written(folder: Path, form: str, chain: Sequence[Made]) -> list[Path]:
    """The chain as files, its child first."""
    write = vhdx if form == "vhdx" else vhd
    parents = [*chain[1:], None]
    return [
        write(folder / f"{number}.{form}", made, parent)
        for number, (made, parent) in enumerate(zip(chain, parents, strict=True))
    ]


def layers(paths: Sequence[Path]) -> list[Layer]:
    return [layer_of(path.read_bytes(), path.suffix) for path in paths]


def layer_of(data: bytes, suffix: str) -> Layer:
    return open_vhdx_layer(Memory(data)) if suffix == ".vhdx" else open_vhd_layer(Memory(data))


def read(disk: Disk, offset: int, length: int) -> bytes:
    buffer = bytearray(b"?" * length)
    disk.fill(list(disk.runs(offset, length)), memoryview(buffer))
    return bytes(buffer)


def the_same(disk: Disk, wanted: bytes, rng: random.Random) -> None:
    """In one piece, in odd pieces, and zeros where it says that there are zeros."""
    assert disk.size == len(wanted)
    assert read(disk, 0, disk.size) == wanted
    for most in (1, 100, 5000, 300_000, 3 * MIB):
        for _ in range(10):
            at = rng.randrange(disk.size)
            length = rng.randint(1, min(most, disk.size - at))
            assert read(disk, at, length) == wanted[at : at + length], (at, length)
    at = 0
    for length, data in disk.extents(0, disk.size, 1 << 20):
        assert data or not any(wanted[at : at + length])
        at += length
    assert at == disk.size


CHAINS = {
    "one": lambda r: [scribbled(r, 5 * MIB)],
    "two": lambda r: [scribbled(r, 5 * MIB), scribbled(r, 5 * MIB)],
    "five": lambda r: [scribbled(r, 4 * MIB) for _ in range(5)],
    "block sizes": lambda r: [scribbled(r, 8 * MIB, block=size * MIB) for size in (2, 1, 8, 4)],
    "larger child": lambda r: [scribbled(r, 7 * MIB), scribbled(r, 3 * MIB, block=2 * MIB)],
    "smaller child": lambda r: [scribbled(r, 2 * MIB), scribbled(r, 7 * MIB, block=2 * MIB)],
    "in and out": lambda r: [scribbled(r, 6 * MIB), scribbled(r, 2 * MIB), scribbled(r, 6 * MIB)],
    "odd end": lambda r: [scribbled(r, 3 * MIB + 8192, block=2 * MIB), scribbled(r, 3 * MIB + 4096, block=MIB)],
}


@pytest.mark.parametrize("form", ["vhdx", "vhd"])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_every_byte_of_a_chain(tmp_path: Path, chain, form: str) -> None:  # type: ignore[no-untyped-def]  # a lambda
    rng = RANDOM(11)
    made = chain(rng)
    the_same(Disk(layers(written(tmp_path, form, made))), contents(made), rng)


@pytest.mark.parametrize("sectors", [(4096, 4096), (512, 4096), (4096, 512)])
def test_large_sectors(tmp_path: Path, sectors: tuple[int, int]) -> None:
    rng = RANDOM(12)
    made = [scribbled(rng, 6 * MIB, block=(index + 1) * MIB, sector=size) for index, size in enumerate(sectors)]
    the_same(Disk(layers(written(tmp_path, "vhdx", made))), contents(made), rng)


@pytest.mark.parametrize("state", [1, 2, 3])
def test_a_block_without_data_hides_the_parents(tmp_path: Path, state: int) -> None:
    rng = RANDOM(13)
    made = [scribbled(rng, 6 * MIB), scribbled(rng, 6 * MIB, block=2 * MIB)]
    made[1].writes.append((2 * MIB, rng.randbytes(3 * MIB)))
    made[0].zeroed = {2: state, 4: state}
    disk = Disk(layers(written(tmp_path, "vhdx", made)))
    the_same(disk, contents(made), rng)
    assert not any(read(disk, 2 * MIB, MIB))


@pytest.mark.parametrize(("sector", "block"), [(512, 16 * MIB), (4096, 64 * MIB)])
def test_bitmaps_of_the_second_chunk(tmp_path: Path, sector: int, block: int) -> None:
    """2**23 sectors share a block of bitmaps; beyond those, the next one counts."""
    chunk = sector << 23
    rng = RANDOM(14)
    writes = [
        (at, rng.randbytes(3 * sector)) for at in (chunk - 5 * sector, chunk + 7 * sector, chunk + block - sector)
    ]
    child = Made(chunk + 2 * block, block, sector, writes)
    parent = Made(chunk + 2 * block, block, sector, [(chunk + 9 * sector, rng.randbytes(4 * sector))])
    paths = [vhdx(tmp_path / "c.vhdx", child, parent), vhdx(tmp_path / "p.vhdx", parent)]
    with opened(paths[0]) as upper, opened(paths[1]) as lower:
        disk = Disk([open_vhdx_layer(upper), open_vhdx_layer(lower)])
        around = chunk - 8 * sector
        wanted = bytearray(24 * sector)
        for made in (parent, child):
            for at, data in made.writes[:2]:
                wanted[at - around : at - around + len(data)] = data
        assert read(disk, around, len(wanted)) == wanted
        assert read(disk, chunk + block - sector, 3 * sector) == writes[2][1]


def test_a_log_that_was_not_replayed_counts(tmp_path: Path) -> None:
    """In the child and in the parent, over data, over a bitmap, and over the block table."""
    rng = RANDOM(15)
    child, parent = Made(4 * MIB, writes=[(0, rng.randbytes(2048))]), Made(4 * MIB, writes=[(MIB, rng.randbytes(MIB))])
    plain = written(tmp_path, "vhdx", [child, parent])
    upper, lower = (bytearray(path.read_bytes()) for path in plain)
    block, bitmap, table = 4 * MIB, 5 * MIB, 3 * MIB  # as the maker places them
    assert upper[block : block + 2048] == child.writes[0][1]
    assert upper[bitmap] == 15
    data, bits, entries = rng.randbytes(4096), bytes([255]).ljust(4096, b"\0"), bytearray(upper[table : table + 4096])
    entries[24:32] = struct.pack("<Q", 2)  # block 3 is zero
    patches: list[tuple[int, bytes | int]] = [(block, data), (bitmap, bits), (table, bytes(entries))]
    with_log(upper, 0, [log_entry(5, 0, patches, len(upper))])
    with_log(lower, 8192, [log_entry(9, 8192, [(4 * MIB, 4096)], len(lower))])
    child.writes = [(0, data)]
    child.zeroed = {3: 2}
    parent.writes.append((MIB, bytes(4096)))
    disk = Disk([layer_of(bytes(data), ".vhdx") for data in (upper, lower)])
    the_same(disk, contents([child, parent]), rng)


def test_a_parent_is_told_by_what_the_child_says(tmp_path: Path) -> None:
    base = Made(MIB)
    locator = {
        "relative_path": "..\\a\\b.vhdx",
        "absolute_win32_path": "D:\\b.vhdx",
        "volume_path": "\\\\?\\Volume{1}\\b",
    }
    found = layers([vhdx(tmp_path / "c.vhdx", Made(MIB), base, locator=locator)])[0].parent
    assert found is not None
    assert (found.ids, found.relative, found.time) == ((str(base.id),), "..\\a\\b.vhdx", None)
    assert found.names == ("\\\\?\\Volume{1}\\b", "D:\\b.vhdx")
    found = layers([vhd(tmp_path / "c.vhd", Made(MIB), base, stamp=5)])[0].parent
    assert found is not None
    assert (found.ids, found.relative, found.time) == ((str(base.id),), ".\\parent.vhd", 946684805)
    assert found.names == ("C:\\disks\\parent.vhd", "C:\\disks\\parent.vhd")


def test_a_lost_bitmap_is_not_guessed(tmp_path: Path) -> None:
    made = [Made(2 * MIB, writes=[(512, b"x" * 512)]), Made(2 * MIB)]
    upper, lower = (bytearray(path.read_bytes()) for path in written(tmp_path, "vhdx", made))
    chunk = 4096
    upper[3 * MIB + 8 * chunk : 3 * MIB + 8 * chunk + 8] = bytes(8)
    disk = Disk([layer_of(bytes(upper), ".vhdx"), layer_of(bytes(lower), ".vhdx")])
    with pytest.raises(Damaged, match="bitmap"):
        read(disk, 0, 512)
    assert read(disk, MIB, 512) == bytes(512), "other blocks are as good as before"


def test_a_disk_without_a_parent_has_no_part_of_a_block(tmp_path: Path) -> None:
    data = bytearray(vhdx(tmp_path / "a.vhdx", Made(MIB, writes=[(0, b"x" * 512)])).read_bytes())
    data[3 * MIB] = 7
    with pytest.raises(Damaged, match="state 7"):
        read(Disk([layer_of(bytes(data), ".vhdx")]), 0, 512)


def test_a_parent_that_is_missing_is_not_zeros(tmp_path: Path) -> None:
    for form in ("vhd", "vhdx"):
        child = layers(written(tmp_path, form, [Made(MIB), Made(MIB)]))[0]
        with pytest.raises(Damaged, match="parent"):
            read(Disk([child]), 0, 512)


def test_a_parent_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = vhdx(tmp_path / "c.vhdx", Made(MIB), Made(MIB))
    data = path.read_bytes().replace(bytes.fromhex("b7ef4ab09ed1814ab78925b8e9445913"), b"A" * 16)
    with pytest.raises(BadInput) as refused:
        layer_of(data, ".vhdx")
    assert refused.value.reason == "unknown-feature"


# hostile


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Chains of two whose tables have all kinds of entries."""
    folder, rng = tmp_path_factory.mktemp("seeds"), RANDOM(16)
    made = [Made(3 * MIB, writes=[(512, rng.randbytes(1024))]), Made(3 * MIB, writes=[(0, rng.randbytes(MIB))])]
    return {form: [path.read_bytes() for path in written(folder, form, made)] for form in ("vhdx", "vhd")}


# the tables of the makers' images: headers and regions, metadata, block table, bitmap | footer, header, tables, bitmap
PLACES = {
    "vhdx": [(65536, 80), (196608, 80), (2 << 20, 300), ((2 << 20) + 65536, 300), (3 << 20, 64), (5 << 20, 16)],
    "vhd": [(0, 90), (512, 700), (2048, 16), (2560, 64), (3584, 256)],
}
VALUES = st.sampled_from([b"\0", b"\xff", b"\1", b"\7", b"\x80"]) | st.binary(min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_tables_are_errors_in_words(seeds: dict[str, list[bytes]], data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["vhdx", "vhd"]))
    images = [bytearray(image) for image in seeds[form]]
    for _ in range(data.draw(st.integers(1, 3))):
        image = images[data.draw(st.integers(0, 1))]
        start, length = data.draw(st.sampled_from(PLACES[form]))
        at, value = start + data.draw(st.integers(0, length - 1)), data.draw(VALUES)
        image[at : at + len(value)] = value
    for image in images:
        _mend_checksums(image, form)
    with suppress(Damaged, BadInput):
        disk = Disk([layer_of(bytes(image), f".{form}") for image in images])
        assert disk.size <= 64 << 40
        for at in (0, max(0, disk.size - MIB)):
            count = min(MIB, disk.size - at)
            assert len(read(disk, at, count)) == count
        assert sum(length for length, _ in disk.extents(0, disk.size, 100)) <= disk.size


def _mend_checksums(image: bytearray, form: str) -> None:
    """So that what lies behind the checksums is reached."""
    if form == "vhdx":
        for at in (65536, 131072):
            seal(image, at, 4096)
        return
    for start, place, length in ((0, 64, 512), (512, 36, 1024)):
        total = sum(image[start : start + length]) - sum(image[start + place : start + place + 4])
        struct.pack_into(">I", image, start + place, ~total & 0xFFFFFFFF)
