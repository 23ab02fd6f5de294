# SPDX-License-Identifier: GPL-2.0-or-later
"""Replacing a file as a whole: what is kept, and what is left when it fails. That a kill does no harm: test_store."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters.files import replace_file, sweep_replaced
from kiban.errors import HostLacks, KibanError, NotAllowed


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    replace_file(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_owner_and_mode_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"before")
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    path.chmod(0o640)
    replace_file(path, b"after")
    now = path.stat()
    assert (path.read_bytes(), now.st_uid, now.st_gid, now.st_mode & 0o7777) == (b"after", *owner, 0o640)


def test_readers_of_the_old_file_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"before")
    with path.open("rb") as reader:
        replace_file(path, b"after")
        assert reader.read() == b"before"


@pytest.mark.parametrize(
    ("step", "number", "refusal"),
    [
        ("os.fsync", errno.ENOSPC, HostLacks),
        ("os.fchmod", errno.EPERM, NotAllowed),
        ("pathlib.Path.replace", errno.EACCES, NotAllowed),
        ("tempfile.mkstemp", errno.EROFS, HostLacks),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, refusal: type[KibanError]
) -> None:
    (tmp_path / "old").write_bytes(b"before")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(step, fails)
        with pytest.raises(refusal) as caught:
            replace_file(tmp_path / "old", b"after")
    assert caught.value.hint
    assert (tmp_path / "old").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostLacks):
        replace_file(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_only_what_a_kill_left_of_a_file_is_swept(tmp_path: Path) -> None:
    for name in ("mark", ".mark.x1y2z3w4", ".other.x1y2z3w4", ".marks"):
        (tmp_path / name).write_bytes(b"")
    sweep_replaced(tmp_path / "mark")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".marks", ".other.x1y2z3w4", "mark"]
