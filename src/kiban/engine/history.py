# SPDX-License-Identifier: GPL-2.0-or-later
"""What running machines used in the last day, also while nobody looked: processor and memory, coarsely.

Every two minutes the kernel is asked of each QEMU, ten milliseconds of a thread for a hundred machines;
QEMU and guests are left alone. It is kept in memory, 12 KiB for a machine and a day, and lost with the service.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from kiban.engine.handle import Handle
from kiban.model.usage import Past

EVERY = 120.0
"""Seconds between samples."""
KEPT = 86400.0
"""Seconds for which they are kept."""
MOST = int(KEPT / EVERY)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the kernel says of a QEMU, known by when it began: seconds of processor, bytes of memory."""

    at: float
    began: float
    cpu: float
    memory: int


class Track:
    """The samples of one machine, the newest last."""

    def __init__(self) -> None:
        self._times, self._cpus, self._memories = array("d"), array("f"), array("Q")
        self._last: Reading | None = None

    def add(self, now: Reading | None, cpus: int) -> None:
        """Keep what a machine has used since the reading before, if that was of the same QEMU."""
        before, self._last = self._last, now
        if before is None or now is None or before.began != now.began or now.at <= before.at:
            return
        self._times.append(now.at)
        self._cpus.append(min(max(100 * (now.cpu - before.cpu) / (now.at - before.at) / cpus, 0.0), 100.0))
        self._memories.append(now.memory)
        for column in (self._times, self._cpus, self._memories):
            del column[:-MOST]

    def since(self, oldest: float) -> tuple[Past, ...]:
        """The samples that are no older than a moment."""
        rows = zip(self._times, self._cpus, self._memories, strict=True)
        return tuple(Past(time=_said(at), cpu=cpu, memory=memory) for at, cpu, memory in rows if at >= oldest)


class History:
    """The tracks of a host's machines, by their ids."""

    def __init__(self) -> None:
        self._tracks: dict[str, Track] = {}

    async def run(self, handles: Callable[[], Iterable[Handle]]) -> None:
        """Take samples until cancelled."""
        while True:
            await self.take(list(handles()))
            await asyncio.sleep(EVERY)

    async def take(self, handles: Iterable[Handle]) -> None:
        """A sample of each machine that runs; those that are gone are forgotten."""
        known = {handle.id: handle for handle in handles}
        pids = {id_: handle.process.pid for id_, handle in known.items() if handle.process is not None}
        readings = await asyncio.to_thread(_readings, pids)
        self._tracks = {id_: track for id_, track in self._tracks.items() if id_ in known}
        for id_ in readings.keys() | self._tracks.keys():
            machine = known[id_].definition
            self._tracks.setdefault(id_, Track()).add(readings.get(id_), machine.cpus if machine else 1)

    def of(self, machine_id: str) -> tuple[Past, ...]:
        """What is known of a machine's last day."""
        track = self._tracks.get(machine_id)
        return track.since(time.time() - KEPT) if track else ()


def _readings(pids: dict[str, int]) -> dict[str, Reading]:
    return {id_: found for id_, pid in pids.items() if (found := _read(pid)) is not None}


def _read(pid: int) -> Reading | None:
    try:
        qemu = psutil.Process(pid)
        times = qemu.cpu_times()
        return Reading(time.time(), qemu.create_time(), times.user + times.system, qemu.memory_info().rss)
    except psutil.Error:  # it has ended
        return None


def _said(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
