# SPDX-License-Identifier: GPL-2.0-or-later
"""Exporting for real, and importing what came of it: the same machine with the same content, or nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from disk_makers import patterned
from engine_world import World, run, world
from export_makers import MIB, content, contents, export, machine, needs_programs, take, tree

from kiban.adapters.disk import changing
from kiban.adapters.firmware import varstore
from kiban.adapters.foreign import finding, reading
from kiban.commands import takeover as commands
from kiban.engine import creating, exporting, importing, life
from kiban.engine.handle import SAVED
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, HostLacks, NotFound
from kiban.model.export import MANIFEST, TPM_STATE, ExportRequest, portable
from kiban.model.machine import Machine, Rest
from kiban.model.requests import (
    ComRequest,
    DiskRequest,
    DvdRequest,
    MachineRequest,
    NetBootRequest,
    NicRequest,
)
from kiban.model.takeover import ImportRequest

pytestmark = needs_programs


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def same_but_id(one: Machine, two: Machine) -> None:
    expected, _ = portable(one)
    assert replace(two, id=one.id, name=one.name) == expected
    assert two.id != one.id


@pytest.mark.parametrize("generation", [1, 2])
def test_the_same_machine_comes_back(there: World, tmp_path: Path, generation: int) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", generation, tpm=generation == 2)
        before = contents(handle)
        steps: list[float] = []
        request = ExportRequest(path=str(tmp_path / "out"))
        made = await exporting.export(host, handle, request, lambda fraction, _: steps.append(fraction))
        assert steps == sorted(steps)
        assert contents(handle) == before
        assert {file.name for file in made.files} == set(tree(tmp_path / "out")) - {MANIFEST}
        assert tree(tmp_path) == sorted({*tree(tmp_path)} - {".out.part"}), "nothing is left beside it"

        moved = (tmp_path / "out").rename(tmp_path / "moved")
        found = tree(moved), {path.name: path.stat().st_mtime_ns for path in moved.iterdir()}
        plan = await importing.plan(ImportRequest(path=str(moved)))
        assert (plan.name, plan.generation, len(plan.disks)) == ("web", generation, 3)
        [twin] = (await commands.plan(host, ImportRequest(path=str(moved)))).advice
        assert twin.startswith(f"web has an adapter with the address {handle.machine.nics[0].mac} too")
        again = await take(host, moved, name="again")
        assert twin in again.warnings
        same_but_id(handle.machine, again.machine)
        assert contents(again) == before
        assert found == (tree(moved), {path.name: path.stat().st_mtime_ns for path in moved.iterdir()})
        if generation == 2:
            assert (again.directory / "nvram.fd").read_bytes() == (handle.directory / "nvram.fd").read_bytes()
            state = "tpm/tpm2-00.permall"
            assert (again.directory / state).read_bytes() == (handle.directory / state).read_bytes()
            assert varstore.describe_store(again.directory / "nvram.fd").secure_boot

    run(go())


def test_a_linked_disk_becomes_whole(there: World, tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    patterned(base, 4 * MIB)

    async def go() -> None:
        host = await Host.open(there.paths)
        disk = DiskRequest(path=str(base), format="raw", link=True, copy=False)
        handle = await creating.create(host, MachineRequest(name="lab", generation=1, disks=(disk,)))
        await export(host, handle, tmp_path / "out")
        base.rename(tmp_path / "gone.raw")
        assert contents(await take(host, tmp_path / "out", name="again")) == [(tmp_path / "gone.raw").read_bytes()]

    run(go())


def test_what_leads_elsewhere_is_left_out_and_said(there: World, tmp_path: Path) -> None:
    iso, boot = tmp_path / "a.iso", tmp_path / "boot"
    iso.write_bytes(bytes(32768) + b"\x01CD001\x01" + bytes(4089))
    boot.mkdir()
    (boot / "boot.efi").write_bytes(b"MZ")

    async def go() -> None:
        host = await Host.open(there.paths)
        request = MachineRequest(
            name="web",
            dvds=(DvdRequest(iso=str(iso)),),
            nics=(NicRequest(boot=NetBootRequest(folder=str(boot), file="boot.efi", protocol="tftp")),),
            coms=(ComRequest(number=1, kind="file", path=str(tmp_path / "com1")),),
        )
        handle = await creating.create(host, request)
        made = await export(host, handle, tmp_path / "out")
        text = " ".join(made.left_out)
        assert all(str(path) in text for path in (iso, boot, tmp_path / "com1"))
        assert str(tmp_path) not in (tmp_path / "out" / "vm.json").read_text()
        again = (await take(host, tmp_path / "out", name="again")).machine
        assert (again.dvds[0].medium, again.nics[0].boot, again.coms[0].path) == ("", None, "")
        assert again.nics[0].mac == handle.machine.nics[0].mac

    run(go())


def test_only_a_machine_that_is_off_and_whole(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", 1)
        handle.state = "running"
        with pytest.raises(Conflict, match="it is running"):
            await export(host, handle, tmp_path / "out")
        handle.state = "saved"
        with pytest.raises(Conflict, match="it is saved") as refused:
            await export(host, handle, tmp_path / "out")
        assert "kiban discard" in refused.value.hint
        handle.state = "off"
        rest = Rest(path="/there.vhdx", format="vhdx", folders=(), size=4 * MIB, mark="1")
        whole = handle.machine
        handle.save(replace(whole, disks=(whole.disks[0], whole.disks[1], replace(whole.disks[2], rest=rest))))
        with pytest.raises(Conflict, match="still being copied"):
            await export(host, handle, tmp_path / "out")
        handle.save(whole)
        assert SAVED not in tree(handle.directory)
        await export(host, handle, tmp_path / "out")

    run(go())


def test_an_export_never_replaces_anything(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, MachineRequest(name="web", generation=1))
        full = tmp_path / "full"
        full.mkdir()
        (full / "mine").touch()
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "nowhere")
        for taken in (full, link, full / "mine"):
            with pytest.raises(Conflict, match="exists already"):
                await export(host, handle, taken)
        with pytest.raises(NotFound, match="no folder"):
            await export(host, handle, tmp_path / "no" / "folder")
        (tmp_path / ".way.part").touch()
        with pytest.raises(Conflict, match="in the way"):
            await export(host, handle, tmp_path / "way")
        (tmp_path / ".way.part").unlink()
        (tmp_path / "empty").mkdir()
        await export(host, handle, tmp_path / "empty")
        assert MANIFEST in tree(tmp_path / "empty")
        assert tree(full) == ["mine"]

        def taken_meanwhile(*_: object) -> None:
            (tmp_path / "late").mkdir(exist_ok=True)
            (tmp_path / "late" / "mine").touch()

        with pytest.raises(Conflict, match="exists by now"):
            await exporting.export(host, handle, ExportRequest(path=str(tmp_path / "late")), taken_meanwhile)
        assert tree(tmp_path / "late") == ["mine"]
        assert not list(tmp_path.glob(".*"))

    run(go())


def test_a_cancel_or_a_failure_leaves_nothing_and_frees_the_disks(
    there: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", 1)
        for step in ("copying disk2", "checking disk1.vhdx"):
            reached = asyncio.Event()

            def stop(_: float, text: str, step: str = step, reached: asyncio.Event = reached) -> None:
                if text == step:
                    reached.set()

            request = ExportRequest(path=str(tmp_path / "out"))
            task = asyncio.create_task(exporting.export(host, handle, request, stop))
            await reached.wait()
            with pytest.raises(Conflict, match="Exporting web is going on"):
                host.claims.check((), {os_key(handle.directory / handle.machine.disks[2].path)})
            with pytest.raises(Conflict, match="being made already"):
                await export(host, handle, tmp_path / "out")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert tree(tmp_path) == tree_of_given(tmp_path)
        host.claims.check((), {os_key(handle.directory / handle.machine.disks[2].path)})

        def full(*_: object) -> None:
            raise HostLacks("There is no space left.", code="no-space")

        monkeypatch.setattr(changing, "clone", full)
        with pytest.raises(HostLacks):
            await export(host, handle, tmp_path / "out")
        assert tree(tmp_path) == tree_of_given(tmp_path)

    run(go())


def os_key(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def tree_of_given(folder: Path) -> list[str]:
    return [name for name in tree(folder) if name.split("/")[0] == "given"]


def test_what_a_kill_left_is_no_obstacle(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, MachineRequest(name="web", generation=1))
        left = tmp_path / ".out.part"
        (left / "below").mkdir(parents=True)
        (left / "disk0.qcow2").write_bytes(b"half")
        await export(host, handle, tmp_path / "out")
        assert not left.exists()
        assert set(tree(tmp_path / "out")) == {MANIFEST, "vm.json"}

    run(go())


def test_a_name_that_no_folder_can_have(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, MachineRequest(name="web", generation=1))
        for name in ("x" * 300, "x" * 253):  # the second one is too long with what is put around it meanwhile
            with pytest.raises((BadInput, HostLacks), match="cannot be made: File name too long"):
                await export(host, handle, tmp_path / name)

    run(go())


@pytest.mark.parametrize("generation", [1, 2])
def test_for_hyper_v(there: World, tmp_path: Path, generation: int) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", generation, tpm=generation == 2)
        made = await export(host, handle, tmp_path / "out", kind="hyper-v")
        names = {"README.txt", "recreate.ps1", "disk0.vhdx", "disk1.vhdx", "disk2.vhdx"}
        assert {file.name for file in made.files} == names
        assert set(tree(tmp_path / "out")) == {*names, "SHA256SUMS"}
        for line in (tmp_path / "out" / "SHA256SUMS").read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
        assert [content(tmp_path / "out" / f"disk{n}.vhdx", "vhdx") for n in range(3)] == contents(handle)
        text = (tmp_path / "out" / "recreate.ps1").read_bytes()
        assert text.startswith(b"\xef\xbb\xbf#"), "or Windows PowerShell would take it for another encoding"
        assert "Größe\nzwei" in text.decode("utf-8-sig")
        if generation == 2:
            assert b"-SecureBootTemplateId '272e7447-90a4-4563-a4b9-8e4ab00526ce'" in text
            assert b"-BootOrder $disk0, $disk1, $disk2" in text
        # a disk of it comes back as any VHDX
        plan = await importing.plan(ImportRequest(path=str(tmp_path / "out" / "disk0.vhdx"), generation=generation))
        assert plan.disks[0].facts.size == 4 * MIB

    run(go())


@pytest.mark.parametrize("generation", [1, 2])
def test_as_an_ovf(there: World, tmp_path: Path, generation: int) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", generation, tpm=generation == 2)
        made = await export(host, handle, tmp_path / "out", kind="ovf")
        names = {"web.ovf", "disk0.vmdk", "disk1.vmdk", "disk2.vmdk"}
        assert {file.name for file in made.files} == names
        assert set(tree(tmp_path / "out")) == {*names, "web.mf"}
        assert reading.verify(finding.find(tmp_path / "out"), lambda *_: None) == ()
        assert b"streamOptimized" in (tmp_path / "out" / "disk0.vmdk").read_bytes()[:4096]
        again = await take(host, tmp_path / "out", name="again")
        assert contents(again) == contents(handle)
        assert [nic.mac for nic in again.machine.nics] == [nic.mac for nic in handle.machine.nics]
        assert (again.machine.generation, again.machine.tpm) == (generation, generation == 2)

    run(go())


def test_a_tpm_that_was_taken_out_stays_behind_and_one_that_is_lost_is_missed(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, MachineRequest(name="web", tpm=True))
        handle.save(replace(handle.machine, tpm=False))
        made = await export(host, handle, tmp_path / "without")
        assert TPM_STATE not in {file.name for file in made.files}
        assert not (await take(host, tmp_path / "without", name="again")).machine.tpm
        handle.save(replace(handle.machine, tpm=True))
        (handle.directory / "tpm" / TPM_STATE).unlink()
        with pytest.raises(NotFound, match=TPM_STATE):
            await export(host, handle, tmp_path / "lost")
        assert tree(tmp_path) == ["without", *(f"without/{name}" for name in tree(tmp_path / "without"))]

    run(go())


def test_a_machine_that_is_exported_does_not_start(there: World, tmp_path: Path) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await machine(host, tmp_path / "given", 1)
        refused: list[asyncio.Task[None]] = []

        def start(_: float, text: str) -> None:
            if text == "copying disk2" and not refused:
                refused.append(asyncio.get_running_loop().create_task(life.start(host, handle)))

        await exporting.export(host, handle, ExportRequest(path=str(tmp_path / "out")), start)
        with pytest.raises(Conflict, match="Exporting web is going on"):
            await refused[0]

    run(go())
