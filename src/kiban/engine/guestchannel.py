# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to a machine's guest agent, on which one can talk at a time: does anybody listen."""

from __future__ import annotations

from typing import Literal

from kiban.engine.handle import Handle

Channel = Literal["closed", "free", "taken"]
"""closed: nobody in the guest has opened it. taken: somebody on the host talks on it now."""


async def look(handle: Handle) -> Channel:
    """How the channel is now, without a word to the guest."""
    for device in await handle.live.run("query-chardev"):
        if device["label"] == "agent" and device["frontend-open"]:
            # how QEMU says that nobody is connected to a socket of its own (chardev/char-socket.c)
            return "free" if str(device["filename"]).startswith("disconnected:") else "taken"
    return "closed"
