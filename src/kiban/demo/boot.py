# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts a machine, follows its guest until it is up, and asks it when that was and what it sees.

The times are taken with two clocks: the host's, from the start command on, and the guest kernel's own, which tells when
things happened inside, however late somebody asks. One reading of both at once joins them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.guest.agent import Agent
from kiban.client import Client
from kiban.demo import hardware
from kiban.demo.hardware import Hardware
from kiban.errors import Failed, TimedOut

PATIENCE = 900.0
"""Seconds a guest may take to come up, on a slow host without KVM."""

Stage = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A guest image, and how to know that its guest is up."""

    image: str  # the file in the folder of guest_image.ensure
    title: str
    up: str  # what "up" means, for people
    memory: int  # bytes
    script: str  # waits until the guest is up; prints when that was, in seconds on its kernel's clock


GUESTS = {
    "debian": Guest(
        image="debian",
        title="Debian 12",
        up="multi-user",
        memory=1 << 30,
        script="systemctl is-system-running --wait >/dev/null\n"
        "us=$(systemctl show --value --property=ActiveEnterTimestampMonotonic multi-user.target)\n"
        'echo "$((us / 1000000)).$(printf %06d $((us % 1000000)))"',
    ),
    "probe": Guest(
        image="probe",
        title="a tiny Linux",
        up="all devices found",
        memory=512 << 20,
        script='until [ -e /run/probe-ready ]; do sleep 0.1; done; read -r up idle </proc/uptime; echo "$up"',
    ),
}


@dataclass(frozen=True, kw_only=True)
class Boot:
    """One start of a machine. Times in seconds; `hardware` is what its guest saw."""

    generation: int
    machine: str
    accelerator: str
    to_kernel: float  # from the start command until the guest's kernel began: Kiban, QEMU, firmware, boot loader
    to_up: float  # from the start command until the guest was up
    hardware: Hardware


def boot(host: Client, name: str, guest: Guest, stage: Stage) -> Boot:
    """Start a machine whose guest image is `guest` and see it come up; blocks, and can be interrupted.

    Raises:
        Failed: the machine ended, or its guest answered nonsense.
        TimedOut: the guest was not up within PATIENCE.
    """
    began = time.monotonic()
    stage("starting QEMU")
    view = host.start(name)
    stage("firmware, boot loader and kernel; its agent does not answer yet")
    to_kernel, up, seen = asyncio.run(_follow(Path(view.runtime) / "agent.sock", guest, stage, began))
    return Boot(
        generation=view.generation,
        machine=name,
        accelerator=host.machine(name).accelerator,
        to_kernel=round(to_kernel, 2),
        to_up=round(to_kernel + up, 2),
        hardware=seen,
    )


async def _follow(socket: Path, guest: Guest, stage: Stage, began: float) -> tuple[float, float, Hardware]:
    """Seconds until the kernel began, seconds from then until the guest was up, and what it sees."""
    async with Agent.connect(socket, timeout=PATIENCE) as agent:
        stage(f"the agent answers; waiting for: {guest.up}")
        outcome = await agent.run(["/bin/sh", "-c", guest.script], timeout=PATIENCE)
        up = seconds(outcome.stdout)
        to_kernel = await _kernel_began(agent) - began
        stage("asking the guest what it sees")
        return to_kernel, up, await hardware.look(agent, timeout=PATIENCE)


async def _kernel_began(agent: Agent) -> float:
    """When the guest's kernel began, on this process's monotonic clock. No process in the guest delays the reading."""
    handle = await agent.command("guest-file-open", path="/proc/uptime")
    answer = await agent.command("guest-file-read", handle=handle, count=64)
    now = time.monotonic()
    await agent.command("guest-file-close", handle=handle)
    try:
        text = base64.b64decode(str(answer["buf-b64"] if isinstance(answer, dict) else ""), validate=True)
    except (KeyError, binascii.Error) as error:
        raise Failed("The guest agent did not hand over /proc/uptime.") from error
    return now - seconds(text)


def seconds(text: bytes) -> float:
    """The first number in what a guest printed; Failed when it is none that a clock shows."""
    try:
        value = float(text.split()[0])
    except (IndexError, ValueError) as error:
        raise Failed(f"The guest did not say when it was up, but {text[:80]!r}.") from error
    if not 0 < value < 1e6:
        raise Failed(f"The guest's clock cannot be right: {value}.")
    return value


def shut_down(host: Client, name: str) -> float | None:
    """Press the power button; the seconds until the machine was off, or None when it had to be turned off."""
    began = time.monotonic()
    try:
        host.stop(name, timeout=180)
    except TimedOut:
        host.stop(name, force=True)
        return None
    return round(time.monotonic() - began, 2)
