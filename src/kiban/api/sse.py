# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus as server-sent events (HTML Living Standard, 9.2), with a comment now and then so that a dead line shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from kiban.engine.events import Bus, Event
from kiban.wire import answers

HEARTBEAT = 15.0
"""Seconds of silence before a comment is sent."""


async def stream(
    bus: Bus, stopping: asyncio.Event, machine: str | None, after: str, good: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Events until the service stops or the caller is no longer `good`; of one machine (name or id), if it is named.

    Those after the one with the id `after`, if there is one, else from now on. The first thing sent is the id from
    which on nothing is missed.
    """
    after = after or bus.id_of()
    events = aiter(bus.subscribe(after))
    coming = asyncio.ensure_future(anext(events))
    end = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.sleep(0)  # lets the subscription begin before the caller is told that it has
        yield f": listening\nid: {after}\n\n".encode()
        while not stopping.is_set():
            done, _ = await asyncio.wait({coming, end}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if not good():
                return
            if coming in done:
                event = coming.result()
                coming = asyncio.ensure_future(anext(events))
                if machine is None or event.kind == "gap" or machine in (event.machine, event.machine_id):
                    yield _encode(bus.id_of(event), event)
            elif not done:
                yield b": still here\n\n"
    finally:
        coming.cancel()
        end.cancel()
        await asyncio.wait({coming, end})


def _encode(event_id: str, event: Event) -> bytes:
    data = answers.Event.model_validate(event).model_dump_json()
    return f"id: {event_id}\nevent: {event.kind}\ndata: {data}\n\n".encode()
