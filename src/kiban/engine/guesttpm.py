# SPDX-License-Identifier: GPL-2.0-or-later
"""A TPM as its guest sees it: Linux's files about it, read through the guest agent where one listens.

Sources: Linux's drivers/char/tpm (securityfs' binary_bios_measurements) and Documentation/ABI/stable/sysfs-class-tpm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from kiban.adapters.firmware.eventlog import MAX_LOG, PCRS
from kiban.adapters.guest.agent import Agent
from kiban.engine import guestchannel
from kiban.engine.handle import Handle
from kiban.errors import Damaged, Failed, NotFound, TimedOut

_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
_PCR = "/sys/class/tpm/tpm0/pcr-{bank}/{number}"
_SECONDS = 10.0
_ALL_SECONDS = 60.0  # for all registers: three questions each
_HEX_DIGITS = 128


async def log(handle: Handle) -> bytes:
    """The event log that the guest's kernel keeps. Raises NotFound without agent or log, Failed, TimedOut."""
    async with _agent(handle) as agent:
        try:
            return await agent.read_file(_LOG, limit=MAX_LOG)
        except Failed as error:
            raise NotFound(
                f"The guest of {handle.name} does not show an event log: {error.message}",
                f"Read it in its memory: kiban tpm log {handle.name} --source memory",
                code="no-log",
            ) from error


async def pcrs(handle: Handle, banks: Sequence[str]) -> Mapping[tuple[str, int], str]:
    """The registers of these banks, by bank and number, in hex. Raises NotFound, Failed, TimedOut, Damaged."""
    values = {}
    async with _agent(handle) as agent:
        for bank in banks:
            for number in range(PCRS):
                text = await agent.read_file(_PCR.format(bank=bank, number=number), limit=4096)
                values[bank, number] = _hex(text)
    return values


def _hex(text: bytes) -> str:
    try:
        return bytes.fromhex(text.decode("ascii")[: _HEX_DIGITS + 2]).hex()
    except ValueError as error:
        raise Damaged("The guest shows something else than hex digits in a register of its TPM.") from error


@asynccontextmanager
async def _agent(handle: Handle) -> AsyncIterator[Agent]:
    """The guest's agent. NotFound at once when nobody in the guest has opened its port."""
    if await guestchannel.look(handle) == "closed":
        raise NotFound(
            f"No guest agent runs in {handle.name}.", "Install qemu-guest-agent in the guest.", code="no-agent"
        )
    try:
        async with (
            asyncio.timeout(_ALL_SECONDS),
            Agent.connect(handle.runtime / "agent.sock", timeout=_SECONDS) as agent,
        ):
            yield agent
    except TimeoutError as error:
        raise TimedOut(f"The guest agent of {handle.name} did not show its TPM within {_ALL_SECONDS:g} s.") from error
