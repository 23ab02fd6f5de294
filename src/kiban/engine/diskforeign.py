# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of Hyper-V's that QEMU does not open: read through the confined server of chains."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiban.adapters.chains import runner
from kiban.adapters.chains.handshake import EXPORT
from kiban.adapters.chains.runner import Chain
from kiban.adapters.disk.changing import Source
from kiban.adapters.disk.facts import Facts, read_facts
from kiban.adapters.disk.formats import ImageFormat
from kiban.adapters.files import open_regular
from kiban.adapters.whole import in_thread
from kiban.paths import Paths

if TYPE_CHECKING:
    from kiban.engine.host import Host  # which takes machines on, merges that were broken off included

_PREFIX = "disk-"


def is_child(path: Path, form: ImageFormat) -> bool:
    """Whether an image is a differencing VHD or VHDX. It blocks; raises as `read_facts` does."""
    return form.name in ("vhd", "vhdx") and _facts(path, form).kind == "differencing"


def is_foreign(path: Path, form: ImageFormat) -> bool:
    """Whether QEMU does not open an image: one of those, or a VHDX with sectors of 4 KiB."""
    if form.name not in ("vhd", "vhdx"):
        return False
    facts = _facts(path, form)
    return facts.kind == "differencing" or facts.logical_sector != 512


def _facts(path: Path, form: ImageFormat) -> Facts:
    with open_regular(path) as descriptor:
        return read_facts(descriptor, path, form)


async def describe(path: Path, form: ImageFormat, folders: Sequence[str]) -> Chain:
    """The chain of such a disk; raises as `runner.describe` does."""
    places = [Path(folder) for folder in folders]
    return await asyncio.to_thread(runner.describe, path, form.name, places)


def sweep(paths: Paths) -> None:
    """Remove the sockets that a killed service has left; their servers end by themselves."""
    for left in paths.runtime.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


@asynccontextmanager
async def served(host: Host, path: Path, form: ImageFormat, folders: Sequence[str]) -> AsyncIterator[Source]:
    """Such a disk as a node of QEMU's; its files are only read. Raises as `runner.serve` does.

    The server ends with this.
    """
    places = [Path(folder) for folder in folders]
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=host.paths.runtime) as place:
        at = Path(place) / "nbd"
        own = (os.geteuid(), os.getegid())  # qemu-img's, which is the client
        disk = await in_thread(runner.serve, path, form.name, at, places, client=own)
        try:
            yield Source(node=node(at), size=disk.chain.size, path=path)
        finally:
            await in_thread(disk.end)


def node(at: Path) -> dict[str, Any]:
    """What is served at a socket, as a block node of QEMU's."""
    nbd = {"driver": "nbd", "server": {"type": "unix", "path": str(at)}, "export": EXPORT}
    return {"driver": "raw", "read-only": True, "file": nbd}
