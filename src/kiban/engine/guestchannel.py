# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to a machine's guest agent, on which one can talk at a time: does anybody listen."""

from __future__ import annotations

from typing import Literal

from kiban.engine import chardev
from kiban.engine.handle import Handle

Channel = Literal["closed", "free", "taken"]
"""closed: nobody in the guest has opened it. taken: somebody on the host talks on it now."""


async def look(handle: Handle) -> Channel:
    """How the channel is now, without a word to the guest."""
    device = await chardev.find(handle, "agent")
    if device is None or not device["frontend-open"]:
        return "closed"
    return "taken" if chardev.is_taken(device) else "free"
