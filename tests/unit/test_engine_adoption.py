# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that outlive their service: taken on again after a real SIGKILL, in whatever state it left them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import machines
import pytest
from engine_world import World, run, world

from kiban.adapters.qemu import process
from kiban.adapters.store import directory as store
from kiban.engine import adoption, editing, life, supervision
from kiban.engine.handle import PARTIAL, SAVED, Handle
from kiban.engine.host import Host
from kiban.errors import Conflict, KibanError

SERVICE = """
import asyncio, os, sys
from pathlib import Path
from kiban.adapters.qemu import process
from kiban.engine import life
from kiban.engine.host import Host
from kiban.paths import Paths
process.account = lambda name="": process.Account("me", os.geteuid(), os.getegid())
async def main():
    host = await Host.open(Paths(Path(sys.argv[1]), Path(sys.argv[2])))
    handle = host.find("m1")
    await life.start(host, handle)
    if sys.argv[3] == "pause":
        await life.pause(handle)
    print(handle.process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def now(handle: Handle) -> str:
    """The state, as a call: it changes behind the back of a type checker that narrows attributes."""
    return handle.state


async def until(handle: Handle, state: str) -> None:
    while handle.state != state:
        await asyncio.sleep(0.01)


def killed_service(there: World, then: str = "") -> int:
    """Have another process be the service, start m1, and die by SIGKILL; returns the pid of the QEMU it leaves."""
    there.put(machines.make(1, nics=()))
    arguments = [sys.executable, "-c", SERVICE, str(there.paths.state), str(there.paths.runtime), then]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        service.kill()
    assert there.living() == [pid]
    return pid


@pytest.mark.parametrize(("then", "state"), [("", "running"), ("pause", "paused")])
def test_a_machine_outlives_its_service(there: World, then: str, state: str) -> None:
    pid = killed_service(there, then)

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        assert handle.process is not None
        assert (now(handle), handle.process.pid, handle.accelerator) == (state, pid, "tcg")
        assert handle.started
        with pytest.raises(Conflict):
            await life.start(host, handle)
        if state == "paused":
            await life.resume(handle)
        await life.shut_down(handle, 30)
        assert (now(handle), handle.reason, there.living()) == ("off", "the guest shut down", [])
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_an_adopted_machine_that_dies_is_off(there: World) -> None:
    pid = killed_service(there)

    async def go() -> None:
        handle = (await Host.open(there.paths)).find("m1")
        os.kill(pid, signal.SIGKILL)
        await until(handle, "off")
        assert handle.reason

    run(go())


def test_services_come_and_go_and_the_machine_stays(there: World) -> None:
    pid = killed_service(there)

    async def go() -> None:
        for _ in range(3):
            host = await Host.open(there.paths)
            assert now(host.find("m1")) == "running"
            await host.close()
        assert there.living() == [pid]

    run(go())


def test_a_machine_that_ended_unwatched(there: World) -> None:
    os.kill(killed_service(there), signal.SIGKILL)
    lock = there.paths.machines / "00000000-0000-0000-0000-000000000001" / "lock"

    async def go() -> None:
        while process.is_locked(lock):
            await asyncio.sleep(0.01)
        handle = (await Host.open(there.paths)).find("m1")
        assert (now(handle), handle.reason) == ("off", "it ended while the service was not running")
        assert not handle.runtime.exists()

    run(go())


def test_a_qemu_that_cannot_be_reached_is_left_running_and_can_be_turned_off(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LAST_WORDS_SECONDS", 0.1)
    pid = killed_service(there)
    (there.paths.of_machine("00000000-0000-0000-0000-000000000001") / "qmp.sock").unlink()

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        assert there.living() == [pid]
        assert "cannot be reached" in handle.warnings[0]
        with pytest.raises(KibanError):
            await life.start(host, handle)
        with pytest.raises(Conflict):
            await editing.remove(host, handle)
        await life.turn_off(handle)
        assert (now(handle), there.living()) == ("off", [])
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_a_running_machine_whose_definition_is_damaged_meanwhile(there: World) -> None:
    killed_service(there)
    directory = next(store.scan(there.paths.machines))
    (directory / "vm.json").write_text("{")

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find(directory.name)
        assert (now(handle), bool(handle.problem)) == ("running", True)
        await life.turn_off(handle)
        assert now(handle) == "off"
        await editing.remove(host, handle)
        assert list(store.scan(there.paths.machines)) == []

    run(go())


def test_a_save_that_was_killed_goes_on_running(there: World) -> None:
    killed_service(there, "pause")
    directory = next(store.scan(there.paths.machines))
    (directory / PARTIAL).write_bytes(b"half")

    async def go() -> None:
        handle = (await Host.open(there.paths)).find("m1")
        assert (now(handle), await handle.live.status()) == ("running", "running")
        assert not (directory / PARTIAL).exists()

    run(go())


def test_a_save_that_was_killed_after_its_rename_is_saved(there: World) -> None:
    killed_service(there, "pause")
    directory = next(store.scan(there.paths.machines))
    (directory / SAVED).write_bytes(b"what the guest had in mind")

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        assert (now(handle), there.living()) == ("saved", [])
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


@pytest.fixture
def hung(there: World, monkeypatch: pytest.MonkeyPatch) -> int:
    """The pid of a running machine's QEMU that hangs, left by a killed service."""
    monkeypatch.setattr(adoption, "PATIENCE", 0.1)
    monkeypatch.setattr(supervision, "ASK_SECONDS", 0.1)
    pid = killed_service(there)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_qemu_that_hangs_does_not_hold_up_the_service(there: World, hung: int) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        assert handle.process is not None
        assert (now(handle), handle.process.pid, handle.warnings) == ("running", hung, [adoption.SILENT])
        with pytest.raises(Conflict, match="does not answer") as caught:
            await life.pause(handle)
        assert "--force" in caught.value.hint
        os.kill(hung, signal.SIGCONT)
        assert handle.adoption is not None
        await handle.adoption
        assert (handle.accelerator, handle.warnings) == ("tcg", [])
        await life.pause(handle)
        assert now(handle) == "paused"

    run(go())


def test_a_qemu_that_hangs_is_turned_off(there: World, hung: int) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        await life.turn_off(handle)
        assert (now(handle), there.living()) == ("off", [])
        assert handle.adoption is not None
        await handle.adoption
        assert handle.warnings == []
        assert "was killed" in handle.reason
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_a_qemu_that_comes_to_hang_is_turned_off(there: World, hung: int) -> None:
    os.kill(hung, signal.SIGCONT)

    async def go() -> None:
        handle = (await Host.open(there.paths)).find("m1")
        assert handle.adoption is not None
        await handle.adoption
        os.kill(hung, signal.SIGSTOP)
        await life.turn_off(handle)
        assert (now(handle), there.living()) == ("off", [])
        assert "was killed" in handle.reason

    run(go())


def test_a_service_leaves_a_qemu_that_hangs(there: World, hung: int) -> None:
    async def go() -> None:
        await (await Host.open(there.paths)).close()

    run(go())
    assert there.living() == [hung]


def test_a_machine_that_was_started_elsewhere_is_noticed(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "PATIENCE", 0.1)
    there.put(machines.make(1, nics=()))

    async def go() -> None:
        ours, theirs = await Host.open(there.paths), await Host.open(there.paths)
        await life.start(theirs, theirs.find("m1"))
        handle = ours.find("m1")
        assert now(handle) == "off"
        with pytest.raises(Conflict, match="somebody else"):
            await life.start(ours, handle)
        while handle.process is None or adoption.SILENT not in handle.warnings:  # the other one has the monitor
            await asyncio.sleep(0.01)
        assert (now(handle), [handle.process.pid]) == ("running", there.living())
        await theirs.close()
        assert handle.adoption is not None
        await handle.adoption
        assert (now(handle), handle.accelerator, handle.warnings) == ("running", "tcg", [])
        await life.shut_down(handle, 30)
        assert (now(handle), handle.reason, there.living()) == ("off", "the guest shut down", [])

    run(go())


STARTER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_who_only_means_to_start_a_machine_is_not_taken_for_its_qemu(there: World) -> None:
    machine = machines.make(1, nics=())
    there.put(machine)

    arguments = [sys.executable, "-c", STARTER, str(there.lock(machine))]

    async def go(starter: subprocess.Popen[bytes]) -> None:
        host = await Host.open(there.paths)
        handle = host.find("m1")
        found = process.holders([there.lock(machine)])
        assert list(found.values()) == [process.Holder(inherited=False, pid=starter.pid)]
        assert (now(handle), handle.process) == ("running", None)
        with pytest.raises(Conflict):
            await life.start(host, handle)
        await asyncio.sleep(2 * adoption.LOOK_SECONDS)
        assert (now(handle), handle.process) == ("running", None)
        starter.kill()
        await until(handle, "off")
        await life.start(host, handle)
        assert now(handle) == "running"

    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        run(go(starter))
