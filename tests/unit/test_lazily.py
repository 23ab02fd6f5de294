# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines whose disks have not been copied: what QEMU is given, what is refused meanwhile, and sources that change.

The copying itself takes a real QEMU: tests/guest/test_import_lazy.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_makers import MIB, contents, scribbled, vhdx
from disk_makers import RANDOM
from disk_makers import run as command
from engine_world import World, run, world

from kiban.adapters import unixsocket
from kiban.adapters.store import directory as store
from kiban.engine import importing, life, saving, supervision
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import Conflict
from kiban.model import consistency
from kiban.model.takeover import ImportRequest

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def source(folder: Path) -> tuple[Path, bytes]:
    made = [scribbled(RANDOM(8), 4 * MIB), scribbled(RANDOM(9), 4 * MIB)]
    vhdx(folder / "base.vhdx", made[1])
    return vhdx(folder / "child.avhdx", made[0], made[1], locator={"relative_path": r".\base.vhdx"}), contents(made)


async def imported(there: World, path: Path) -> tuple[Host, Handle]:
    host = await Host.open(there.paths)
    return host, await importing.import_machine(host, ImportRequest(path=str(path), name="m", generation=1, lazy=True))


def nodes(there: World) -> list[dict[str, Any]]:
    arguments = (there.starts / str(there.living()[0])).read_text().splitlines()
    return [json.loads(value) for option, value in itertools.pairwise(arguments) if option == "-blockdev"]


async def ended(host: Host) -> None:
    while any(job.state in ("queued", "running") for job in host.jobs.list()):
        await asyncio.sleep(0.01)


def test_it_starts_from_its_source_and_says_so(there: World, tmp_path: Path) -> None:
    path, data = source(tmp_path)

    async def go() -> None:
        host, handle = await imported(there, path)
        disk = handle.directory / "disk0.qcow2"
        assert disk.stat().st_blocks * 512 < MIB
        done = command_fails("qemu-img", "compare", str(disk), str(disk))
        assert "not-been-copied-yet" in done, "nobody takes it for a whole disk"
        await life.start(host, handle)
        rest, own = nodes(there)
        assert (rest["driver"], rest["read-only"], own["backing"]) == ("nbd", True, rest["node-name"])
        raw = tmp_path / "raw"
        uri = f"nbd+unix:///{rest['export']}?socket={rest['server']['path']}"
        command("qemu-img", "convert", "-f", "raw", "-O", "raw", uri, raw)
        assert raw.read_bytes() == data
        with pytest.raises(Conflict, match="still being copied") as caught:
            await saving.save(handle)
        assert caught.value.reason == "still-copying"
        assert handle.state == "running"
        await ended(host)
        [job] = host.jobs.list()
        assert (job.command, job.machine, job.state) == ("disks.copy", "m", "failed")  # the stand-in copies nothing
        assert job.error is not None
        assert job.error["hint"]
        assert handle.machine.disks[0].rest is not None
        await supervision.end(handle)

    run(go())


def command_fails(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("what", ["changed", "touched", "gone", "parent gone"])
def test_a_source_that_is_not_what_it_was(there: World, tmp_path: Path, what: str) -> None:
    path, _ = source(tmp_path)

    async def go() -> None:
        host, handle = await imported(there, path)
        if what == "changed":
            vhdx(path, scribbled(RANDOM(1), 4 * MIB))
        elif what == "touched":
            os.utime(path, (1, 1))
        else:
            (path if what == "gone" else tmp_path / "base.vhdx").unlink()
        with pytest.raises(Conflict, match="has not been copied wholly, and its source cannot be read") as caught:
            await life.start(host, handle)
        assert str(tmp_path) in caught.value.hint
        assert "kiban start m" in caught.value.hint
        assert (handle.state, there.living()) == ("off", [])

    run(go())


def test_a_kill_before_it_was_said_that_all_is_copied(there: World, tmp_path: Path) -> None:
    path, _ = source(tmp_path)

    async def go() -> None:
        host, handle = await imported(there, path)
        disk = handle.directory / "disk0.qcow2"
        command("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "", disk)  # as QEMU leaves it
        path.unlink()
        await life.start(host, handle)
        assert store.load(handle.directory).disks[0].rest is None
        assert [node["backing"] for node in nodes(there)] == [None]
        await supervision.end(handle)

    run(go())


def test_a_server_that_dies_is_replaced(there: World, tmp_path: Path) -> None:
    path, _ = source(tmp_path)

    async def go() -> None:
        host, handle = await imported(there, path)
        await life.start(host, handle)
        [first] = servers(path)
        os.kill(first, 9)
        while not set(servers(path)) - {first} or not unixsocket.answers(handle.runtime / "disk0.nbd"):
            await asyncio.sleep(0.05)
        await supervision.end(handle)

    run(go())


def servers(path: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                files = [str(link.readlink()) for link in (entry / "fd").iterdir()]
            except OSError:
                continue
            found += [int(entry.name)] if str(path) in files else []
    return found


def test_only_a_disk_of_its_own_can_have_a_rest(there: World, tmp_path: Path) -> None:
    path, _ = source(tmp_path)

    async def go() -> None:
        _, handle = await imported(there, path)
        machine = handle.machine
        consistency.check(machine)
        [disk] = machine.disks
        assert disk.rest is not None
        for wrong in (
            replace(disk, owned=False, path="/x.qcow2"),
            replace(disk, format="raw"),
            replace(disk, rest=replace(disk.rest, path="relative")),
        ):
            with pytest.raises(Exception, match="copied"):
                consistency.check(replace(machine, disks=(wrong,)))

    run(go())
