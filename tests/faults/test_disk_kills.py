# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks are made, converted, resized and merged, and whoever does it is killed: the old content is intact."""

from pathlib import Path

import pytest
from faults_disks import CASES, Stage
from faults_dying import Dying
from faults_ground import Ground, attempt

MOST = 120  # things in one operation; more means that it never ends
TRIES = 20
DONE = ("", "file-exists", "no-file")
"""Reasons for which it cannot be done a second time: none, or that it is done already."""
SERVICE = (
    *("create fixed", "create a child", "convert to qcow2", "clone a child", "grow raw", "grow vhd", "compact a child"),
    *("convert a chain of Hyper-V's", "merge into qcow2", "merge into vhdx"),
)
"""The others do the same things in between the tools that they call."""
IN_PLACE = [name for name in CASES if name.startswith(("grow qcow2", "grow raw", "shrink", "merge"))]
WRITES = "pwrite64,pwritev,fallocate,ftruncate,fdatasync"
"""System calls by which a tool changes something."""


def again(stage: Stage, ground: Ground) -> None:
    """What was broken off can be done again, or was done."""
    refused = attempt(stage.case.act, ground.client(), stage.folder)
    assert (refused.reason if refused else "") in DONE, refused
    stage.case.check_done(stage.folder)


@pytest.mark.parametrize("name", SERVICE)
def test_the_service_is_killed_at_every_thing_it_does(ground: Ground, name: str) -> None:
    ground.paths.state.mkdir()
    service, points = Dying(ground), []
    stage = Stage(CASES[name], ground.client(), ground.folder)
    for count in range(1, MOST):
        try:
            stage.reset()
            died = service.interrupt(count, stage.case.act, ground.client(), stage.folder)
            if not died:
                break
            points.append(died)
        finally:
            service.kill()
        service = Dying(ground)
        stage.case.check(stage.folder, stage.files)
        assert not list(ground.paths.unfinished.iterdir()), ground.log()
        again(stage, ground)
    stage.case.check_done(stage.folder)
    assert len(points) > 3, f"too few things were seen to be done: {points}"
    assert count < MOST - 1
    assert "Traceback" not in ground.log(), ground.log()


@pytest.mark.parametrize("name", CASES)
def test_the_tool_is_killed_at_every_write(ground: Ground, name: str) -> None:
    """qemu-img alone: the service goes on, says that it failed, and the same can be done again."""
    after, seen = _put_before_qemu_img(ground)
    ground.serve()
    stage = Stage(CASES[name], ground.client(), ground.folder)
    # whatever is made beside its place is half made after one write as after the next
    for number in range(1, MOST, 1 if name in IN_PLACE else 4):
        for _ in range(TRIES):
            stage.reset()
            seen.unlink(missing_ok=True)
            after.write_text(str(number))
            refused = attempt(stage.case.act, ground.client(), stage.folder)
            after.write_text("0")
            if refused is not None or not seen.exists():
                break
        else:
            raise AssertionError("it was through each time before it was killed")
        if refused is None:
            break
        assert refused.hint, refused
        stage.case.check(stage.folder, stage.files)
        again(stage, ground)
    stage.case.check_done(stage.folder)
    assert 1 < number < MOST - 1
    assert "Traceback" not in ground.log(), ground.log()


def _put_before_qemu_img(ground: Ground) -> tuple[Path, Path]:
    """A qemu-img that is killed once it has written so often as the first file says that is returned; never for 0.

    strace counts by thread, so it is let count by a shell, to which it gives the time for that, on most hosts at least:
    the second file is there afterwards if it has written so often, even if it was through before the shell could act.
    """
    place, after, seen = ground.folder / "bin", ground.folder / "after", ground.folder / "seen"
    place.mkdir()
    after.write_text("0")
    killer = f"""#!/bin/sh
left=$1
while read -r thread rest; do
    left=$((left - 1))
    [ $left = 0 ] && kill -9 "$thread"; [ $left = 0 ] && echo >{seen}
done
"""
    tool = f"""#!/bin/sh
number=$(cat {after})
[ "$number" = 0 ] && exec /usr/bin/qemu-img "$@"
exec strace -f -qq -e trace={WRITES} -e inject={WRITES}:delay_exit=4000 -o "|{place}/killer $number" \\
    /usr/bin/qemu-img "$@"
"""
    for name, text in (("killer", killer), ("qemu-img", tool)):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    ground.environment["PATH"] = f"{place}:{ground.environment['PATH']}"
    return after, seen
