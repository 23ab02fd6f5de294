# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks and the machines that have them: who may change what, what a merge does to definitions, and the family."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from chain_makers import Made, contents, vhdx
from disk_chains import content, digest, leave_log, make, read, write
from engine_world import World, run, world

from kiban.adapters.disk import chain, changing, merging
from kiban.adapters.disk.formats import FORMATS
from kiban.adapters.disk.tool import Outcome, qemu_img
from kiban.adapters.store import directory as store
from kiban.cli import disktree
from kiban.commands import disks as commands
from kiban.engine import creating, disks, diskuse, diskview, editing, hotplug, life
from kiban.engine import merging as engine_merging
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import quiet
from kiban.errors import BadInput, Conflict, KibanError, NotFound
from kiban.model.requests import DiskRef, DiskRequest, MachineRequest, NewImage
from kiban.model.units import MiB

Work = Callable[[Host, Path], Coroutine[Any, Any, None]]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def on_a_host(there: World, work: Work) -> None:
    """Do something on a host, in a folder for disks."""
    folder = there.root / "disks"
    folder.mkdir(exist_ok=True)

    async def go() -> None:
        host = await Host.open(there.paths)
        await work(host, folder)
        await host.close()

    run(go())


async def machine(host: Host, name: str, *requests: DiskRequest) -> Handle:
    return await creating.create(host, MachineRequest(name=name, generation=1, memory=64 * MiB, disks=requests))


async def linked(host: Host, name: str, base: Path, form: Any = "qcow2") -> Handle:
    return await machine(host, name, DiskRequest(path=str(base), format=form, link=True))


async def refusal(work: Coroutine[Any, Any, Any]) -> str:
    """The reason of a refusal, whose hint says what to do; "" where there is none."""
    try:
        await work
    except KibanError as error:
        return error.reason if error.hint else "no hint"
    return ""


def of(name: str) -> DiskRef:
    return DiskRef(machine=name, disk="disk0")


@pytest.mark.parametrize("form", FORMATS)
def test_linked_machines_share_a_parent_that_stays_as_it_is(there: World, form: Any) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / f"base.{form}", form, content())
        before = digest(base)
        one, two = await linked(host, "one", base, form), await linked(host, "two", base, form)
        own = one.machine.disks[0]
        assert (own.path, own.format, own.owned) == ("disk0.qcow2", "qcow2", True)
        write(one.directory / "disk0.qcow2", 0, b"1" * MiB)
        for handle in (one, two):
            await life.start(host, handle)
            await life.turn_off(handle)
        assert digest(base) == before
        await commands.convert(host, of("two"), NewImage(path=str(folder / "two.raw")), (), True, progress=quiet)
        assert (folder / "two.raw").read_bytes() == content()

    on_a_host(there, work)


def test_a_parent_that_was_changed_keeps_its_children_from_starting(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one = await linked(host, "one", base)
        write(base, 0, b"x" * 512)
        assert await refusal(life.start(host, one)) == "parent-changed"
        base.unlink()
        assert await refusal(life.start(host, one)) == "no-parent"
        assert one.state == "off"

    on_a_host(there, work)


def test_a_foreign_child_gets_no_machine(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        make(folder / "base.qcow2", "qcow2", content())
        with chain.opened(folder / "base.qcow2", FORMATS["qcow2"], b"other") as links:
            await changing.create_child(folder / "child.qcow2", links, b"other")
        said: list[dict[str, Any]] = [{}, {"copy": True}, {"link": True}]
        for more in said:
            request = DiskRequest(path=str(folder / "child.qcow2"), format="qcow2", **more)
            assert await refusal(machine(host, "one", request)) == "parent-elsewhere"
        assert not list(there.paths.machines.iterdir())

    on_a_host(there, work)


def test_what_others_are_made_on_is_neither_changed_nor_removed(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = await machine(
            host, "base", DiskRequest(path=str(make(folder / "b", "raw", content())), format="raw", copy=True)
        )
        image = base.directory / base.machine.disks[0].path
        await linked(host, "one", image, "raw")
        before = digest(image)
        for refused in (
            life.start(host, base),
            editing.remove(host, base),
            hotplug.remove_device(host, base, "disk0"),
            disks.resize(host, of("base"), 64 * MiB, shrink=False),
            disks.compact(host, of("base")),
        ):
            assert await refusal(refused) == "has-children"
        assert digest(image) == before
        await editing.remove(host, host.find("one"))
        await disks.resize(host, of("base"), 64 * MiB, shrink=False)
        await editing.remove(host, base)

    on_a_host(there, work)


def test_a_disk_of_a_running_or_saved_machine_is_not_written_by_commands(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        image = make(folder / "a.qcow2", "qcow2", content())
        one = await machine(host, "one", DiskRequest(path=str(image), format="qcow2"))
        await life.start(host, one)
        ref, before = DiskRef(path=str(image)), digest(image)
        reads: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: disks.convert(host, ref, NewImage(path=str(folder / "b.raw")), ()),
            lambda: disks.clone(host, ref, str(folder / "b.qcow2")),
            lambda: disks.create(host, NewImage(path=str(folder / "b.qcow2"), parent=ref)),
            lambda: disks.check(host, ref),
        ]
        for read_it in reads:
            assert await refusal(read_it()) == "disk-busy"
        assert await refusal(disks.compact(host, ref)) == "disk-busy"
        await life.turn_off(one)
        one.state = "saved"
        for write_it in (disks.compact(host, ref), disks.resize(host, ref, 64 * MiB, shrink=False)):
            assert await refusal(write_it) == "disk-busy"
        assert digest(image) == before
        for read_it in reads[:2]:
            assert await refusal(read_it()) == ""
            (folder / "b.raw").unlink(missing_ok=True)

    on_a_host(there, work)


def test_a_machine_does_not_start_while_a_command_works_on_its_disk(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one = await linked(host, "one", base)
        own, parent = diskuse.key_of(one.directory / "disk0.qcow2"), diskuse.key_of(base)
        assert own
        assert parent
        for reads, writes in (((own,), ()), ((), (own,)), ((), (parent,))):
            with host.claims.taken("Testing it", reads, writes):
                assert await refusal(life.start(host, one)) == "disk-busy"
                assert await refusal(editing.remove(host, one)) == ("" if writes == (parent,) else "disk-busy")
            if one.id not in host.handles:
                return
        await life.start(host, one)

    on_a_host(there, work)


def test_two_commands_share_a_disk_only_to_read_it() -> None:
    claims, one, two = diskuse.Claims(), (1, 1), (1, 2)
    with claims.taken("Reading", [one, two], []), claims.taken("Reading too", [one], []):
        for reads, writes in (([], [one]), ([two], [two])):
            with pytest.raises(Conflict, match="Reading is going on"):
                claims.check(reads, writes)
    with claims.taken("Writing", [two], [one]):
        for reads, writes in (([one], []), ([], [one]), ([], [two])):
            with pytest.raises(Conflict):
                claims.check(reads, writes)
        claims.check([two], [])
    claims.check([], [one, two])


def test_a_vhdx_whose_qemu_was_killed_is_made_fit_before_the_next_start(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        one = await machine(host, "one", DiskRequest(size=32 * MiB, format="vhdx"))
        image = leave_log(one.directory / "disk0.vhdx")
        await life.start(host, one)
        write(image, 20 * MiB, b"w" * MiB, "vhdx")  # which QEMU refuses while the log is named
        assert read(image, "vhdx")[20 * MiB : 21 * MiB] == b"w" * MiB

    on_a_host(there, work)


def test_merging_gives_the_machine_its_parent(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.vhdx", "vhdx", content())
        one = await linked(host, "one", base, "vhdx")
        write(one.directory / "disk0.qcow2", MiB, b"1" * MiB)
        found = await commands.merge(host, of("one"), progress=quiet)
        assert (found.path, found.links[0].format, found.links[0].uses[0].machine) == (str(base), "vhdx", "one")
        disk = store.load(one.directory).disks[0]
        assert (disk.path, disk.format, disk.owned) == (str(base), "vhdx", False)
        assert not (one.directory / "disk0.qcow2").exists()
        assert read(base, "vhdx") == content()[:MiB] + b"1" * MiB + content()[2 * MiB :]
        await life.start(host, one)

    on_a_host(there, work)


def test_a_chain_is_merged_link_by_link_and_nobodys_disk_too(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        make(folder / "0.raw", "raw", content())
        for n, parent in ((1, "0.raw"), (2, "1.qcow2")):
            new = NewImage(path=str(folder / f"{n}.qcow2"), parent=DiskRef(path=str(folder / parent)))
            await disks.create(host, new)
            write(folder / f"{n}.qcow2", n * MiB, bytes([n]) * MiB) if n == 2 else None
        for n in (2, 1):
            await engine_merging.merge(host, DiskRef(path=str(folder / f"{n}.qcow2")))
        assert sorted(path.name for path in folder.iterdir()) == ["0.raw"]
        assert (folder / "0.raw").read_bytes() == content()[: 2 * MiB] + b"\2" * MiB + content()[3 * MiB :]
        assert await refusal(engine_merging.merge(host, DiskRef(path=str(folder / "0.raw")))) == "no-parent"

    on_a_host(there, work)


def test_a_merge_that_would_break_others_is_refused(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one, two = await linked(host, "one", base), await linked(host, "two", base)
        before = digest(base), digest(one.directory / "disk0.qcow2")
        assert await refusal(engine_merging.merge(host, of("one"))) == "has-children"
        await editing.remove(host, two)
        top = await linked(host, "top", one.directory / "disk0.qcow2")
        assert await refusal(engine_merging.merge(host, of("one"))) == "has-children"
        one.state = "saved"
        assert await refusal(engine_merging.merge(host, of("one"))) == "disk-busy"
        assert (digest(base), digest(one.directory / "disk0.qcow2")) == before
        one.state = "off"
        await engine_merging.merge(host, of("top"))
        assert store.load(top.directory).disks[0].path == str(one.directory / "disk0.qcow2")

    on_a_host(there, work)


def test_a_merge_that_fails_changes_no_definition(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(host: Host, folder: Path) -> None:
        one = await linked(host, "one", make(folder / "base.qcow2", "qcow2", content()))

        async def fails(*_: Any) -> None:
            raise asyncio.CancelledError

        before = one.machine
        monkeypatch.setattr(merging, "commit", fails)
        with pytest.raises(asyncio.CancelledError):
            await engine_merging.merge(host, of("one"))
        assert one.machine == before == store.load(one.directory)
        assert (one.directory / "disk0.qcow2").exists()
        await life.start(host, one)

    on_a_host(there, work)


def test_a_parent_that_changes_after_a_broken_off_merge_is_noticed(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one = await linked(host, "one", base)

        async def half(*arguments: str, **options: Any) -> Outcome:
            if arguments[0] != "commit":
                return await qemu_img(*arguments, **options)
            write(base, 0, b"h" * 512)
            raise asyncio.CancelledError

        monkeypatch.setattr(merging, "qemu_img", half)
        with pytest.raises(asyncio.CancelledError):
            await engine_merging.merge(host, of("one"))
        assert not list(there.paths.unfinished.iterdir())
        await life.start(host, one)  # what the merge itself has written is right
        await life.turn_off(one)
        write(base, 0, b"x" * 512)
        assert await refusal(life.start(host, one)) == "parent-changed"

    on_a_host(there, work)


def test_a_service_that_was_killed_is_tidied_up_after(there: World) -> None:
    async def kill(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one = await linked(host, "one", base)
        image = one.directory / "disk0.qcow2"
        with chain.opened(image, FORMATS["qcow2"], host.disk_key()) as links:
            merging.prepare(links, host.disk_key())
        (folder / ".new.vhdx.part").write_bytes(b"half")
        (folder / ".other.vhdx.part").write_bytes(b"somebody's")
        for number, path in enumerate((image, folder / "new.vhdx", folder / "gone" / "x.vhd")):
            (there.paths.unfinished / str(number)).write_text(f"{path}\n")
        (there.paths.unfinished / "torn").write_text(str(folder / "other.vhdx"))
        write(base, 0, b"h" * 512)

    async def look(host: Host, folder: Path) -> None:
        assert sorted(path.name for path in folder.iterdir()) == [".other.vhdx.part", "base.qcow2"]
        assert not list(there.paths.unfinished.iterdir())
        one = host.find("one")
        await life.start(host, one)
        await life.turn_off(one)
        write(folder / "base.qcow2", 0, b"x" * 512)
        assert await refusal(life.start(host, one)) == "parent-changed"

    on_a_host(there, kill)
    on_a_host(there, look)


def test_the_whole_family_is_shown_with_who_uses_what(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        one, two = await linked(host, "one", base), await linked(host, "two", base)
        await life.start(host, two)
        found = await diskview.look(host, of("one"))
        assert found.path == str(one.directory / "disk0.qcow2")
        assert [(link.path, link.parent) for link in found.links] == [
            (str(base), ""),
            (str(one.directory / "disk0.qcow2"), str(base)),
            (str(two.directory / "disk0.qcow2"), str(base)),
        ]
        assert [(use.machine, use.state, use.writes) for use in found.links[0].uses] == [
            ("one", "off", False),
            ("two", "running", False),
        ]
        assert [(use.machine, use.writes) for use in found.links[2].uses] == [("two", True)]
        base.rename(folder / "gone.qcow2")
        found = await diskview.look(host, of("one"))
        assert [(link.path, link.parent) for link in found.links] == [(found.path, str(base))]
        assert "is missing" in found.problem

    on_a_host(there, work)


def test_a_hyper_v_chain_is_shown_and_made_whole(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        parent = Made(size=8 * MiB, writes=[(0, b"p" * MiB), (5 * MiB, b"q" * 4096)])
        child = Made(size=8 * MiB, writes=[(512, b"c" * 512)])
        vhdx(folder / "parent.vhdx", parent)
        vhdx(folder / "child.avhdx", child, parent)
        before = digest(folder / "parent.vhdx"), digest(folder / "child.avhdx")
        ref = DiskRef(path=str(folder / "child.avhdx"))
        found = await diskview.look(host, ref)
        assert [Path(link.path).name for link in found.links] == ["parent.vhdx", "child.avhdx"]
        assert [link.kind for link in found.links] == ["dynamic", "differencing"]
        await disks.convert(host, ref, NewImage(path=str(folder / "whole.qcow2")), (), verify=True)
        assert read(folder / "whole.qcow2", "qcow2") == contents([child, parent])
        assert (digest(folder / "parent.vhdx"), digest(folder / "child.avhdx")) == before

    on_a_host(there, work)


def test_what_makes_no_sense_is_refused(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        image = DiskRef(path=str(make(folder / "a.vmdk", "vmdk", content())))
        for refused in (
            disks.create(host, NewImage(path=str(folder / "b.qcow2"))),
            disks.create(host, NewImage(path=str(folder / "b.vhdx"), parent=image)),
            disks.create(host, NewImage(path=str(folder / "b.vmdk"), size=MiB)),
            disks.create(host, NewImage(path=str(folder / "b"), size=MiB)),
            disks.compact(host, image),
            disks.resize(host, image, 64 * MiB, shrink=False),
        ):
            with pytest.raises(BadInput):
                await refused
        with pytest.raises(NotFound):
            await disks.check(host, of("nobody"))
        one = await machine(host, "one")
        with pytest.raises(NotFound):
            await disks.check(host, of(one.name))
        assert [path.name for path in folder.iterdir()] == ["a.vmdk"]

    on_a_host(there, work)


@pytest.mark.parametrize("more", [{"copy": True}, {"path": None, "size": MiB}])
def test_a_link_is_on_an_image_and_copies_nothing(there: World, more: dict[str, Any]) -> None:
    async def work(host: Host, folder: Path) -> None:
        said: dict[str, Any] = {"path": str(folder / "a"), "format": "qcow2", "link": True}
        request = DiskRequest(**said | more)
        assert await refusal(machine(host, "one", request)) != ""

    on_a_host(there, work)


def test_the_key_of_differencing_disks_is_made_when_there_is_one(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        plain = await machine(host, "plain", DiskRequest(size=4 * MiB, format="qcow2"))
        await life.start(host, plain)
        assert not there.paths.disk_key.exists()
        base = make(folder / "base.qcow2", "qcow2", content())
        await linked(host, "linked", base)
        assert there.paths.disk_key.exists()

    on_a_host(there, work)


def test_all_disks_are_told_with_those_that_share_a_parent_together(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        assert await commands.list_all(host) == []
        base = make(folder / "base.vhdx", "vhdx", content())
        one, _ = await linked(host, "one", base, "vhdx"), await linked(host, "two", base, "vhdx")
        await machine(host, "three", DiskRequest(path=str(one.directory / "disk0.qcow2"), format="qcow2"))
        lost = await machine(host, "lost", DiskRequest(size=4 * MiB))
        (lost.directory / "disk0.qcow2").unlink()
        found = {view.path: view for view in await commands.list_all(host)}
        family, gone = found[str(base)], found[str(lost.directory / "disk0.qcow2")]
        assert len(found) == 2
        assert [link.parent for link in family.links] == ["", str(base), str(base)]
        assert sorted(use.machine for use in family.links[0].uses) == ["one", "three", "two"]
        assert {use.machine for use in family.links[1].uses if use.writes} == {"one", "three"}
        assert (gone.links, "disk0 of lost: There is no file" in gone.problem) == ((), True)
        lines = list(disktree.tree(family, mark=False))
        assert lines[0] == str(base)
        assert sum("─ " in line for line in lines) == 2

    on_a_host(there, work)
