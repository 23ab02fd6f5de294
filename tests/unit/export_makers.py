# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines to export, on a host whose QEMU is a fake, and what is in their disks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from disk_makers import convert, patterned
from disk_makers import run as command

from kiban.adapters.disk.formats import FORMATS
from kiban.engine import creating, exporting, importing
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.export import ExportRequest
from kiban.model.requests import (
    DiskRequest,
    MachineRequest,
)
from kiban.model.takeover import ImportRequest

MIB = 1 << 20
needs_programs = [
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
    pytest.mark.skipif(not Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists(), reason="OVMF is not installed"),
]


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
        made.append(DiskRequest(path=str(image), format=form, copy=True))
    said: dict[str, Any] = {"name": "web", "generation": generation, "notes": "Größe\nzwei", "disks": tuple(made)}
    return await creating.create(host, MachineRequest(**said | more))


async def export(host: Host, handle: Handle, path: Path, **more: Any) -> Any:
    return await exporting.export(host, handle, ExportRequest(path=str(path), **more))


async def take(host: Host, path: Path, **more: Any) -> Handle:
    return await importing.import_machine(host, ImportRequest(path=str(path), **more))
