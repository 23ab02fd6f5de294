# SPDX-License-Identifier: GPL-2.0-or-later
"""What running machines use, as it is sent."""

from __future__ import annotations

from pydantic import Field

from kiban.wire.base import Sent


class GuestState(Sent):
    """What a machine's guest says of itself, through its agent."""

    heartbeat: str = Field(examples=["ok"])
    """ok; no-contact (no agent has answered since the start); lost (one had, or listens, and answers no more); paused;
    unknown (somebody else talks to it, or QEMU does not answer); empty when the machine is off."""
    addresses: list[str] = Field(examples=[["10.0.2.15"]])
    """IP addresses of the machine's network adapters, in the guest's words."""


class Sample(Sent):
    """What a machine used in the seconds before `time`; null is what is not known."""

    time: str
    cpu: float
    """Percent of its processors."""
    memory: int
    """Bytes of the host's memory that its QEMU holds."""
    disk_read: float | None
    """Bytes a second, of all its disks and DVD drives."""
    disk_written: float | None
    """Bytes a second."""
    disk_reads: float | None
    """Operations a second."""
    disk_writes: float | None
    """Operations a second."""
    net_received: float | None
    """Bytes a second, as its guest counts them; null where no guest agent answers."""
    net_sent: float | None
    """The same."""


class Past(Sent):
    """What a machine used on average in the two minutes before `time`."""

    time: str
    cpu: float
    """Percent of its processors."""
    memory: int
    """Bytes of the host's memory that its QEMU holds."""


class Usage(Sent):
    """What a machine uses, and what its guest says of itself."""

    machine: str
    id: str
    state: str
    cpus: int
    memory: int
    """Bytes that it is given."""
    guest: GuestState
    samples: list[Sample]
    """The newest last; none when the machine does not run. Samples are made only while somebody asks for them."""
