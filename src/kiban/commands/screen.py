# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's screen and keyboard."""

from __future__ import annotations

from kiban.engine import screen
from kiban.engine.host import Host


async def screenshot(host: Host, name: str) -> bytes:
    """What the guest shows, as a PNG."""
    return await screen.screenshot(host.find(name))


async def type_text(host: Host, name: str, text: str) -> None:
    """Type text into the guest."""
    await screen.type_text(host.find(name), text)


async def press(host: Host, name: str, keys: str) -> None:
    """Press keys together, such as ctrl-alt-delete."""
    await screen.press(host.find(name), keys)
