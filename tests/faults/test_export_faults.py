# SPDX-License-Identifier: GPL-2.0-or-later
"""An export that is killed, interrupted, or that fills the disk: no folder that looks like one, and a whole machine."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from faults_ground import LIMIT, Ground, end, eventually, last_job
from faults_invariants import check, usable
from test_full_disk import lacks_space, small_disk  # noqa: F401  # a fixture

MIB = 1 << 20
TRIES = 10
LONG = 512
"""MiB of data: more than the small disk has, and copying them takes longer than seeing that it has begun."""


@pytest.fixture
def disk(ground: Ground) -> Path:
    """A raw disk with more data than fits on the small disk."""
    raw = ground.folder / "web.raw"
    with raw.open("wb") as file:
        for _ in range(LONG):
            file.write(os.urandom(MIB))
    return raw


def made(ground: Ground, disk: Path) -> None:
    ground.serve()
    said = ground.kiban("create", "web", "--generation", "1", "--memory", "16M", "--disk", f"{disk},format=raw")
    assert said.code == 0, said


def facts(disk: Path) -> tuple[int, int]:
    return disk.stat().st_size, disk.stat().st_mtime_ns


def test_a_killed_export_leaves_no_folder_that_looks_whole(ground: Ground, disk: Path) -> None:
    before, part, out = facts(disk), ground.folder / ".out.part", ground.folder / "out"
    made(ground, disk)
    for delay in (0.0, 0.5):
        exporting = ground.begin("export", "web", str(out))
        eventually("it is being copied", lambda: list(part.glob("*disk0*")) or out.exists())
        time.sleep(delay)
        ground.kill_service()
        exporting.communicate(timeout=LIMIT)
        ground.serve_again()
        assert sorted(check(ground)) == ["web"]
        if out.exists():  # it was faster than the kill, and is whole then
            break
    assert facts(disk) == before
    if not out.exists():
        said = ground.kiban("export", "web", str(out))
        assert said.code == 0, said
    assert not part.exists()
    said = ground.kiban("import", str(out), "--name", "again")
    assert said.code == 0, said
    usable(ground, "again")
    usable(ground, "web")


def test_an_interrupted_export_leaves_nothing(ground: Ground, disk: Path) -> None:
    made(ground, disk)
    for _ in range(TRIES):
        exporting = ground.begin("export", "web", str(ground.folder / "out"))
        eventually(
            "it is being copied, or is through",
            lambda: list(ground.folder.glob(".out.part/*disk0*")) or (ground.folder / "out").exists(),
        )
        end(exporting.pid, signal.SIGINT)
        exporting.communicate(timeout=LIMIT)
        if last_job(ground) == "cancelled":
            break
        shutil.rmtree(ground.folder / "out")
    assert exporting.returncode == 130, "it was through each time before it was interrupted"
    assert not list(ground.folder.glob("*out*"))
    usable(ground, "web")


def test_an_export_that_fills_the_disk(small_disk: Ground, disk: Path) -> None:  # noqa: F811  # the fixture
    before = facts(disk)
    made(small_disk, disk)
    tree = small_disk.tree()
    lacks_space(small_disk, "export", "web", str(small_disk.paths.state / "out"))
    assert small_disk.tree() == tree
    assert facts(disk) == before
    said = small_disk.kiban("export", "web", str(small_disk.folder / "out"))
    assert said.code == 0, said
    lacks_space(small_disk, "import", str(small_disk.folder / "out"), "--name", "again")
    assert sorted(check(small_disk)) == ["web"]
