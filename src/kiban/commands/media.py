# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media, and what an ISO is."""

from __future__ import annotations

from kiban.engine import advising, media
from kiban.engine.advising import Advice
from kiban.engine.host import Host
from kiban.engine.media import Incoming, MediumView


async def list_all(host: Host) -> list[MediumView]:
    """All images of the library, by name."""
    return await media.list_all(host)


async def upload(host: Host, incoming: Incoming) -> MediumView:
    """Take an image in."""
    return await media.upload(host, incoming)


async def remove(host: Host, name: str) -> None:
    """Remove an image that no machine has."""
    await media.remove(host, name)


async def advise(host: Host, path: str) -> Advice:
    """What a machine for an ISO on this host should be."""
    return await advising.advise(path)
