# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines used in the last day: kept while nobody looks, bounded, and never made up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from engine_world import World, one, run, world

from kiban.commands import usage as commands
from kiban.engine import history, life
from kiban.engine.history import MOST, History, Reading, Track


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def test_a_sample_is_what_was_used_since_the_reading_before() -> None:
    track = Track()
    track.add(Reading(at=0, began=1, cpu=10, memory=5), cpus=2)
    track.add(Reading(at=100, began=1, cpu=60, memory=7), cpus=2)
    track.add(Reading(at=200, began=1, cpu=460, memory=9), cpus=2)
    assert [(each.time, each.cpu, each.memory) for each in track.since(0)] == [
        ("1970-01-01T00:01:40+00:00", 25.0, 7),
        ("1970-01-01T00:03:20+00:00", 100.0, 9),
    ]
    assert [each.memory for each in track.since(150)] == [9]


def test_nothing_is_known_over_an_end_or_a_new_beginning() -> None:
    track = Track()
    for reading in (Reading(0, 1, 10, 5), None, Reading(200, 1, 20, 5), Reading(300, 2, 1, 5), Reading(300, 2, 2, 5)):
        track.add(reading, cpus=1)
    assert track.since(0) == ()


def test_a_day_is_kept_and_no_more() -> None:
    track = Track()
    for number in range(2 * MOST):
        track.add(Reading(at=number * history.EVERY, began=1, cpu=0, memory=number), cpus=1)
    kept = track.since(0)
    assert (len(kept), kept[0].memory, kept[-1].memory) == (MOST, MOST, 2 * MOST - 1)


def test_machines_are_followed_while_nobody_looks(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVERY", 0.05)

    async def work() -> None:
        host, handle = await one(there)
        assert await commands.history(host, handle.name) == ()
        await life.start(host, handle)
        async with asyncio.timeout(60):
            while len(known := await commands.history(host, handle.name)) < 2:
                await asyncio.sleep(0.02)
        assert all(0 <= each.cpu <= 100 and each.memory > 0 for each in known)
        await life.turn_off(handle)
        await host.history.take([handle])
        before = await commands.history(host, handle.name)
        assert before[: len(known)] == known, "what it used is known when it is off, too"
        await host.history.take([handle])
        assert await commands.history(host, handle.name) == before
        await host.close()

    run(work())


def test_those_that_are_gone_are_forgotten(there: World) -> None:
    async def work() -> None:
        host, handle = await one(there)
        kept = History()
        await life.start(host, handle)
        for _ in range(2):
            await kept.take([handle])
        assert len(kept.of(handle.id)) == 1
        await kept.take([])
        assert kept.of(handle.id) == ()
        await life.turn_off(handle)
        await host.close()

    run(work())
