# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk becomes full while disks are made and changed: a sentence, the old content, and nothing half made."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_disks import CASES, MIB, Stage
from faults_ground import Ground, attempt, small_file_system

KIB = 1 << 10
ROOM = (0, 40 * KIB, 150 * KIB, 500 * KIB, 1000 * KIB, 2 * MIB, 3 * MIB, 5 * MIB, 9 * MIB, 17 * MIB, 33 * MIB)
"""Bytes that are free, until it goes through."""
NEEDY = (
    *("create fixed", "convert to qcow2", "convert to vhd", "clone a child", "grow vhdx", "compact a child"),
    *("merge into qcow2", "merge into vhdx", "merge into vhd"),
)
"""The others need no room, or do the same."""


@pytest.fixture
def small(ground: Ground) -> Iterator[Path]:
    """A folder that is a file system of its own."""
    folder = ground.folder / "small"
    folder.mkdir()
    with small_file_system(folder, 256):
        yield folder
        ground.kill_service()


def leave(folder: Path, room: int) -> Path:
    """Take all the room there is but so many bytes."""
    ballast = folder / "ballast"
    found = os.statvfs(folder)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - room)
    return ballast


@pytest.mark.parametrize("name", NEEDY)
def test_a_disk_that_becomes_full(ground: Ground, small: Path, name: str) -> None:
    ground.serve()
    client = ground.client()
    stage, refusals = Stage(CASES[name], client, small), 0
    for room in ROOM:
        stage.reset()
        ballast = leave(small, room)
        refused = attempt(stage.case.act, client, stage.folder)
        ballast.unlink()
        if refused is None:
            break
        refusals += 1
        assert refused.reason == "no-space", refused
        assert refused.hint
        stage.case.check(stage.folder, stage.files)
        assert attempt(stage.case.act, client, stage.folder) is None
        stage.case.check_done(stage.folder)
    stage.case.check_done(stage.folder)
    assert refusals, "it needed no room"
    assert "Traceback" not in ground.log(), ground.log()
