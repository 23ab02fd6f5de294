# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machines have and take of this host."""

from __future__ import annotations

from kiban.engine import capacity
from kiban.engine.capacity import Capacity
from kiban.engine.host import Host


async def show(host: Host) -> Capacity:
    """Processors, memory and storage, and what each machine takes, the largest first."""
    return await capacity.look(host)
