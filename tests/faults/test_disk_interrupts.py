# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C while a large disk is copied, compacted or merged: what is half made goes, and the old content stays."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from faults_disks import MIB, tool
from faults_ground import LIMIT, Ground, eventually

SIZE = 512 * MIB
DATA = SIZE // 2
Begun = Callable[[Path], bool]


def _part(folder: Path) -> bool:
    return bool([*folder.glob(".*.part")])


def _written(folder: Path) -> bool:
    return (folder / "old.qcow2").stat().st_size > MIB


def reads(image: Path, pattern: int) -> None:
    told = tool("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P {pattern} 0 {DATA}", image)
    assert "verification failed" not in told
    tool("qemu-img", "check", "-q", "-f", "qcow2", image)


@pytest.mark.parametrize(
    ("verb", "new", "begun"),
    [
        ("convert", "new.vhdx", _part),
        ("clone", "new.qcow2", _part),
        ("compact", "", _part),
        ("merge", "", _written),
    ],
)
def test_ctrl_c_leaves_the_old_content_and_nothing_else(ground: Ground, verb: str, new: str, begun: Begun) -> None:
    ground.serve()
    folder = ground.folder / "disks"
    folder.mkdir()
    image = old = folder / "old.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", old, SIZE)
    if verb == "merge":
        image = folder / "child.qcow2"
        ground.client().create_disk(str(image), parent=str(old))
    tool("qemu-io", "-f", "qcow2", "-c", f"write -P 7 0 {DATA}", image)
    there = sorted(entry.name for entry in folder.iterdir())
    command = ("disk", verb, str(image), *((str(folder / new),) if new else ()))
    running = ground.begin(*command)
    eventually("it has begun, or is through", lambda: begun(folder) or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=LIMIT)
    client = ground.client()
    state = client.job(client.jobs()[-1].id, wait=LIMIT).state
    # a command that is through already ends by itself, or by the signal once Python has packed up
    assert running.returncode == 130 or (state == "done" and running.returncode in (0, -signal.SIGINT))
    assert state in ("cancelled", "done")
    assert not [*ground.paths.unfinished.iterdir()]
    if state == "cancelled":
        assert sorted(entry.name for entry in folder.iterdir()) == there
        reads(image, 7)
        assert ground.kiban(*command).code == 0
    reads(old, 7)
    gone = {"child.qcow2"} if verb == "merge" else set()
    assert {entry.name for entry in folder.iterdir()} == {*there, *([new] if new else [])} - gone
