# SPDX-License-Identifier: GPL-2.0-or-later
"""What running machines use of the host, and what their guests say of themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from kiban.engine.host import Host
from kiban.model.usage import GuestState, Past, Usage


async def show(host: Host, name: str) -> Usage:
    """What one machine uses, and used in the last minutes as far as somebody has looked."""
    return await host.meters.usage(host.find(name))


async def running(host: Host) -> list[Usage]:
    """What every machine that runs uses now."""
    handles = sorted((h for h in host.handles.values() if h.alive), key=lambda h: h.name)
    found = await asyncio.gather(*(host.meters.usage(handle) for handle in handles))
    return [replace(usage, samples=usage.samples[-1:]) for usage in found]


async def history(host: Host, name: str) -> tuple[Past, ...]:
    """What one machine used in the last day, as far as the service has run."""
    return host.history.of(host.find(name).id)


async def guest(host: Host, name: str) -> GuestState:
    """The heartbeat and the addresses of a machine's guest."""
    return await host.meters.guest(host.find(name))
