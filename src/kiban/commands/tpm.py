# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's TPM: what it is, and what was measured into it during the boot."""

from __future__ import annotations

from kiban.engine import tpmlog
from kiban.engine.host import Host
from kiban.engine.tpmlog import MeasuredBoot, TpmView, Wanted


async def show(host: Host, name: str) -> TpmView:
    """Whether there is a TPM, its state, and whether its registers are what the event log makes."""
    return await tpmlog.show(host.find(name))


async def log(host: Host, name: str, source: Wanted = "auto") -> MeasuredBoot:
    """The measured-boot event log in words."""
    return await tpmlog.measured(host.find(name), source)


async def raw_log(host: Host, name: str, source: Wanted = "auto") -> bytes:
    """The measured-boot event log in the TCG's binary form."""
    return await tpmlog.raw(host.find(name), source)
