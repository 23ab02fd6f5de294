# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus as server-sent events (HTML Living Standard, 9.2), with a comment now and then so that a dead line shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from kiban.engine.events import Bus, Event
from kiban.wire import answers

HEARTBEAT = 15.0
"""Seconds of silence before a comment is sent."""
LISTENING = b": listening\n\n"
"""The first thing sent: from here on nothing is missed."""


async def stream(bus: Bus, stopping: asyncio.Event, machine: str | None) -> AsyncIterator[bytes]:
    """All events from now on, until the service stops; of one machine (name or id), if it is named."""
    events = aiter(bus.subscribe())
    coming = asyncio.ensure_future(anext(events))
    end = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.sleep(0)  # lets the subscription begin before the caller is told that it has
        yield LISTENING
        while not stopping.is_set():
            done, _ = await asyncio.wait({coming, end}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if coming in done:
                event = coming.result()
                coming = asyncio.ensure_future(anext(events))
                if machine is None or machine in (event.machine, event.machine_id):
                    yield _encode(event)
            elif not done:
                yield b": still here\n\n"
    finally:
        coming.cancel()
        end.cancel()
        await asyncio.wait({coming, end})


def _encode(event: Event) -> bytes:
    data = answers.Event.model_validate(event).model_dump_json()
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()
