# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as things: found again after the service was killed, listed when damaged, edited, renamed, removed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import World, one, run, world

from kiban.adapters.qemu import process
from kiban.adapters.store import directory as store
from kiban.commands import life as life_commands
from kiban.commands import machines as commands
from kiban.commands.registry import COMMANDS
from kiban.engine import editing, launch, life, saving, supervision
from kiban.engine.handle import PARTIAL, SAVED, Handle
from kiban.engine.host import Host
from kiban.engine.paths import Paths
from kiban.errors import BadInput, Conflict, Damaged, HostLacks, KibanError, NotFound
from kiban.model.requests import Changes

SERVICE = """
import asyncio, os, sys
from pathlib import Path
from kiban.adapters.qemu import process
from kiban.engine import life
from kiban.engine.host import Host
from kiban.engine.paths import Paths
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


# adoption


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


# damage


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"version": 9}', b"[" * 100_000])
def test_a_damaged_machine_is_listed_and_can_be_removed(there: World, content: bytes | None) -> None:
    machine = machines.make(1, nics=())
    directory = there.put(machine)
    there.put(machines.make(1, nics=(), serial=2))
    (directory / "vm.json").unlink() if content is None else (directory / "vm.json").write_bytes(content)

    async def go() -> None:
        host = await Host.open(there.paths)
        views = await commands.list_all(host)
        assert [(v.name, v.state) for v in views] == [(machine.id, "off"), ("m2", "off")]
        assert str(directory) in views[0].problem
        assert not views[1].problem
        assert (await commands.info(host, machine.id)).problem == views[0].problem
        attempts: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: life_commands.start(host, machine.id, progress=lambda *_: None),
            lambda: commands.edit(host, machine.id, Changes(notes="x")),
            lambda: commands.rename(host, machine.id, "better"),
        ]
        for attempt in attempts:
            with pytest.raises(Damaged) as caught:
                await attempt()
            assert caught.value.hint
        assert now(host.find(machine.id)) == "off"
        await commands.remove(host, machine.id)
        assert [v.name for v in await commands.list_all(host)] == ["m2"]
        assert not directory.exists()

    run(go())


def test_an_unknown_layout_is_an_error_with_a_hint(there: World) -> None:
    there.put(machines.make(1, nics=(), board_changes={"layout": 99}))

    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(Damaged, match="no layout 99") as caught:
            await life.start(host, host.find("m1"))
        assert caught.value.hint
        assert now(host.find("m1")) == "off"

    run(go())


def test_directories_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for paths in (Paths(tmp_path / "file", tmp_path / "run"), Paths(tmp_path / "s", tmp_path / "file" / "run")):
        with pytest.raises(HostLacks, match="Cannot keep machines in") as caught:
            run(Host.open(paths))
        assert "KIBAN_STATE" in caught.value.hint


# names


def test_rename(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        there.put(machines.make(1, nics=(), serial=2))
        host.load(there.paths.machines / machines.fresh(2).id)
        await commands.rename(host, "m1", "web")
        assert host.find("web") is handle
        await commands.rename(host, "web", "web")
        for taken in ("m2", handle.id):
            with pytest.raises(Conflict, match="already") as caught:
                await commands.rename(host, "web", taken)
            assert caught.value.reason == "name-taken"
        with pytest.raises(BadInput):
            await commands.rename(host, "web", "../up")
        with pytest.raises(NotFound, match="no machine 'wbe'") as missing:
            host.find("wbe")
        assert missing.value.hint == "Did you mean web?"
        assert (await Host.open(there.paths)).find("web").id == handle.id

    run(go())


def test_a_running_machine_can_be_renamed(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await commands.rename(host, "m1", "web")
        assert (host.find("web").state, store.load(handle.directory).name) == ("running", "web")

    run(go())


# edits


def test_edits_that_a_running_guest_would_notice_wait(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        with pytest.raises(Conflict, match="Cannot make this change to m1: it is running"):
            await commands.edit(host, "m1", Changes(cpus=2))
        await commands.edit(host, "m1", Changes(notes="hello", autostart=True))
        await life.turn_off(handle)
        assert (await commands.edit(host, "m1", Changes(cpus=2, memory=64 * machines.MIB))).cpus == 2
        kept = store.load(handle.directory)
        assert (kept.cpus, kept.memory, kept.notes, kept.autostart) == (2, 64 * machines.MIB, "hello", True)

    run(go())


def test_an_edit_that_is_refused_changes_nothing(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        before = handle.machine
        for changes in (Changes(notes="x", tpm=True), Changes(notes="x", cpus=99), Changes(notes="x\0")):
            with pytest.raises(BadInput):
                await commands.edit(host, "m1", changes)
        assert store.load(handle.directory) == handle.machine == before

    run(go())


# removal


def test_remove(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        with pytest.raises(Conflict, match="it is running"):
            await commands.remove(host, "m1")
        await life.turn_off(handle)
        await commands.remove(host, "m1")
        with pytest.raises(NotFound):
            host.find("m1")
        assert list(there.paths.machines.iterdir()) == []

    run(go())


def test_two_removals_at_once(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        results = await asyncio.gather(*(editing.remove(host, handle) for _ in range(3)), return_exceptions=True)
        assert sorted(type(r).__name__ for r in results) == ["NoneType", "NotFound", "NotFound"]
        assert host.handles == {}

    run(go())


def test_a_directory_that_somebody_deleted_does_not_stay_in_the_list(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        handle.directory.rename(there.root / "elsewhere")
        with pytest.raises(NotFound):
            await life.start(host, handle)
        assert now(handle) == "off"
        with pytest.raises(NotFound):
            await commands.remove(host, "m1")
        assert host.handles == {}

    run(go())


def test_a_machine_that_another_service_runs_is_not_removed(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        other = await Host.open(there.paths)
        await life.start(other, other.find("m1"))
        with pytest.raises(Conflict):
            await editing.remove(host, handle)
        assert (handle.directory / "vm.json").exists()
        assert host.handles

    run(go())


def test_a_saved_machine_can_be_removed(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        await life.start(host, handle)
        await saving.save(handle)
        await editing.remove(host, handle)
        assert not handle.directory.exists()

    run(go())


def test_a_start_behind_a_removal_finds_nothing(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        removed, started = await asyncio.gather(
            editing.remove(host, handle), life.start(host, handle), return_exceptions=True
        )
        assert removed is None
        assert isinstance(started, NotFound)
        assert (there.started(), handle.directory.exists()) == ([], False)

    run(go())


# commands


def test_every_command_is_a_function_that_is_explained() -> None:
    for name, command in COMMANDS.items():
        assert command.name == name
        assert command.function.__doc__, name
        parameters = command.function.__code__.co_varnames[: command.function.__code__.co_argcount + 9]
        assert command.job == ("progress" in parameters), name


def test_the_end_is_waited_for_no_longer_than_asked(there: World) -> None:
    async def go() -> None:
        host, handle = await one(there)
        assert await launch.wait_gone(handle, 0.01)
        await life.start(host, handle)
        assert not await launch.wait_gone(handle, 0.01)
        await supervision.end(handle)
        assert await launch.wait_gone(handle, 0.01)

    run(go())
