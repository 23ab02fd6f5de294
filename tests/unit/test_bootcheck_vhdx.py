# SPDX-License-Identifier: GPL-2.0-or-later
"""VHDX in particular: copies of tables, sector sizes, parents, and logs, whose replay is compared with QEMU's."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from disk_makers import MIB, convert, patterned, run, same_everywhere
from vhdx_makers import (
    LOG_ID,
    add_locator,
    dirty_vhdx,
    log_entry,
    metadata_item,
    payload_start,
    with_log,
)

from kiban.adapters.images import open_image
from kiban.adapters.images.crc32c import crc32c
from kiban.adapters.images.source import Memory
from kiban.adapters.images.vhdx import open_vhdx
from kiban.errors import BadInput, Damaged


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return patterned(tmp_path_factory.mktemp("raw") / "disk.raw", 12 * MIB)


# VHDX: which header, which table, what sector size, which parent


def vhdx_bytes(tmp_path: Path, raw: Path, *options: str) -> bytearray:
    return bytearray(convert(raw, tmp_path / "v", "vhdx", *options).read_bytes())


def test_crc32c_has_the_value_of_its_specification() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("broken", [64 << 10, 128 << 10, 192 << 10, 256 << 10])
def test_one_copy_of_each_table_is_enough(broken: int, raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    image[broken + 100] ^= 1
    same_everywhere(open_image(Memory(bytes(image)), "vhdx"), raw.read_bytes())


@pytest.mark.parametrize("at", [64 << 10, 192 << 10])
def test_two_broken_copies_are_too_many(at: int, raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    image[at + 100] ^= 1
    image[at + (64 << 10) + 100] ^= 1
    with pytest.raises(Damaged, match="Both"):
        open_image(Memory(bytes(image)), "vhdx")


def test_the_sector_size_of_a_vhdx_shows(raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    assert open_vhdx(Memory(bytes(image))).sector_size == 512
    at = next(at for at in (metadata_item(image, n) for n in range(5)) if image[at : at + 4] == struct.pack("<I", 512))
    struct.pack_into("<I", image, at, 4096)
    disk = open_vhdx(Memory(bytes(image)))
    assert disk.sector_size == 4096
    same_everywhere(disk, raw.read_bytes())


def test_a_differencing_vhdx_names_its_parent(raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    image[metadata_item(image, 0) + 4] |= 2
    with pytest.raises(BadInput, match="differencing") as caught:
        open_image(Memory(bytes(image)), "vhdx")
    assert caught.value.reason == "needs-parent"
    add_locator(image, "relative_path", ".\\base.vhdx")
    with pytest.raises(BadInput, match=r"base\.vhdx"):
        open_image(Memory(bytes(image)), "vhdx")


# a VHDX that was not closed: our replay against QEMU's


@pytest.mark.parametrize("place", [0, 8192, MIB - 4096])
def test_a_log_is_replayed_as_qemu_replays_it(place: int, raw: Path, tmp_path: Path) -> None:
    """Also around the ring's end, where QEMU 7.2 itself would forget the entry that lies across it."""
    image = vhdx_bytes(tmp_path, raw)
    (tmp_path / "dirty").write_bytes(dirty_vhdx(image, 0))
    run("qemu-img", "check", "-q", "-r", "all", "-f", "vhdx", tmp_path / "dirty")
    run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", tmp_path / "dirty", tmp_path / "back")
    disk = open_image(Memory(bytes(dirty_vhdx(image, place))), "vhdx")
    assert disk.read(0, disk.size) == (tmp_path / "back").read_bytes() != raw.read_bytes()


def test_a_log_without_a_whole_run_is_damaged(raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    with_log(image, 0, [log_entry(2, 4096 * 9, [(payload_start(image), bytes(4096))], len(image))])  # its tail is gone
    with pytest.raises(Damaged, match="log is damaged"):
        open_image(Memory(bytes(image)), "vhdx")


def test_a_log_whose_data_is_torn_is_damaged(raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    entry = bytearray(log_entry(2, 0, [(payload_start(image), b"\1" * 4096)], len(image)))
    entry[5000] ^= 1
    with_log(image, 0, [bytes(entry)])
    with pytest.raises(Damaged, match="log is damaged"):
        open_image(Memory(bytes(image)), "vhdx")


def test_a_log_that_tells_of_a_longer_file_says_so(raw: Path, tmp_path: Path) -> None:
    image = vhdx_bytes(tmp_path, raw)
    with_log(image, 0, [log_entry(2, 0, [(payload_start(image), b"\1" * 4096)], len(image) + MIB)])
    with pytest.raises(Damaged, match="end of its file was lost"):
        open_image(Memory(bytes(image)), "vhdx")


def test_a_log_full_of_long_entries_is_given_up(raw: Path, tmp_path: Path) -> None:
    """Each unit claims to be an entry as long as the ring; checking them all would take minutes."""
    image = vhdx_bytes(tmp_path, raw)
    with_log(image, 0, [])
    size, start = struct.unpack_from("<IQ", image, (64 << 10) + 68)
    for place in range(0, size, 4096):
        head = struct.pack("<4sIIIQII16sQQ", b"loge", 1, size, 0, 5, 0, 0, LOG_ID, 0, 0)
        image[start + place : start + place + 64] = head
    with pytest.raises(Damaged, match="too large to be replayed"):
        open_image(Memory(bytes(image)), "vhdx")
