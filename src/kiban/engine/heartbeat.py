# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's heartbeat as Hyper-V has it, its addresses and what it counts of its network, through the guest agent.

The agent's channel takes one conversation at a time, so a heartbeat is short: the handshake, which is the proof of life
(guest-ping would write to the guest's log), and one question. Nothing is asked where nobody listens, where somebody
else talks, or of a guest that stands still, and a guest that answers nonsense is left alone for a while.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from math import inf

from kiban.adapters.guest import interfaces
from kiban.adapters.guest.agent import Agent
from kiban.adapters.guest.interfaces import Interface
from kiban.engine import guestchannel
from kiban.engine.handle import Handle
from kiban.errors import Failed, KibanError, TimedOut
from kiban.model.usage import Counters, GuestState, Heartbeat

FRESH = 5.0
"""Seconds for which an answer is good."""
STALE = 15.0
"""Seconds after which it is so old that who wants to know waits for another."""
REST = 30.0
"""Seconds for which a guest is left alone that has not answered as it should."""
SECONDS = 3.0
"""For one conversation."""
MOST = 128 << 10
"""Bytes that a guest may say in one; fifty interfaces take 40,000."""
AT_ONCE = 4
"""Conversations at a time, of all machines."""


class Pulse:
    """What one machine's guest says, asked rarely however many want to know.

    `counted` is when the guest last told what it counts (monotonic), and that by MAC; `turn` is for AT_ONCE.
    """

    def __init__(self, handle: Handle, turn: asyncio.Semaphore) -> None:
        self._handle = handle
        self._turn = turn
        self._state = GuestState()
        self._asked = self._due = -inf
        self._asking: asyncio.Task[None] | None = None
        self._run: tuple[object, int] = (None, 0)
        self._met = False
        self.counted: tuple[float, Counters] = (0.0, {})

    async def look(self) -> GuestState:
        """What the guest said last. Waits for its answer only when the last one is too old to be told."""
        self._forget_other_runs()
        handle = self._handle
        if handle.process is None or handle.state == "starting":
            return GuestState()
        if handle.state == "paused":
            return replace(self._state, heartbeat="paused")
        now = time.monotonic()
        if now >= self._due and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None and not self._asking.done() and now - self._asked > STALE:
            await asyncio.wait({self._asking}, timeout=2 * SECONDS)
        return self._state

    def _forget_other_runs(self) -> None:
        """A machine that was started or reset has another guest in it."""
        run = (self._handle.process, self._handle.resets)
        if run != self._run:
            self._run, self._state, self._met = run, GuestState(heartbeat="unknown"), False
            self._asked = self._due = -inf
            self.counted = (0.0, {})

    async def _ask(self) -> None:
        run = self._run
        try:
            async with asyncio.timeout(SECONDS):
                channel = await guestchannel.look(self._handle)
        except (KibanError, TimeoutError):
            self._settle("unknown", FRESH)
            return
        if channel == "taken":
            self._settle(self._state.heartbeat, FRESH)
        elif channel == "closed":
            self._settle("lost" if self._met else "no-contact", FRESH)
        else:
            heard = await self._converse()
            stood_still = heard is None and self._handle.state == "paused"  # which is why it did not answer
            if run == self._run and not stood_still:
                self._note(heard)

    async def _converse(self) -> list[Interface] | None:
        """The guest's interfaces; None when it does not answer."""
        try:
            async with (
                self._turn,
                asyncio.timeout(SECONDS),
                Agent.connect(self._handle.runtime / "agent.sock", timeout=SECONDS, most=MOST) as agent,
            ):
                return await self._interfaces(agent)
        except (KibanError, TimeoutError):
            return None

    async def _interfaces(self, agent: Agent) -> list[Interface]:
        try:
            answer = await agent.command("guest-network-get-interfaces", timeout=SECONDS)
        except (Failed, TimedOut):
            return []  # it lives, and does not tell
        machine = self._handle.definition
        return interfaces.read(answer, [nic.mac for nic in machine.nics] if machine else [])

    def _note(self, heard: list[Interface] | None) -> None:
        if heard is None:
            self._settle("lost", REST)
            return
        self._met = True
        self._settle("ok", FRESH)
        addresses = [address for interface in heard for address in interface.addresses]
        self._state = replace(self._state, addresses=tuple(dict.fromkeys(addresses)))
        self.counted = (time.monotonic(), {each.mac: each.counted for each in heard if each.counted})

    def _settle(self, heartbeat: Heartbeat, rest: float) -> None:
        self._asked = time.monotonic()
        self._due = self._asked + rest
        kept = self._state.addresses if heartbeat == self._state.heartbeat else ()
        self._state = GuestState(heartbeat=heartbeat, addresses=kept)
        if heartbeat != "ok":
            self.counted = (0.0, {})
