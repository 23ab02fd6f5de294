# SPDX-License-Identifier: GPL-2.0-or-later
"""ISO and floppy images are told from other files; free space is what the file system says."""

import os
from pathlib import Path

import pytest

from kiban.adapters.disk.media import FLOPPY_SIZES, check_floppy, check_iso
from kiban.adapters.disk.space import free_bytes, require_space
from kiban.errors import BadInput, HostLacks, NotFound


def volume(*marks: bytes) -> bytes:
    """System area, then one volume descriptor a sector."""
    return bytes(16 * 2048) + b"".join((b"\x00" + mark).ljust(2048, b"\0") for mark in marks)


@pytest.mark.parametrize("marks", [[b"CD001"], [b"BEA01", b"NSR02", b"TEA01"], [b"BEA01", b"NSR03"]])
def test_iso_9660_and_udf_are_isos(tmp_path: Path, marks: list[bytes]) -> None:
    path = tmp_path / "x.iso"
    path.write_bytes(volume(*marks))
    assert check_iso(path).size == path.stat().st_size


@pytest.mark.parametrize(
    "content", [b"", b"CD001", bytes(1 << 20), volume(b"BEA01"), volume(b"NSR02"), volume(b"CD001")[: 16 * 2048 + 3]]
)
def test_other_files_are_not_isos(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.iso"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        check_iso(path)
    assert "--disk" in caught.value.hint


def test_missing_and_odd_things_are_neither(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for check in (check_iso, check_floppy):
        with pytest.raises(NotFound):
            check(tmp_path / "none")
        with pytest.raises(BadInput):
            check(tmp_path)
        with pytest.raises(BadInput):
            check(tmp_path / "pipe")


def test_a_floppy_has_the_size_of_one(tmp_path: Path) -> None:
    path = tmp_path / "x.img"
    for name, size in FLOPPY_SIZES.items():
        path.write_bytes(bytes(size))
        assert check_floppy(path).size == size, name
        path.write_bytes(bytes(size + 1))
        with pytest.raises(BadInput) as caught:
            check_floppy(path)
        assert name in caught.value.hint
    assert FLOPPY_SIZES["1.44M"] == 2 * 80 * 18 * 512


def test_free_space_of_files_that_do_not_exist_yet(tmp_path: Path) -> None:
    state = os.statvfs(tmp_path)
    there = free_bytes(tmp_path / "not" / "yet" / "disk")
    assert 0 < there <= state.f_blocks * state.f_frsize
    require_space(tmp_path / "disk", 1)
    with pytest.raises(HostLacks) as caught:
        require_space(tmp_path / "disk", 1 << 59)
    assert "512 PiB" in caught.value.message
