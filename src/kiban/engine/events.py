# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened, for everybody who listens: a bus inside the service.

The last events are kept, so who lost the connection can go on where he was. A listener who comes back too late, or is
too slow, loses the oldest events rather than hold anything up, and is told so by an event of the kind `gap`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KEPT = 1000


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
    """Publishes events to any number of listeners. An event's id is good for one run of the service."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Event] = set()

    def publish(self, kind: str, *, machine_id: str = "", machine: str = "", **data: Any) -> Event:
        """Tell everybody who listens."""
        self._number += 1
        event = _event(self._number, kind, machine_id=machine_id, machine=machine, data=data)
        self._kept.append(event)
        for listener in self._listeners:
            listener.set()
        return event

    @property
    def last(self) -> int:
        """The number of the last event; 0 before the first."""
        return self._number

    def id_of(self, event: Event | None = None) -> str:
        """The id of an event, or of the last one: what to give to `subscribe` to hear of all that comes after it."""
        return f"{self._run}-{self._number if event is None else event.number}"

    async def subscribe(self, after: str) -> AsyncIterator[Event]:
        """All events after the one with that id; ends only when the caller stops."""
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            last = self._find(after)
            while True:
                first = self._kept[0].number if self._kept else self._number + 1
                if last is None or last + 1 < first:
                    last = first - 1
                    yield _event(last, "gap", data={"message": "some events before this are lost"})
                elif last < self._number:
                    last += 1
                    yield self._kept[last - first]
                else:
                    news.clear()
                    await news.wait()
        finally:
            self._listeners.discard(news)

    def _find(self, event_id: str) -> int | None:
        """The number of the event with that id; None for one of another run, or none at all."""
        run, _, number = event_id.partition("-")
        known = run == self._run and number.isdecimal() and int(number) <= self._number
        return int(number) if known else None


def _event(number: int, kind: str, *, machine_id: str = "", machine: str = "", data: Mapping[str, Any]) -> Event:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Event(number=number, time=time, kind=kind, machine_id=machine_id, machine=machine, data=data)
