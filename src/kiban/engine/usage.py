# SPDX-License-Identifier: GPL-2.0-or-later
"""What running machines use: measured only while somebody looks, and once however many do.

The first look at a machine begins its meter, which takes a sample every two seconds until nobody has looked for ten;
the samples of five minutes are kept. Processor and memory are the kernel's word about QEMU, disks QEMU's own. QEMU
counts nothing of a user-mode network, so that is the guest's word, known where its agent answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from kiban.engine import drives
from kiban.engine.handle import Handle
from kiban.engine.heartbeat import AT_ONCE, Pulse
from kiban.errors import KibanError
from kiban.model.usage import Counters, GuestState, Sample, Usage, rates

EVERY = 2.0
"""Seconds between samples."""
SOON = 0.5
"""Seconds between the first two readings, which make the first sample."""
LOOKED = 10.0
"""Seconds after the last look at which measuring ends."""
KEPT = 300.0
"""Seconds for which a sample, and a meter that nobody looks at, are kept."""
PATIENCE = 3.0
"""Seconds for QEMU's answer, and for the first sample."""
METERS = 1024
"""Machines that are measured at a time; the one that was not looked at for the longest makes room."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the counters say at a moment (monotonic): seconds of processor, bytes of memory, drives, network."""

    at: float
    cpu: float
    memory: int
    drives: Counters | None


class Meter:
    """Measures one machine while somebody looks."""

    def __init__(self, handle: Handle, turn: asyncio.Semaphore) -> None:
        self.looked = time.monotonic()
        self.pulse = Pulse(handle, turn)
        self._handle = handle
        self._samples: deque[Sample] = deque(maxlen=int(KEPT / EVERY))
        self._last: Reading | None = None
        self._run: object = None
        self._counted: tuple[float, Counters] = (0.0, {})
        self._net: tuple[float, float] | None = None
        self._measuring: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def look(self) -> tuple[Sample, ...]:
        """The samples so far. The first after a while takes SOON to be made."""
        self.looked = time.monotonic()
        if self._run is not self._handle.process:
            self._begin()
        if self._measuring is None or self._measuring.done():
            self._news = asyncio.Event()
            self._measuring = asyncio.create_task(self._measure())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._news.wait()
        oldest = datetime.fromtimestamp(time.time() - KEPT, UTC).isoformat()
        return tuple(sample for sample in self._samples if sample.time >= oldest)

    def close(self) -> None:
        """End measuring."""
        if self._measuring is not None:
            self._measuring.cancel()
            self._measuring = None

    def _begin(self) -> None:
        """Another QEMU counts from the beginning."""
        self._run, self._last, self._net, self._counted = self._handle.process, None, None, (0.0, {})
        self._samples.clear()
        self.close()

    async def _measure(self) -> None:
        self._last = None  # a rate over the time that nobody looked would be none
        news = self._news
        try:
            pause = SOON
            while self._run is self._handle.process is not None and time.monotonic() - self.looked < LOOKED:
                await self._take()
                await asyncio.sleep(pause)
                pause = EVERY
        finally:
            news.set()

    async def _take(self) -> None:
        run, now = self._run, await _read(self._handle)
        if now is None or run is not self._run:
            return
        if self._last is not None:
            self._samples.append(self._sample(self._last, now))
            self._news.set()
        self._last = now

    def _sample(self, before: Reading, now: Reading) -> Sample:
        seconds = now.at - before.at
        machine = self._handle.definition
        cpu = 100 * (now.cpu - before.cpu) / seconds / (machine.cpus if machine else 1)
        known = before.drives is not None and now.drives is not None
        disk = rates(before.drives or {}, now.drives or {}, seconds) if known else None
        read, written, reads, writes = disk or (0.0, 0.0, 0.0, 0.0) if known else (None, None, None, None)
        received, sent = self._network() or (None, None)
        return Sample(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            cpu=min(max(cpu, 0.0), 100.0),
            memory=now.memory,
            disk_read=read,
            disk_written=written,
            disk_reads=reads,
            disk_writes=writes,
            net_received=received,
            net_sent=sent,
        )

    def _network(self) -> tuple[float, float] | None:
        """Since the guest was asked before; the same until it is asked again."""
        (before, counted), (at, counting) = self._counted, self.pulse.counted
        if at != before:
            made = rates(counted, counting, at - before) if counted else None
            self._counted, self._net = self.pulse.counted, (made[0], made[1]) if made else None
        still = self._handle.state == "paused" and self._net is not None
        return (0.0, 0.0) if still else self._net


async def _read(handle: Handle) -> Reading | None:
    """The counters now; None when there is no QEMU any more."""
    if handle.process is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            counted = await drives.counters(handle)
    except (KibanError, TimeoutError):
        counted = None
    try:
        qemu = psutil.Process(handle.process.pid) if handle.process else None
        if qemu is None:
            return None
        times = qemu.cpu_times()
        return Reading(time.monotonic(), times.user + times.system, qemu.memory_info().rss, counted)
    except psutil.Error:
        return None


class Meters:
    """The meters of a host's machines, by their ids; those that were looked at last are at the end."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def usage(self, handle: Handle) -> Usage:
        """What a machine uses; begins to measure it."""
        samples: tuple[Sample, ...] = ()
        guest = GuestState()
        if handle.process is not None and handle.definition is not None:
            meter = self._of(handle)
            samples, guest = await asyncio.gather(meter.look(), meter.pulse.look())
        machine = handle.definition
        return Usage(
            machine=handle.name,
            id=handle.id,
            state=handle.state,
            cpus=machine.cpus if machine else 0,
            memory=machine.memory if machine else 0,
            guest=guest,
            samples=samples,
        )

    async def guest(self, handle: Handle) -> GuestState:
        """What a machine's guest says of itself; nothing else is measured."""
        return await self._of(handle).pulse.look() if handle.process is not None else GuestState()

    def _of(self, handle: Handle) -> Meter:
        meter = self._meters.pop(handle.id, None) or Meter(handle, self._turn)
        self._meters[handle.id] = meter
        meter.looked = time.monotonic()
        for machine_id, other in [*self._meters.items()]:
            if len(self._meters) <= METERS and meter.looked - other.looked < KEPT:
                break
            self._meters.pop(machine_id).close()
        return meter

    def close(self) -> None:
        """End all measuring."""
        for meter in self._meters.values():
            meter.close()
        self._meters.clear()
