# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's screen and keyboard."""

from __future__ import annotations

from kiban.engine import display, screen
from kiban.engine.display import Viewer
from kiban.engine.host import Host


async def screenshot(host: Host, name: str) -> bytes:
    """What the guest shows, as a PNG."""
    return await host.shots.take(host.find(name))


async def type_text(host: Host, name: str, text: str) -> None:
    """Type text into the guest."""
    await screen.type_text(host.find(name), text)


async def press(host: Host, name: str, keys: str) -> None:
    """Press keys together, such as ctrl-alt-delete."""
    await screen.press(host.find(name), keys)


async def view(host: Host, name: str) -> Viewer:
    """Look at the screen as it changes, over RFB."""
    return await display.connect(host.find(name), hands=False)


async def use(host: Host, name: str) -> Viewer:
    """Look at the screen as it changes, and use keyboard and mouse, over RFB."""
    return await display.connect(host.find(name), hands=True)
