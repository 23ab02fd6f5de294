# SPDX-License-Identifier: GPL-2.0-or-later
"""An import that is killed, or that fills the disk: nothing of it is left, and the source is as it was."""

import os
import signal
import subprocess
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
def source(ground: Ground) -> Path:
    """A VHDX with more data than fits on the small disk."""
    raw, image = ground.folder / "raw", ground.folder / "web.vhdx"
    with raw.open("wb") as file:
        for _ in range(LONG):
            file.write(os.urandom(MIB))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vhdx", raw, image], check=True)
    raw.unlink()
    return image


def being_copied(ground: Ground) -> list[Path]:
    return list(ground.paths.machines.glob(".new-*/.disk0.qcow2.part"))


def facts(source: Path) -> tuple[int, int]:
    return source.stat().st_size, source.stat().st_mtime_ns


def test_a_killed_import_leaves_nothing(ground: Ground, source: Path) -> None:
    before = facts(source)
    ground.serve()
    empty = ground.tree()
    command = ("import", str(source), "--generation", "1", "--name", "m")
    killed = 0
    for delay in (0.0, 0.3, *[0.0] * TRIES):
        if killed and not delay:
            break
        importing = ground.begin(*command)
        eventually("it is being copied, or is through", lambda: being_copied(ground) or importing.poll() is not None)  # noqa: B023  # it is called at once
        time.sleep(delay)
        ground.kill_service()
        importing.communicate(timeout=LIMIT)
        ground.serve_again()
        if importing.returncode == 0 or check(ground):  # it was faster than the kill, and is whole then
            usable(ground, "m")
        else:
            killed += 1
        eventually("all of it is gone", lambda: not list(ground.paths.machines.iterdir()))
        assert check(ground) == {}
        assert not list(ground.paths.runtime.glob("disk-*"))
        assert {name for name in ground.tree() if "qemu.json" not in name} == set(empty)
    assert killed, "every import was faster than its kill: copy for longer"
    assert facts(source) == before
    said = ground.kiban(*command)
    assert said.code == 0, said
    usable(ground, "m")


def test_an_interrupted_import_leaves_nothing(ground: Ground, source: Path) -> None:
    ground.serve()
    for _ in range(TRIES):
        importing = ground.begin("import", str(source), "--generation", "1", "--name", "m")
        eventually("it is being copied, or is through", lambda: being_copied(ground) or ground.client().machines())
        end(importing.pid, signal.SIGINT)
        importing.communicate(timeout=LIMIT)
        if last_job(ground) == "cancelled":
            break
        ground.client().remove("m")
    assert importing.returncode == 130, "it was through each time before it was interrupted"
    assert not list(ground.paths.machines.iterdir())
    assert check(ground) == {}


def test_an_import_that_fills_the_disk(small_disk: Ground, source: Path) -> None:  # noqa: F811  # the fixture
    before = facts(source)
    small_disk.serve()
    empty = small_disk.tree()
    lacks_space(small_disk, "import", str(source), "--generation", "1", "--name", "m")
    assert small_disk.tree() == empty
    assert facts(source) == before
    said = small_disk.kiban("import", str(source), "--generation", "1", "--name", "m", "--lazy")
    assert said.code == 0, said  # of which nothing is copied yet
    assert sorted(check(small_disk)) == ["m"]
