# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as things: listed when damaged, edited, renamed, removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import World, one, run, world

from kiban.adapters.store import directory as store
from kiban.commands import life as life_commands
from kiban.commands import machines as commands
from kiban.commands.registry import COMMANDS
from kiban.engine import editing, launch, life, saving, supervision
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, Damaged, HostLacks, NotFound
from kiban.model.requests import Changes
from kiban.paths import Paths


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def now(handle: Handle) -> str:
    """The state, as a call: it changes behind the back of a type checker that narrows attributes."""
    return handle.state


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


def test_a_mended_machine_is_itself_again_without_a_new_service(there: World) -> None:
    machine = machines.make(1, nics=())
    file = there.put(machine) / "vm.json"
    whole = file.read_bytes()
    file.write_bytes(b'{"version": 9}')

    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(Damaged) as caught:
            await commands.edit(host, machine.id, Changes(notes="x"))
        assert caught.value.reason == "other-version"
        assert "Kiban" in caught.value.hint
        assert caught.value.hint in (await commands.list_all(host))[0].problem
        file.write_bytes(whole)
        assert [(v.name, v.problem) for v in await commands.list_all(host)] == [(machine.name, "")]
        file.write_bytes(b"{")  # only damage is read again: what is in force does not change behind the service's back
        assert (await commands.info(host, machine.name)).problem == ""

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
