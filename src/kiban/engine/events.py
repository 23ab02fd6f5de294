# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened, for everybody who listens: a bus inside the service.

A slow listener loses the oldest events rather than hold anything up; the gap shows in the numbers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

BACKLOG = 1000


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a machine or a job. `time` is ISO 8601 in UTC."""

    number: int
    time: str
    kind: str
    machine_id: str
    machine: str
    data: Mapping[str, Any]


class Bus:
    """Publishes events to any number of listeners."""

    def __init__(self) -> None:
        self._number = 0
        self._listeners: set[_Listener] = set()

    def publish(self, kind: str, *, machine_id: str = "", machine: str = "", **data: Any) -> Event:
        """Tell everybody who listens now."""
        self._number += 1
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = Event(number=self._number, time=time, kind=kind, machine_id=machine_id, machine=machine, data=data)
        for listener in self._listeners:
            listener.put(event)
        return event

    async def subscribe(self) -> AsyncIterator[Event]:
        """All events from now on; ends only when the caller stops."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            self._listeners.discard(listener)


class _Listener:
    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=BACKLOG)
        self._ready = asyncio.Event()

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._ready.set()

    async def get(self) -> Event:
        await self._ready.wait()
        event = self._events.popleft()
        if not self._events:
            self._ready.clear()
        return event
