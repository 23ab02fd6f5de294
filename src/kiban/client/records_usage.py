# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers with about the use of machines. See kiban.client.records."""

from __future__ import annotations

from kiban.client.records import Record

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import ClassVar


class GuestState(Record):
    """What a guest says of itself: `heartbeat` is ok, no-contact, lost, paused, unknown, or empty when it is off."""

    heartbeat: str
    addresses: list[str]


class Sample(Record):
    """What a machine used: `cpu` in percent of its processors, bytes, and what it did a second. None: not known."""

    time: str
    cpu: float
    memory: int
    disk_read: float | None
    disk_written: float | None
    disk_reads: float | None
    disk_writes: float | None
    net_received: float | None
    net_sent: float | None


class Past(Record):
    """What a machine used on average in the minutes before `time`: percent of its processors, bytes."""

    time: str
    cpu: float
    memory: int


class Usage(Record):
    """What a machine uses: its samples, the newest last, none when it does not run."""

    machine: str
    id: str
    state: str
    cpus: int
    memory: int
    guest: GuestState
    samples: list[Sample]
    _parts: ClassVar = {"guest": GuestState, "samples": Sample}
