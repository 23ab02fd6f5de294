# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk is merged while its machine runs, and the service is killed, or the merge cancelled: nothing is lost."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from faults_disks import tool
from faults_dying import Dying
from faults_ground import LIMIT, Ground, Qmp, attempt, end, eventually
from faults_invariants import check
from test_disk_full import leave, small  # noqa: F401  # a fixture

from kiban.client import Client
from kiban.engine import creating, life
from kiban.engine import merging as engine_merging
from kiban.engine.host import Host
from kiban.errors import HostLacks
from kiban.model.requests import DiskRef, DiskRequest, MachineRequest

MIB = 1 << 20
BLOCK = 4096
MOST = 120
DATA = 256 * MIB
TRIES = 10


def base(ground: Ground) -> Path:
    """The parent, where QEMU's user gets through."""
    return ground.folder / "base.qcow2"


def linked(ground: Ground, size: str = "8M") -> None:
    """A machine that runs on a child of the parent, from whatever state a death has left."""
    client, image = ground.client(), base(ground)
    if not image.exists():
        tool("qemu-img", "create", "-q", "-f", "qcow2", image, size)
    found = [machine for machine in client.machines() if machine.name == "m"]
    if found and found[0].disks[0].path == str(image):
        client.stop("m", force=True)
        client.remove("m")
    if not client.machines():
        disk = DiskRequest(path=str(image), format="qcow2", link=True)
        client.create("m", generation=1, memory=16 * MIB, disks=(disk,))
        client.start("m")


def write_as_guest(ground: Ground, command: str) -> None:
    """Through the node that the guest's device has; no service may be there, since QEMU has one caller at a time."""
    place = ground.paths.of_machine(next(iter(ground.paths.machines.iterdir())).name)
    with Qmp(place / "qmp.sock") as qmp:
        for each in (command, "flush"):  # what a guest has not flushed may be lost with its QEMU
            line = f'qemu-io -d /machine/peripheral/disk0 "{each}"'
            told = qmp.ask("human-monitor-command", **{"command-line": line})
            assert not told, told  # it speaks only to complain


def child(ground: Ground) -> Path:
    machine = ground.client().machine("m")
    return Path(machine.directory) / machine.disks[0].path


def test_a_merge_is_killed_at_every_thing_it_does(ground: Ground) -> None:
    ground.paths.state.mkdir()
    service, client, points, written = Dying(ground), ground.client(), [], []
    try:
        for count in range(1, MOST):
            linked(ground)
            if count % 3 == 1:  # there is something to be merged in two more attempts, unless one gets through
                service.kill()
                write_as_guest(ground, f"write -P {count} {count * BLOCK} {BLOCK}")
                written.append(count)
                service = Dying(ground)
            assert check(ground)["m"].state == "running"
            died = service.interrupt(count, client.merge_disk, "m:disk0")
            if not died:
                break
            points.append(died)
            service.kill()
            service = Dying(ground)
            _settled(ground, client)
        assert len(points) > 10, points
        assert count < MOST - 1
        assert child(ground) == base(ground)
        client.stop("m", force=True)
        _read_back(ground, written)
    finally:
        service.kill()


def _settled(ground: Ground, client: Client) -> None:
    """The guest runs, on the child or on the parent, and the other service has left nothing to do."""
    machine = check(ground)["m"]
    assert machine.state == "running"
    assert not machine.warnings
    on = child(ground)
    assert on.exists()
    left = [entry.name for entry in Path(machine.directory).glob("disk*.qcow2") if entry != on]
    assert not left, left
    if on != base(ground):
        record = on.read_bytes()[:BLOCK]
        assert b"merging:" not in record, "it would accept any state of its parent"


def _read_back(ground: Ground, written: list[int]) -> None:
    commands = [word for n in written for word in ("-c", f"read -P {n} {n * BLOCK} {BLOCK}")]
    told = tool("qemu-io", "-r", "-f", "qcow2", *commands, base(ground))
    assert told.count("read ") == len(written)
    assert "verification failed" not in told
    tool("qemu-img", "check", "-f", "qcow2", base(ground))


def full(ground: Ground) -> None:
    """A linked machine with so much in its child that a merge can be caught in the middle."""
    ground.serve()
    linked(ground, "512M")
    ground.kill_service()
    write_as_guest(ground, f"write -P 1 0 {DATA}")
    ground.serve()


def caught(ground: Ground) -> tuple[subprocess.Popen[str], int]:
    """A merge whose data are on their way into the parent, and its QEMU, which stands still then."""
    for _ in range(TRIES):
        before = base(ground).stat().st_size
        [pid] = ground.qemu(ground.client().machine("m").id)
        merging = ground.begin("disk", "merge", "m:disk0")
        eventually("the parent is written to", lambda: base(ground).stat().st_size > before + MIB)  # noqa: B023
        os.kill(pid, signal.SIGSTOP)
        if base(ground).stat().st_size < before + DATA - 16 * MIB:
            return merging, pid
        os.kill(pid, signal.SIGCONT)
        merging.communicate(timeout=LIMIT)
        anew(ground)
    raise AssertionError("it was through each time before it was caught")


def anew(ground: Ground) -> None:
    """All from the beginning: a parent that has everything already does not grow."""
    client = ground.client()
    client.stop("m", force=True)
    client.remove("m")
    ground.kill_service()
    base(ground).unlink()
    full(ground)


def cancel(ground: Ground) -> None:
    merging, pid = caught(ground)
    merging.send_signal(signal.SIGINT)
    merging.communicate(timeout=60)
    assert merging.returncode == 130
    os.kill(pid, signal.SIGCONT)
    client = ground.client()
    assert client.job(client.jobs()[-1].id, wait=60).state == "cancelled"
    assert check(ground)["m"].state == "running"
    assert b"merging:" not in child(ground).read_bytes()[:BLOCK]


def has_all(ground: Ground) -> None:
    assert child(ground) == base(ground)
    ground.client().stop("m", force=True)
    told = tool("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P 1 0 {DATA}", base(ground))
    assert "verification failed" not in told


def test_a_cancelled_merge_leaves_the_guest_on_its_child(ground: Ground) -> None:
    full(ground)
    cancel(ground)
    client = ground.client()
    client.create_disk(str(ground.folder / "two.qcow2"), parent=str(base(ground)))  # nobody writes to it any more
    (ground.folder / "two.qcow2").unlink()
    client.merge_disk("m:disk0")
    assert check(ground)["m"].state == "running"
    has_all(ground)


def test_a_parent_that_changes_after_a_cancelled_merge_is_noticed(ground: Ground) -> None:
    full(ground)
    cancel(ground)
    client = ground.client()
    client.stop("m", force=True)
    client.start("m")  # its parent is as the merge has left it
    client.stop("m", force=True)
    tool("qemu-io", "-f", "qcow2", "-c", f"write 400M {MIB}", base(ground))
    refused = attempt(client.start, "m")
    assert refused is not None
    assert refused.reason == "parent-changed"


def test_a_qemu_that_is_killed_during_a_merge(ground: Ground) -> None:
    full(ground)
    merging, pid = caught(ground)
    end(pid)
    merging.communicate(timeout=60)
    assert merging.returncode in (4, 8)  # it is off, or QEMU has ended
    client = ground.client()
    eventually("it is off", lambda: client.machine("m").state == "off")
    assert b"merging:" not in child(ground).read_bytes()[:BLOCK]
    client.start("m")
    client.merge_disk("m:disk0")
    has_all(ground)


def test_a_merge_into_a_full_disk_leaves_the_guest_on_its_child(ground: Ground, small: Path) -> None:  # noqa: F811
    ground.serve()
    client, image = ground.client(), small / "base.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", image, "64M")
    disk = DiskRequest(path=str(image), format="qcow2", link=True)
    client.create("m", generation=1, memory=16 * MIB, disks=(disk,))
    client.start("m")
    ground.kill_service()
    write_as_guest(ground, f"write -P 1 0 {8 * MIB}")
    ground.serve()
    ballast = leave(small, MIB)
    refused = attempt(client.merge_disk, "m:disk0")
    assert refused is not None
    assert refused.reason == "no-space", refused
    assert check(ground)["m"].state == "running"
    assert b"merging:" not in child(ground).read_bytes()[:BLOCK]
    ballast.unlink()
    client.merge_disk("m:disk0")
    assert child(ground) == image
    client.stop("m", force=True)
    told = tool("qemu-io", "-r", "-f", "qcow2", "-c", f"read -P 1 0 {8 * MIB}", image)
    assert "verification failed" not in told


def test_a_guest_stands_still_until_its_definition_can_be_written(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU has changed over already when the disk becomes full: nothing may be written to the parent before."""
    image = base(ground)
    tool("qemu-img", "create", "-q", "-f", "qcow2", image, "8M")
    disk = DiskRequest(path=str(image), format="qcow2", link=True)

    def is_full(*_: object) -> None:
        raise HostLacks("There is no space left.", "Free some")

    async def go(host: Host) -> None:
        handle = await creating.create(host, MachineRequest(name="m", generation=1, memory=16 * MIB, disks=(disk,)))
        await life.start(host, handle)
        try:
            monkeypatch.setattr(engine_merging, "_name_parent", is_full)
            for refused in (engine_merging.merge(host, DiskRef(machine="m", disk="disk0")), life.resume(handle)):
                with pytest.raises(HostLacks):
                    await refused
                assert (handle.state, await handle.live.status()) == ("paused", "paused")
            monkeypatch.undo()
            await life.resume(handle)
            assert (handle.state, await handle.live.status()) == ("running", "running")
            assert handle.machine.disks[0].path == str(image)
            assert not list(handle.directory.glob("disk0*"))
        finally:
            await life.turn_off(handle)

    async def on_a_host() -> None:
        host = await Host.open(ground.paths)
        await go(host)
        await host.close()

    asyncio.run(asyncio.wait_for(on_a_host(), 120))


@pytest.mark.parametrize("form", ["vhdx", "vhd"])
def test_a_machine_on_a_parent_that_stays_open_is_not_saved(ground: Ground, form: Any) -> None:
    ground.serve()
    client, image = ground.client(), ground.folder / f"base.{form}"
    client.create_disk(str(image), 8 * MIB)
    client.create("m", generation=1, memory=16 * MIB, disks=(DiskRequest(path=str(image), format=form, link=True),))
    client.start("m")
    said = ground.kiban("save", "m")
    assert said.code == 4
    assert said.err.splitlines()[0].startswith(f"m cannot be saved: disk0 is made on a {form}"), said.err
    assert check(ground)["m"].state == "running"
