# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media at work: what is there and which machines have it, what arrives, and what may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields

from kiban.adapters.disk import library, placing
from kiban.adapters.disk.library import Kind, Stored
from kiban.adapters.whole import in_thread
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import Conflict

PIECE = 1 << 20
"""Bytes that are kept in memory of what arrives."""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """An image that somebody sends; `size` is what was announced, in bytes, None where nothing was."""

    name: str
    size: int | None
    chunks: AsyncIterator[bytes] = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class MediumView:
    """An image of the library; `size` in bytes, `added` ISO 8601, `machines` the names of those that have it."""

    name: str
    path: str
    kind: Kind
    size: int
    added: str
    machines: tuple[str, ...]


async def list_all(host: Host) -> list[MediumView]:
    """All images, by name."""
    found = await asyncio.to_thread(library.stored, host.paths.media)
    return [_view(host, stored) for stored in found]


def check(host: Host, name: str, size: int) -> None:
    """What an upload would be refused for before its first byte: BadInput, Conflict, HostLacks."""
    library.place(host.paths.media, name, size)


async def upload(host: Host, incoming: Incoming) -> MediumView:
    """Take an image in; whatever ends that before it is whole, nothing of it is left.

    Raises:
        BadInput: its name, or it is no image of its kind, or not as long as announced.
        Conflict: there is one of that name, or one is arriving.
        HostLacks: there is no room for it.
    """
    with library.arriving(host.paths.media, incoming.name, incoming.size) as arrival:
        async with placing.written_back(arrival.descriptor):
            async for piece in _pieces(incoming.chunks):
                await in_thread(arrival.write, piece)
        stored = await arrival.finish()
    host.events.publish("medium.added", medium=stored.name)
    return _view(host, stored)


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, PIECE or a little more at a time."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def remove(host: Host, name: str) -> None:
    """Remove an image that no machine has: NotFound, BadInput, Conflict."""
    path = library.find(host.paths.media, name)
    if machines := _machines(host, str(path)):
        raise Conflict(
            f"{path.name} is in a drive of {', '.join(machines[:5])}.",
            f"Take it out first: kiban set {machines[0]} --dvd none",
            code="in-use",
        )
    await in_thread(library.remove, path)
    host.events.publish("medium.removed", medium=path.name)


def _view(host: Host, stored: Stored) -> MediumView:
    said = {part.name: getattr(stored, part.name) for part in fields(stored)}
    return MediumView(**said, machines=tuple(_machines(host, stored.path)))


def _machines(host: Host, path: str) -> list[str]:
    return sorted(handle.name for handle in host.handles.values() if handle.definition and path in _media(handle))


def _media(handle: Handle) -> list[str]:
    machine = handle.machine
    return [dvd.medium for dvd in machine.dvds] + ([machine.floppy.medium] if machine.floppy else [])
