# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk is mounted, and whoever takes part in it is killed: nothing hangs, nothing is lost, nothing stays mounted."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from faults_disks import MIB, OLD, content, image
from faults_dying import Dying
from faults_ground import KIBAN, Ground, attempt, end, eventually

from kiban.adapters.mount import table
from kiban.client import Client

MOST = 120  # things in one operation; more means that it never ends
NEW = b"n" * MIB
NOBODY = 65534
USER = """
import asyncio, sys
from pathlib import Path
from kiban.engine import mounting
from kiban.engine.host import Host
from kiban.errors import Conflict
from kiban.model.requests import DiskRef, MountRequest
from kiban.paths import Paths

async def go():
    place = Path("{home}/there")
    host = await Host.open(Paths(Path("{home}/s"), Path("{home}/r")))
    await mounting.mount(host, MountRequest(disk=DiskRef(path="{image}"), directory=str(place)))
    with (place / "disk.raw").open("rb") as file:
        assert len(file.read()) == (place / "disk.raw").stat().st_size
        print(oct((place / "disk.raw").stat().st_mode & 0o777), end=" ")
        try:
            await mounting.unmount(host, str(place))
        except Conflict as error:
            print(error.reason)
    await mounting.unmount(host, str(place))
    assert not place.exists()
    await host.close()

asyncio.run(go())
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not table.FUSE.exists(), reason="only root may mount here")


@pytest.fixture
def disk(ground: Ground) -> Iterator[Path]:
    """A disk on a host; nothing is mounted there afterwards."""
    ground.paths.state.mkdir()
    image(ground.folder / "a.qcow2", OLD)
    yield ground.folder / "a.qcow2"
    ground.kill_service()
    table.unmount(place(ground), lazy=True)


def place(ground: Ground) -> Path:
    return ground.folder / "there" / "disk.raw"


def mount(client: Client, ground: Ground) -> None:
    client.mount_disk(str(ground.folder / "a.qcow2"), str(ground.folder / "there"), writable=True)


def unmount(client: Client, ground: Ground) -> None:
    client.unmount_disk(str(ground.folder / "there"))


def write(ground: Ground) -> bytes:
    """Write to the mounted disk; the content that it has then."""
    with place(ground).open("r+b", buffering=0) as file:
        file.write(NEW)
    return NEW + OLD[MIB:]


def reader(ground: Ground) -> int:
    [(pid, _)] = ground.running("qemu-system-x86_64")
    return pid


def view(ground: Ground) -> int:
    [(pid, _)] = ground.running("qemu-storage-daemon")
    return pid


def check_nothing_left(ground: Ground) -> None:
    assert not ground.client().disk_mounts()
    assert not table.is_mounted(place(ground))
    assert not place(ground).parent.exists()
    assert not list(ground.paths.mounts.iterdir())
    assert not ground.running("qemu-system-x86_64")
    assert not ground.running("qemu-storage-daemon")


def test_a_mount_outlives_the_service(ground: Ground, disk: Path) -> None:
    ground.serve()
    said = ground.kiban("disk", "mount", "a.qcow2", "there", "--write")
    line = f"{disk}: to be written to, at {place(ground)}\n"
    assert (said.code, said.out) == (0, line), said.err
    ground.kill_service()
    expected = write(ground)
    assert place(ground).read_bytes() == expected
    ground.serve()
    [found] = ground.client().disk_mounts()
    assert (found.disk, found.directory, found.writable) == (str(disk), str(place(ground).parent), True)
    refused = attempt(ground.client().convert_disk, str(disk), str(ground.folder / "b.raw"))
    assert refused is not None
    assert refused.reason == "disk-mounted"
    assert ground.kiban("disk", "mounts").out == line
    assert ground.kiban("disk", "unmount", "there").code == 0
    check_nothing_left(ground)
    assert ground.kiban("disk", "mounts").out == "No disk is mounted.\n"
    assert content(disk) == expected


def test_who_reads_the_image_is_nobody_and_confined(ground: Ground, disk: Path) -> None:
    ground.serve()
    mount(ground.client(), ground)
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{reader(ground)}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split()[0] != "0"
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert int(status["CapEff"], 16) == 0
    assert str(disk) not in Path(f"/proc/{view(ground)}/cmdline").read_text()
    facts = place(ground).stat()
    assert (facts.st_uid, facts.st_mode & 0o777) == (0, 0o600)
    unmount(ground.client(), ground)


@pytest.mark.parametrize("who", [reader, view])
@pytest.mark.parametrize("served", [True, False], ids=["with the service", "after the service"])
def test_a_process_of_a_mount_is_killed(ground: Ground, disk: Path, who: object, served: bool) -> None:
    ground.serve()
    mount(ground.client(), ground)
    expected = write(ground)
    assert callable(who)
    pid = who(ground)
    file = os.open(place(ground), os.O_RDONLY)
    if not served:
        ground.kill_service()
    end(pid)
    with pytest.raises(OSError, match=r"error|connected|abort"):
        os.pread(file, MIB, 10 * MIB)
    with suppress(OSError):  # it is told here too
        os.close(file)
    if not served:
        ground.serve()
    eventually("the mount is cleared away", lambda: not place(ground).parent.exists())
    eventually("its folder is removed", lambda: not list(ground.paths.mounts.iterdir()))
    check_nothing_left(ground)
    assert content(disk) == expected
    mount(ground.client(), ground)
    assert place(ground).read_bytes() == expected
    unmount(ground.client(), ground)


@pytest.mark.parametrize("act", [mount, unmount])
def test_the_service_is_killed_at_every_thing_it_does(ground: Ground, disk: Path, act: object) -> None:
    service, points, expected = Dying(ground), [], OLD
    assert callable(act)
    for count in range(1, MOST):
        try:
            if act is unmount:
                mount(ground.client(), ground)
                expected = write(ground)
            died = service.interrupt(count, act, ground.client(), ground)
            if not died:
                break
            points.append(died)
        finally:
            service.kill()
        service = Dying(ground)
        if ground.client().disk_mounts():  # whole, or not there at all
            assert place(ground).read_bytes() == expected
            unmount(ground.client(), ground)
        check_nothing_left(ground)
        assert content(disk) == expected
    service.kill()
    assert len(points) > 3, f"too few things were seen to be done: {points}"
    assert count < MOST - 1
    assert "Traceback" not in ground.log(), ground.log()


def test_a_user_mounts_without_root(ground: Ground, disk: Path) -> None:
    """By fusermount3, for nobody else's eyes, and unmounts again."""
    home = ground.folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    script = home / "script.py"
    script.write_text(USER.format(image=disk, home=home))
    disk.chmod(0o644)
    done = ground.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *KIBAN[:1], str(script)])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0o400 mount-busy\n"
    assert not table.is_mounted(home / "there" / "disk.raw")
    assert content(disk) == OLD
