# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus: who was away hears what he missed, or that he missed something."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kiban.engine import events
from kiban.engine.events import Bus, Event


def heard(bus: Bus, after: str, count: int) -> list[Event]:
    """The first events that a listener gets who was there until `after`; he gets no more than `count` of them."""

    async def go() -> list[Event]:
        stream = bus.subscribe(after)
        found = [await asyncio.wait_for(anext(stream), 60) for _ in range(count)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        return found

    return asyncio.run(go())


def kinds(found: list[Event]) -> list[str]:
    return [event.kind for event in found]


def publish(bus: Bus, count: int, **data: Any) -> list[str]:
    """The ids of that many events: e1, e2 …"""
    return [bus.id_of(bus.publish(f"e{number}", **data)) for number in range(1, count + 1)]


def test_who_was_away_hears_what_he_missed() -> None:
    bus = Bus()
    ids = publish(bus, 4)
    assert kinds(heard(bus, ids[1], 2)) == ["e3", "e4"]
    assert kinds(heard(bus, ids[3], 0)) == []
    assert kinds(heard(bus, bus.id_of(), 0)) == []


def test_from_before_the_first_event() -> None:
    bus = Bus()
    start = bus.id_of()
    publish(bus, 2)
    assert kinds(heard(bus, start, 2)) == ["e1", "e2"]


def test_who_was_away_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    bus = Bus()
    ids = publish(bus, 6)
    found = heard(bus, ids[1], 4)
    assert kinds(found) == ["gap", "e4", "e5", "e6"]
    assert bus.id_of(found[0]) == ids[2], "who goes on after the gap misses nothing more"
    assert kinds(heard(bus, ids[2], 3)) == ["e4", "e5", "e6"]


@pytest.mark.parametrize("other", ["", "0", "-1", "x-y", "deadbeef-1", f"deadbeef-{2**70}"])
def test_an_id_of_another_run_is_a_gap(other: str) -> None:
    bus = Bus()
    publish(bus, 2)
    assert kinds(heard(bus, other, 3)) == ["gap", "e1", "e2"]
    assert kinds(heard(Bus(), other, 1)) == ["gap"]


def test_an_id_that_is_yet_to_come_is_a_gap() -> None:
    bus = Bus()
    publish(bus, 2)
    run = bus.id_of().partition("-")[0]
    assert kinds(heard(bus, f"{run}-3", 3)) == ["gap", "e1", "e2"]


def test_a_listener_who_is_too_slow_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)

    async def go() -> None:
        bus = Bus()
        stream = bus.subscribe(bus.id_of())
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        publish(bus, 2)
        assert (await first).kind == "e1"
        publish(bus, 4)
        assert [(await anext(stream)).kind for _ in range(4)] == ["gap", "e2", "e3", "e4"]

    asyncio.run(go())


def test_two_runs_have_different_ids() -> None:
    assert Bus().id_of() != Bus().id_of()
