# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of the host its machines have and take: processors, memory, and room on its file systems.

What files take is what the host has allocated for them. Most disks grow as their guests write, so what is free may have
been promised to several: `growth` is what would be taken if all disks that are written to were full.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import psutil

from kiban.adapters.whole import in_thread
from kiban.engine import diskview
from kiban.engine.diskview import DiskView, LinkView
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.states import ALIVE

FRESH = 2.0
"""Seconds for which a measurement is good for whoever asks; to open all disks of a thousand machines takes one."""
ROOM = ("machines", "images", "library", "growth")
"""What is counted on each file system."""
BLOCK = 512
"""Bytes of st_blocks; see stat(2)."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """How many machines, and what they have been given together; memory in bytes."""

    machines: int
    cpus: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """A file system that machines are on, by where it is mounted; all in bytes. `growth` is of the disks there."""

    path: str
    size: int
    free: int
    machines: int
    images: int
    library: int
    growth: int


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What a machine takes, or an image that machines share and none writes to; in bytes.

    Attributes:
        id: of the machine; "" for an image, whose `name` is its path.
        disks: what the files of its disks take.
        saved: what its saved memory takes.
        other: the rest: NVRAM, TPM, logs.
        provisioned: how large its guest sees its disks.
        growth: what its disks may take besides.
        users: of an image, the machines whose disks are made on it.
    """

    name: str
    id: str = ""
    disks: int = 0
    saved: int = 0
    other: int = 0
    provisioned: int = 0
    growth: int = 0
    users: tuple[str, ...] = ()

    @property
    def takes(self) -> int:
        """All of it."""
        return self.disks + self.saved + self.other


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The host and what its machines have of it; memory in bytes, what takes most first."""

    processors: int
    memory: int
    memory_available: int
    all: Given
    running: Given
    file_systems: tuple[FileSystem, ...]
    holdings: tuple[Holding, ...]


@dataclass
class _Count:
    """The count itself. Each file is counted once, whoever else has it."""

    places: dict[int, Path] = field(default_factory=dict)
    rooms: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    machines: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    images: list[Holding] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def room(self, path: Path, found: os.stat_result) -> Counter[str]:
        """What is counted on the file system of a file."""
        if found.st_dev not in self.places:
            self.places[found.st_dev] = _mount_point(path, found.st_dev)
        return self.rooms[found.st_dev]

    def first(self, found: os.stat_result) -> bool:
        """Whether a file has not been counted yet."""
        key = found.st_dev, found.st_ino
        new = key not in self.seen
        self.seen.add(key)
        return new


@dataclass(frozen=True)
class _Measurement:
    begun: float
    task: asyncio.Task[_Count]

    def good(self, host: Host) -> bool:
        """Whether it is young enough, or not over yet."""
        if not self.task.done():
            return True
        young = time.monotonic() - self.begun < FRESH
        return young and not self.task.exception() and self.task.result().machines.keys() == host.handles.keys()


_measured: WeakKeyDictionary[Host, _Measurement] = WeakKeyDictionary()


async def look(host: Host) -> Capacity:
    """The host as it is now; its storage as of FRESH seconds ago at most."""
    last = _measured.get(host)
    if last is None or not last.good(host):
        last = _measured[host] = _Measurement(time.monotonic(), asyncio.create_task(_measure(host)))
    count = await asyncio.shield(last.task)
    handles = [handle for handle in host.handles.values() if handle.definition]
    memory = psutil.virtual_memory()
    names = {handle.id: handle.name for handle in host.handles.values()}
    machines = [_holding(names[id_], id_, tally) for id_, tally in count.machines.items() if id_ in names]
    return Capacity(
        processors=len(os.sched_getaffinity(0)),
        memory=memory.total,
        memory_available=memory.available,
        all=_given(handles),
        running=_given(handle for handle in handles if handle.state in ALIVE),
        file_systems=tuple(sorted(_file_systems(count), key=lambda found: -found.machines)),
        holdings=tuple(sorted([*machines, *count.images], key=lambda holding: (-holding.takes, holding.name))),
    )


def _holding(name: str, id_: str, tally: Counter[str]) -> Holding:
    return Holding(
        name=name,
        id=id_,
        disks=tally["disks"],
        saved=tally["saved"],
        other=tally["other"],
        provisioned=tally["provisioned"],
        growth=tally["growth"],
    )


def _given(handles: Iterable[Handle]) -> Given:
    some = [handle.machine for handle in handles]
    return Given(machines=len(some), cpus=sum(m.cpus for m in some), memory=sum(m.memory for m in some))


def _file_systems(count: _Count) -> Iterator[FileSystem]:
    for device, path in count.places.items():
        try:
            state = os.statvfs(path)
        except OSError:  # it is gone
            continue
        size, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
        room = count.rooms[device]
        yield FileSystem(path=str(path), size=size, free=free, **{part: room[part] for part in ROOM})


async def _measure(host: Host) -> _Count:
    return await in_thread(_counted, host, await diskview.families(host))


def _counted(host: Host, families: Sequence[DiskView]) -> _Count:
    count = _Count()
    ids = {handle.name: handle.id for handle in host.handles.values()}
    for view in families:
        for link in view.links:
            _add_link(count, link, ids)
    for handle in list(host.handles.values()):
        _add_folder(count, handle.directory, count.machines[handle.id])
    for path, found in _files(host.paths.media):
        if count.first(found):
            count.room(path, found)["library"] += found.st_blocks * BLOCK
    return count


def _add_link(count: _Count, link: LinkView, ids: Mapping[str, str]) -> None:
    try:
        path = Path(link.path).resolve(strict=True)
        found = path.stat()
    except OSError:  # it has gone meanwhile
        return
    if not count.first(found):
        return
    room, takes = count.room(path, found), found.st_blocks * BLOCK
    owner = next((use.machine for use in link.uses if use.writes), "")
    if owner in ids:
        growth = max(link.virtual_size - takes, 0)
        count.machines[ids[owner]].update(disks=takes, provisioned=link.virtual_size, growth=growth)
        room.update(machines=takes, growth=growth)
    else:
        users = tuple(sorted({use.machine for use in link.uses}))
        count.images.append(Holding(name=link.path, disks=takes, provisioned=link.virtual_size, users=users))
        room.update(images=takes)


def _add_folder(count: _Count, folder: Path, tally: Counter[str]) -> None:
    """The rest of a machine's own folder."""
    for path, found in _files(folder):
        if count.first(found):
            takes = found.st_blocks * BLOCK
            count.room(path, found)["machines"] += takes
            tally["saved" if path.name.startswith("memory.") else "other"] += takes


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files below a folder; links are counted as such, and what goes meanwhile is left out."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                yield path, path.lstat()
            except OSError:
                continue


def _mount_point(path: Path, device: int) -> Path:
    """The uppermost folder above a path that is on the same file system; what a link leads to is on another, maybe."""
    place = path.parent.resolve()
    while place != place.parent and place.parent.stat().st_dev == device:
        place = place.parent
    return place
