# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's COM ports."""

from __future__ import annotations

from kiban.engine import comport
from kiban.engine.comport import Port
from kiban.engine.host import Host


async def attach(host: Host, name: str, number: int) -> Port:
    """Read what the guest says on a COM port, and type there."""
    return await comport.attach(host.find(name), number)
