# SPDX-License-Identifier: GPL-2.0-or-later
"""Exporting for real, and importing what came of it: the same machine with the same content, or nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disk_makers import convert, patterned
from disk_makers import run as command
from engine_world import World, run, world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.disk.formats import FORMATS
from kiban.adapters.firmware import varstore
from kiban.adapters.store import exported
from kiban.engine import creating, disks, exporting, importing
from kiban.engine.handle import SAVED, Handle
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, HostLacks, KibanError, NotFound
from kiban.model.export import MANIFEST, ExportRequest, portable
from kiban.model.machine import Machine, Rest
from kiban.model.requests import (
    ComRequest,
    DiskRef,
    DiskRequest,
    DvdRequest,
    MachineRequest,
    NetBootRequest,
    NewImage,
    NicRequest,
)
from kiban.model.takeover import ImportRequest

MIB = 1 << 20
pytestmark = [
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
    pytest.mark.skipif(
        not Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists(), reason="OVMF is not installed"
    ),
]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def content(image: Path, form: str) -> bytes:
    raw = image.with_suffix(".plain")
    command("qemu-img", "convert", "-f", FORMATS[form].driver, "-O", "raw", image, raw)
    data = raw.read_bytes()
    raw.unlink()
    return data


def contents(handle: Handle) -> list[bytes]:
    return [content(handle.directory / disk.path, disk.format) for disk in handle.machine.disks]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def machine(host: Host, folder: Path, generation: int, **more: Any) -> Handle:
    """A machine with a disk of each format that it can have, one of them somebody else's."""
    folder.mkdir(exist_ok=True)
    raw = folder / "given.raw"
    patterned(raw, 4 * MIB)
    made = [DiskRequest(path=str(raw), format="raw", copy=False)]
    for form in ("vhdx", "qcow2"):
        image = folder / f"given.{form}"
        convert(raw, image, FORMATS[form].driver)
        made.append(DiskRequest(path=str(image), format=form, copy=True))  # type: ignore[arg-type]  # from above
    said: dict[str, Any] = {"name": "web", "generation": generation, "notes": "Größe\nzwei", "disks": tuple(made)}
    return await creating.create(host, MachineRequest(**said | more))


async def export(host: Host, handle: Handle, path: Path, **more: Any) -> Any:
    return await exporting.export(host, handle, ExportRequest(path=str(path), **more))


async def take(host: Host, path: Path, **more: Any) -> Handle:
    return await importing.import_machine(host, ImportRequest(path=str(path), **more))


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
        again = await take(host, moved, name="again")
        same_but_id(handle.machine, again.machine)
        assert contents(again) == before
        assert found == (tree(moved), {path.name: path.stat().st_mtime_ns for path in moved.iterdir()})
        if generation == 2:
            assert (again.directory / "nvram.fd").read_bytes() == (handle.directory / "nvram.fd").read_bytes()
            state = "tpm/tpm2-00.permall"
            assert (again.directory / state).read_bytes() == (handle.directory / state).read_bytes()
            assert varstore.describe_store(again.directory / "nvram.fd").secure_boot

    run(go())
