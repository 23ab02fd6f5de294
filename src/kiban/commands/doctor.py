# SPDX-License-Identifier: GPL-2.0-or-later
"""What this host has and lacks."""

from __future__ import annotations

from kiban.engine import checkup
from kiban.engine.checkup import Finding
from kiban.engine.host import Host


async def report(host: Host) -> list[Finding]:
    """All findings, those that are needed first."""
    return await checkup.examine(host)
