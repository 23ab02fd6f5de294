# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that is full: a sentence, what was there stays as it was, and all is well again once there is room."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_ground import Ground, end, small_file_system
from faults_invariants import check, usable

from kiban.model.requests import DiskRequest

MIB = 1 << 20
SIZE = 48  # MiB of the whole file system
LACKS = 6


@pytest.fixture
def small_disk(ground: Ground) -> Iterator[Ground]:
    """A ground whose state directory is a file system of its own."""
    ground.paths.state.mkdir()
    with small_file_system(ground.paths.state, SIZE):
        yield ground
        ground.kill_service()
        for pid, _ in ground.running("qemu-system-x86_64"):
            end(pid)


def fill(ground: Ground) -> Path:
    """Take all the room there is, to the last page."""
    ballast = ground.paths.state / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4096):
            while True:
                try:
                    if file.write(bytes(size)) < size:
                        break
                except OSError:
                    break
    assert os.statvfs(ground.paths.state).f_bavail == 0
    return ballast


def lacks_space(ground: Ground, *command: str) -> None:
    said = ground.kiban(*command)
    assert said.code == LACKS, f"{said}\n{ground.log()}"
    lines = said.err.strip().splitlines()
    assert len(lines) == 2, said.err
    assert lines[1].startswith("hint: "), said.err
    assert "space" in said.err


def without_reasons(ground: Ground) -> dict[str, int | str]:
    return {name: value for name, value in ground.tree().items() if not name.endswith(("status.json", ".log"))}


def test_changes_on_a_full_disk(small_disk: Ground) -> None:
    ground = small_disk
    ground.serve()
    client = ground.client()
    client.create("one", generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))
    client.create("two", generation=2, memory=128 * MIB)
    ballast = fill(ground)
    before = without_reasons(ground)
    lacks_space(ground, "create", "x", "--generation", "1", "--disk", "8M,format=vhdx")
    lacks_space(ground, "create", "x")
    lacks_space(ground, "create", "x", "--generation", "1")
    lacks_space(ground, "rename", "one", "three")
    lacks_space(ground, "set", "one", "--notes", "words")
    lacks_space(ground, "set", "one", "--add-disk", "8M,format=vhdx")
    lacks_space(ground, "set", "two", "--secure-boot", "off")
    assert without_reasons(ground) == before
    assert sorted(check(ground)) == ["one", "two"]
    ballast.unlink()
    assert ground.kiban("rename", "one", "three").code == 0
    assert ground.kiban("set", "three", "--add-disk", "8M,format=vhdx").code == 0
    assert ground.kiban("set", "two", "--secure-boot", "off").code == 0
    assert ground.kiban("create", "x", "--generation", "1").code == 0
    for name in sorted(check(ground)):
        usable(ground, name)


def test_a_machine_is_not_saved_to_a_full_disk_and_runs_on(small_disk: Ground) -> None:
    ground = small_disk
    ground.serve()
    client = ground.client()
    client.create("m", generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))
    client.start("m")
    ballast = fill(ground)
    lacks_space(ground, "save", "m")
    assert check(ground)["m"].state == "running"
    assert ground.kiban("stop", "--force", "m").code == 0, "a full disk must not keep a machine from being off"
    assert check(ground)["m"].state == "off"
    ballast.unlink()
    client.start("m")
    client.save("m")
    check(ground)
    usable(ground, "m")


def test_the_service_comes_up_and_goes_down_on_a_full_disk(small_disk: Ground) -> None:
    """It must: only with it can machines be removed to make room."""
    ground = small_disk
    ground.serve()
    client = ground.client()
    for name in ("m", "n"):
        client.create(name, generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))
    client.start("m")
    fill(ground)
    ground.kill_service()
    assert ground.kiban("ls").code == 0, ground.log()
    machines = check(ground)
    assert {name: m.state for name, m in machines.items()} == {"m": "running", "n": "off"}
    assert ground.kiban("stop", "--force", "m").code == 0
    assert ground.kiban("jobs").code == 0
    assert ground.kiban("remove", "--yes", "m", "n").code == 0
    assert check(ground) == {}


def test_a_new_disk_that_takes_the_last_room(small_disk: Ground) -> None:
    """A private copy of an image that does not fit is refused before it is begun."""
    ground = small_disk
    ground.serve()
    image = ground.folder / "big.img"
    image.write_bytes(os.urandom(SIZE * MIB))
    before = ground.tree()
    lacks_space(ground, "create", "m", "--generation", "1", "--disk", f"{image},format=raw,copy")
    assert ground.tree() == before
    check(ground)


def test_the_history_of_jobs_may_be_lost_but_holds_nothing_up(small_disk: Ground) -> None:
    ground = small_disk
    ground.paths.state.mkdir(exist_ok=True)
    ground.paths.database.write_bytes(b"this is no database" * 1000)
    ballast = fill(ground)
    ground.serve()
    assert ground.kiban("ls").code == 0
    ballast.unlink()
    assert ground.kiban("create", "m", "--generation", "1").code == 0
    assert [j.state for j in ground.client().jobs()] == ["done"]
    check(ground)
