# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's life with a QEMU that speaks QMP but runs no guest: states, failures, and what is left after them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import machines
import pytest
from engine_world import World, one, run, world

from kiban.adapters.qemu import probe, process
from kiban.adapters.qemu.monitor import Monitor
from kiban.adapters.store import directory as store
from kiban.engine import host as host_module
from kiban.engine import life, saving, supervision, view
from kiban.engine.handle import SAVED, Handle
from kiban.engine.host import Host
from kiban.errors import Conflict, Failed, HostLacks, KibanError, NotFound, TimedOut
from kiban.model.machine import Forward
from kiban.model.requests import ComRequest, DiskRequest, NicRequest


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def left(there: World) -> list[str]:
    """What stands around machines in the runtime directory."""
    return sorted(entry.name for entry in there.paths.of_machine("").iterdir())


def now(handle: Handle) -> str:
    """The state, as a call: it changes behind the back of a type checker that narrows attributes."""
    return handle.state


async def until(handle: Handle, state: str) -> None:
    while handle.state != state:
        await asyncio.sleep(0.01)


def test_start_and_turn_off(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        picture = view.of(handle)
        assert (picture.state, picture.accelerator, picture.problem) == ("running", "tcg", "")
        assert there.living() == [picture.pid]
        assert [h.pid for h in process.holders([handle.directory / "lock"]).values()] == [picture.pid]
        await life.turn_off(handle)
        picture = view.of(handle)
        assert (picture.state, picture.reason, picture.pid, picture.started) == ("off", "turned off", None, None)
        assert not process.is_locked(handle.directory / "lock")
        assert left(there) == []
        await host.close()

    run(go())
    assert there.living() == []


def test_the_reason_outlives_the_service(there: World) -> None:
    async def first() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await life.shut_down(handle, 30)
        assert (now(handle), handle.reason) == ("off", "the guest shut down")
        await host.close()

    async def second() -> None:
        host = await Host.open(there.paths)
        assert host.find("m1").reason == "the guest shut down"

    run(first())
    run(second())


def test_a_guest_that_does_not_shut_down_stays_running(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "deaf")

    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        with pytest.raises(TimedOut, match="did not shut down within 0 s") as caught:
            await life.shut_down(handle, 0.1)
        assert "--force m1" in caught.value.hint
        assert now(handle) == "running"
        await life.turn_off(handle)
        assert now(handle) == "off"

    run(go())


def test_pause_resume_reset_restart(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await life.pause(handle)
        assert (now(handle), await handle.live.status()) == ("paused", "paused")
        with pytest.raises(Conflict, match="it is paused"):
            await life.shut_down(handle, 1)
        await life.resume(handle)
        assert (now(handle), await handle.live.status()) == ("running", "running")
        await life.pause(handle)
        await life.reset(handle)
        assert (now(handle), await handle.live.status()) == ("running", "running")
        before = handle.process
        await life.restart(host, handle, 30)
        assert before is not None
        assert handle.process is not None
        assert before.pid != handle.process.pid
        assert there.living() == [handle.process.pid]

    run(go())


def test_qemu_that_dies_at_start_gives_its_words(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "die")

    async def go() -> None:
        host, handle = await one(there)
        with pytest.raises(Failed, match=r"QEMU did not start m1: QEMU failed: -m: cannot allocate\?\[2J memory"):
            await life.start(host, handle)
        assert now(handle) == "off"
        assert "cannot allocate" in handle.reason
        assert "cannot allocate" in str(store.read_status(handle.directory)["reason"])
        monkeypatch.setenv("FAKE_QEMU", "")
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_who_connects_to_a_qemu_that_dies_notices_it_himself(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library that does so complains in the log when it is interrupted in that."""
    monkeypatch.setenv("FAKE_QEMU", "die")
    broken_off: list[bool] = []

    async def connect(*_: object) -> None:
        try:
            while there.living() or not there.started():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            broken_off.append(True)
            raise
        raise Failed("QEMU does not answer.")

    async def go() -> None:
        host, handle = await one(there)
        monkeypatch.setattr(Monitor, "connect", connect)
        with pytest.raises(Failed, match="did not start m1: QEMU failed"):
            await life.start(host, handle)
        assert now(handle) == "off"

    run(go())
    assert not broken_off


def test_qemu_that_is_killed_leaves_the_machine_off(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        os.kill(there.living()[0], signal.SIGKILL)
        await until(handle, "off")
        assert handle.reason == "QEMU was ended by SIGKILL"
        assert left(there) == []
        with pytest.raises(Conflict, match="it is off"):
            await life.pause(handle)
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_qemu_that_dies_while_it_is_told_something(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "die-on-cont")

    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await life.pause(handle)
        with pytest.raises(Failed, match="QEMU ended during cont"):
            await life.resume(handle)
        await until(handle, "off")

    run(go())


def test_a_start_that_is_cancelled_leaves_no_qemu(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "slow")

    async def go() -> None:
        host, handle = await one(there)
        starting = asyncio.create_task(life.start(host, handle))
        while not there.living():
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert (now(handle), there.living(), left(there)) == ("off", [], [])
        assert not process.is_locked(handle.directory / "lock")

    run(go())


def test_a_start_that_hangs_can_be_turned_off(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "slow")

    async def go() -> None:
        host, handle = await one(there)
        starting = asyncio.create_task(life.start(host, handle))
        while not there.living():
            await asyncio.sleep(0.01)
        await life.turn_off(handle)
        with pytest.raises(Failed, match="did not start m1"):
            await starting
        assert (now(handle), there.living()) == ("off", [])

    run(go())


def test_two_starts_at_once_of_one_service(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        results = await asyncio.gather(*(life.start(host, handle) for _ in range(3)), return_exceptions=True)
        assert sorted(type(r).__name__ for r in results) == ["Conflict", "Conflict", "NoneType"]
        assert len(there.started()) == 1

    run(go())


def test_two_starts_from_two_services(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        other = await Host.open(there.paths)
        results = await asyncio.gather(
            life.start(host, handle), life.start(other, other.find("m1")), return_exceptions=True
        )
        errors = [r for r in results if r is not None]
        assert [type(e) for e in errors] == [Conflict]
        assert isinstance(errors[0], Conflict)
        assert errors[0].reason == "is-running"
        assert len(there.started()) == 1
        winner = handle if results[0] is None else other.find("m1")
        # the loser must not have cleared the winner's sockets away
        assert (winner.state, await winner.live.status()) == ("running", "running")
        assert (winner.runtime / "qmp.sock").exists()

    run(go())


async def refused(there: World, kind: type[KibanError], words: str, **request: Any) -> None:
    host, handle = await one(there, **request)
    with pytest.raises(kind, match=words) as caught:
        await life.start(host, handle)
    assert caught.value.hint
    assert now(handle) == "off"
    assert handle.reason == f"it did not start: {caught.value.message}"
    assert (left(there), there.living()) == ([], [])
    assert not process.is_locked(handle.directory / "lock")


def test_a_missing_disk_is_named(there: World) -> None:
    disk = DiskRequest(path="/nowhere/at-all.img", format="raw")
    run(refused(there, NotFound, "/nowhere/at-all.img does not exist", disks=(disk,)))
    assert there.started() == []


def test_not_enough_memory(there: World) -> None:
    run(refused(there, HostLacks, "m1 wants 512 GiB of memory", memory=512 * 1024**3))
    assert there.started() == []


@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_a_busy_port(there: World, address: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = int(taken.getsockname()[1])
        forward = Forward(protocol="tcp", host_address=address, host_port=port, guest_port=22)
        run(refused(there, Conflict, str(port), nics=(NicRequest(forwards=(forward,)),)))
    assert there.started() == []


def test_no_qemu(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(there.root))
    run(refused(there, HostLacks, "qemu-system-x86_64 is not installed"))


def test_a_com_port_does_not_remove_what_is_not_a_socket(there: World) -> None:
    precious = there.root / "precious"
    precious.write_text("mine")
    coms = (ComRequest(number=1, kind="socket", path=str(precious)),)
    run(refused(there, Conflict, "precious exists and is not a socket", coms=coms))
    assert precious.read_text() == "mine"


def test_a_com_port_on_a_socket_in_use(there: World) -> None:
    place = there.root / "used"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen(1)
        coms = (ComRequest(number=1, kind="socket", path=str(place)),)
        run(refused(there, Conflict, "Somebody listens on", coms=coms))
    assert place.exists()


def test_save_and_restore(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await saving.save(handle)
        assert (now(handle), handle.reason, there.living()) == ("saved", "saved", [])
        assert (handle.directory / SAVED).read_bytes() == b"what the guest had in mind"
        await life.start(host, handle)
        assert (now(handle), await handle.live.status()) == ("running", "running")
        assert not (handle.directory / SAVED).exists()

    run(go())


def test_saving_wants_the_space_of_what_the_guest_has_touched(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        host, handle = await one(there, memory=256 << 20)
        await life.start(host, handle)
        free = SimpleNamespace(f_frsize=4096, f_bavail=100)
        monkeypatch.setattr(os, "statvfs", lambda _: free)
        with pytest.raises(HostLacks, match="not enough space"):
            await saving.save(handle)
        assert now(handle) == "running"
        free.f_bavail = handle.machine.memory // 4096 - 1
        await saving.save(handle)
        assert now(handle) == "saved"

    run(go())


def test_a_save_that_fails_lets_the_guest_go_on(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "no-save")

    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        with pytest.raises(Failed, match="Saving memory of m1 failed"):
            await saving.save(handle)
        assert (now(handle), await handle.live.status()) == ("running", "running")
        assert list(handle.directory.glob("memory*")) == []

    run(go())


def test_damaged_memory_stays_saved(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        (handle.directory / SAVED).write_bytes(b"rubbish")
        handle.state = "saved"
        with pytest.raises(Failed, match="Restoring memory of m1 failed"):
            await life.start(host, handle)
        assert (now(handle), there.living()) == ("saved", [])
        assert (handle.directory / SAVED).read_bytes() == b"rubbish"
        await saving.discard(handle)
        assert now(handle) == "off"
        await life.start(host, handle)

    run(go())


def test_a_restore_that_fails_after_its_memory_is_gone_is_off(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await saving.save(handle)
        monkeypatch.setenv("FAKE_QEMU", "die-on-cont")
        with pytest.raises(Failed, match="QEMU ended during cont"):
            await life.start(host, handle)
        assert now(handle) == "off"
        monkeypatch.setenv("FAKE_QEMU", "")
        await life.start(host, handle)
        assert now(handle) == "running"

    run(go())


def test_discard_keeps_its_word_on_a_full_disk(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, __: object) -> None:
        raise HostLacks("Cannot write.")

    async def go() -> None:
        _, handle = await one(there)
        (handle.directory / SAVED).write_bytes(b"x")
        handle.state = "saved"
        monkeypatch.setattr(store, "write_status", full)
        with pytest.raises(HostLacks):
            await saving.discard(handle)
        assert now(handle) == supervision.state_on_disk(handle) == "off"

    run(go())


def test_autostart_goes_on_after_one_that_cannot(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = DiskRequest(path="/nowhere/at-all.img", format="raw")
    there.put(machines.make(1, serial=1, nics=(), autostart=True, disks=(gone,)))
    there.put(machines.make(1, serial=2, nics=(), autostart=True))
    there.put(machines.make(1, serial=3, nics=()))

    async def go() -> None:
        host = await Host.open(there.paths)
        await host.autostart()
        assert [host.find(f"m{n}").state for n in (1, 2, 3)] == ["off", "running", "off"]
        assert "at-all.img does not exist" in host.find("m1").reason

    run(go())


@pytest.mark.parametrize("name", ["kvm", "tcg"])
def test_a_host_without_kvm_is_told_of_once(there: World, name: str) -> None:
    for serial in (1, 2):
        there.put(machines.make(1, serial=serial, nics=()))

    async def go() -> None:
        host = await Host.open(there.paths)
        host.acceleration = probe.Acceleration(name=name, why="it has none")
        first, second = host.find("m1"), host.find("m2")
        for handle in (first, second):
            await life.start(host, handle)
        said = [w for handle in (first, second) for w in handle.warnings if "without KVM here" in w]
        assert said == ([] if name == "kvm" else [w for w in first.warnings if "it has none" in w])
        assert bool(said) == (name == "tcg")

    run(go())


def test_autostart_is_once_in_a_boot_of_the_host(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    there.put(machines.make(1, nics=(), autostart=True))

    async def state_after_another_service(boot: str) -> str:
        (there.root / "boot_id").write_text(boot)
        monkeypatch.setattr(host_module, "BOOT_ID", there.root / "boot_id")
        host = await Host.open(there.paths)
        await host.autostart()
        handle = host.find("m1")
        found = now(handle)
        if handle.alive:
            await life.turn_off(handle)
        await host.close()
        return found

    async def go() -> None:
        assert [await state_after_another_service(boot) for boot in "aab"] == ["running", "off", "running"]

    run(go())


def test_a_machine_whose_qemu_says_much_does_not_fill_the_disk(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "LOG_SECONDS", 0.01)

    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        log = handle.directory / "qemu.log"
        with log.open("ab") as file:
            file.write(b"words\n" * process.MAX_LOG)
        while log.stat().st_size > process.MAX_LOG:
            await asyncio.sleep(0.01)
        assert process.last_words(log) == "words"
        await host.close()

    run(go())


def test_a_start_that_is_cancelled_when_the_machine_runs_is_done(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        looking = asyncio.Event()

        async def look(_: Handle) -> None:
            looking.set()
            await asyncio.sleep(600)

        monkeypatch.setattr(life, "_compare_firmware", look)
        host, handle = await one(there)
        start = asyncio.create_task(life.start(host, handle))
        await looking.wait()
        start.cancel()
        await start
        assert (now(handle), len(there.living())) == ("running", 1)

    run(go())
