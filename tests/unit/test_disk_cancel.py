# SPDX-License-Identifier: GPL-2.0-or-later
"""A job of disks that is cancelled at its very end says of the disk what is true of it: there, or not there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk_chains import content, make, read
from engine_world import World, run, world

from kiban.adapters.disk import placing
from kiban.commands import disks as commands
from kiban.engine import diskuse, diskview
from kiban.engine import merging as engine_merging
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet
from kiban.model.requests import DiskRef, NewImage
from kiban.model.units import MiB

WAIT = 60.0
Work = Callable[[Progress], Coroutine[Any, Any, Any]]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def _work(host: Host, verb: str, old: Path, new: Path) -> Work:
    ref, image = DiskRef(path=str(old)), NewImage(path=str(new), format="qcow2", size=MiB)
    commands_of: dict[str, Work] = {
        "create": lambda progress: commands.create(host, image, progress=progress),
        "convert": lambda progress: commands.convert(host, ref, image, (), False, progress=progress),
        "clone": lambda progress: commands.clone(host, ref, str(new), progress=progress),
        "resize": lambda progress: commands.resize(host, ref, 64 * MiB, False, progress=progress),
        "compact": lambda progress: commands.compact(host, ref, progress=progress),
        "merge": lambda progress: commands.merge(host, DiskRef(path=str(new)), progress=progress),
    }

    async def plain(progress: Progress) -> str:
        return str((await commands_of[verb](progress)).path)

    return plain


class Canceller:
    """Makes a function cancel the job, and hands on only when the job has been told: in a thread or in the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self._loop, self._real = asyncio.get_running_loop(), getattr(module, name)
        self.cancel: Callable[[], object] = lambda: None
        self.called = False
        kind = self._in_loop if asyncio.iscoroutinefunction(self._real) else self._in_thread
        monkeypatch.setattr(module, name, kind)

    def _in_thread(self, *args: Any, **kwargs: Any) -> Any:
        told = threading.Event()
        self._loop.call_soon_threadsafe(self._tell)
        self._loop.call_soon_threadsafe(told.set)
        assert told.wait(WAIT)
        return self._real(*args, **kwargs)

    async def _in_loop(self, *args: Any, **kwargs: Any) -> Any:
        self._tell()
        await asyncio.sleep(0)
        return await self._real(*args, **kwargs)

    def _tell(self) -> None:
        if not self.called:
            self.called = True
            self.cancel()


EARLY, LATE = "cancelled", "done"


@pytest.mark.parametrize(
    ("verb", "step", "state"),
    [
        ("create", (placing, "_flush"), EARLY),
        ("convert", (placing, "_flush"), EARLY),
        ("clone", (placing, "_flush"), EARLY),
        ("compact", (placing, "_flush"), EARLY),
        ("merge", (diskuse, "chains"), EARLY),
        ("create", (placing, "_rename_noreplace"), LATE),
        ("convert", (placing, "_rename_noreplace"), LATE),
        ("clone", (placing, "_rename_noreplace"), LATE),
        ("compact", (placing, "_rename_over"), LATE),
        ("merge", (engine_merging, "_hand_to_parent"), LATE),
        ("clone", (placing, "sync_directory"), LATE),
        ("compact", (placing, "sync_directory"), LATE),
        ("create", (diskview, "look"), LATE),
        ("convert", (diskview, "look"), LATE),
        ("clone", (diskview, "look"), LATE),
        ("resize", (diskview, "look"), LATE),
        ("compact", (diskview, "look"), LATE),
        ("merge", (diskview, "look"), LATE),
    ],
)
def test_it_is_done_or_it_is_cancelled(
    there: World, monkeypatch: pytest.MonkeyPatch, verb: str, step: tuple[Any, str], state: str
) -> None:
    folder = there.root / "disks"
    folder.mkdir()
    old, new = make(folder / "old.qcow2", "qcow2", content()), folder / "new.qcow2"

    async def go() -> None:
        host = await Host.open(there.paths)
        if verb == "merge":
            await commands.create(host, NewImage(path=str(new), parent=DiskRef(path=str(old))), progress=quiet)
        before = {path.name: path.stat().st_ino for path in folder.iterdir()}
        canceller = Canceller(monkeypatch, *step)
        job = host.jobs.run(f"disks.{verb}", "", _work(host, verb, old, new))
        canceller.cancel = lambda: host.jobs.cancel(job.id)
        over = await host.jobs.wait(job.id, WAIT)
        assert (canceller.called, over.state) == (True, state)
        after = {path.name: path.stat().st_ino for path in folder.iterdir()}
        assert (after == before) == (state == EARLY or verb == "resize")
        if state == LATE and verb == "merge":
            assert [*after] == ["old.qcow2"]
        elif state == LATE and verb in ("create", "convert", "clone"):
            assert sorted(after) == ["new.qcow2", "old.qcow2"]
        assert read(old, "qcow2")[: len(content())] == content()
        await host.close()

    run(go())
