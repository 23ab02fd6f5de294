# SPDX-License-Identifier: GPL-2.0-or-later
"""What a running machine uses, and what its guest says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Heartbeat = Literal["", "ok", "no-contact", "lost", "paused", "unknown"]
"""As Hyper-V has it. Empty: off. no-contact: no agent has answered since the start. lost: one had, or listens, and
answers no more. unknown: somebody else talks to the agent, or QEMU does not answer."""
Counters = Mapping[str, tuple[int, ...]]
"""By the device that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestState:
    """What the guest says through its agent. It may lie; `addresses` are IP addresses all the same, and few."""

    heartbeat: Heartbeat = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a machine used in the seconds before `time` (ISO 8601, UTC). None is what is not known."""

    time: str
    cpu: float
    """Percent of its processors."""
    memory: int
    """Bytes of the host's memory that its QEMU holds."""
    disk_read: float | None
    """Bytes a second, of all its drives; the next as well."""
    disk_written: float | None
    disk_reads: float | None
    """Operations a second; the next as well."""
    disk_writes: float | None
    net_received: float | None
    """Bytes a second, as the guest counts them; the next as well."""
    net_sent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a machine used on average in the minutes before `time`: percent of its processors, bytes of the host's."""

    time: str
    cpu: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """A machine's samples, the newest last; none for one that does not run. `memory` in bytes is what it is given."""

    machine: str
    id: str
    state: str
    cpus: int
    memory: int
    guest: GuestState
    samples: tuple[Sample, ...]


def rates(before: Counters, now: Counters, seconds: float) -> tuple[float, ...] | None:
    """What all devices together count a second; None when there are none.

    A device that was not there before, or that counts less than before, has begun anew.
    """
    if not now or seconds <= 0:
        return None
    grown = [_grown(before.get(device, ()), counters) for device, counters in now.items()]
    return tuple(sum(each) / seconds for each in zip(*grown, strict=True))


def _grown(before: tuple[int, ...], now: tuple[int, ...]) -> tuple[int, ...]:
    if len(before) != len(now) or any(was > count for was, count in zip(before, now, strict=True)):
        return now
    return tuple(count - was for was, count in zip(before, now, strict=True))
