# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose QEMU is tests/unit/fake_qemu.py: real directories, processes, locks and sockets, no guest."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import machines
import pytest

from kiban.adapters.qemu import process
from kiban.adapters.store import directory as store
from kiban.engine import supervision
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.machine import Machine
from kiban.paths import Paths

WAIT = 120.0  # a limit, not an expectation
FAKE = Path(__file__).with_name("fake_qemu.py")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a test's coroutine, bounded, also where something in it takes its cancellation for an end."""

    async def bounded() -> Any:
        async with asyncio.timeout(WAIT) as limit:
            result = await work
        assert not limit.expired(), "it hung"
        return result

    return asyncio.run(bounded())


class World:
    """State and runtime directory of a host, and the QEMUs that were started there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths(root / "state", root / "run")
        self.starts = root / "starts"
        self.starts.mkdir()

    def put(self, machine: Machine) -> Path:
        """Let a machine be there, as its creation would have left it."""
        directory = self.paths.machines / machine.id
        directory.mkdir(parents=True)
        store.save(directory, machine)
        return directory

    def started(self) -> list[int]:
        """Pids of all QEMUs that were ever started."""
        return [int(entry.name) for entry in self.starts.iterdir()]

    def living(self) -> list[int]:
        """Pids of the QEMUs that have not ended."""
        return [pid for pid in self.started() if _lives(pid)]

    def lock(self, machine: Machine) -> Path:
        """A machine's lock file."""
        return self.paths.machines / machine.id / "lock"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A host of its own, short enough for socket paths; every fake QEMU is ended with it."""
    root = Path(tempfile.mkdtemp(prefix="kb-"))
    program = root / "bin" / "qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport runpy\nrunpy.run_path({str(FAKE)!r}, run_name='__main__')\n")
    program.chmod(0o755)
    there = World(root)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_QEMU_STARTS", str(there.starts))
    monkeypatch.delenv("FAKE_QEMU", raising=False)
    own = process.Account("me", os.geteuid(), os.getegid())
    monkeypatch.setattr(process, "account", lambda name="": own)
    monkeypatch.setattr(supervision, "ASK_SECONDS", WAIT)  # one that answers is not killed, however slow the host
    try:
        yield there
    finally:
        for pid in there.living():
            os.kill(pid, 9)
        shutil.rmtree(root)


async def one(there: World, generation: int = 1, **request: Any) -> tuple[Host, Handle]:
    """A host with one machine on it, without disks or firmware."""
    machine = machines.make(generation, **{"nics": ()} | request)
    there.put(machine)
    host = await Host.open(there.paths)
    return host, host.find(machine.name)
