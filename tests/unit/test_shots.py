# SPDX-License-Identifier: GPL-2.0-or-later
"""Screenshots: always of what comes after they were asked for, and seldom enough for the guest, whoever asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from engine_world import run

from kiban.engine import screen, shots
from kiban.engine.handle import Handle
from kiban.engine.shots import Shots
from kiban.errors import Conflict


class Machine:
    """What is asked of a machine. Its pictures are numbered, and made when `ready` is set."""

    def __init__(self) -> None:
        self.begun = 0
        self.ready = asyncio.Event()
        self.runs = True

    def check(self, _: str) -> None:
        if not self.runs:
            raise Conflict("It is off.")


@pytest.fixture(autouse=True)
def qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    async def picture(machine: Machine, _: str) -> bytes:
        machine.check("")
        machine.begun += 1
        number = machine.begun
        await machine.ready.wait()
        return b"%d" % number

    monkeypatch.setattr(screen, "picture", picture)


def ask(there: Shots, machine: Machine) -> asyncio.Task[bytes]:
    return asyncio.create_task(there.take(cast("Handle", machine)))


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_who_asks_gets_what_was_begun_after_that_together_with_the_others() -> None:
    async def main() -> None:
        there, machine = Shots(), Machine()
        first = [ask(there, machine) for _ in range(50)]
        await settle()
        later = [ask(there, machine) for _ in range(50)]
        for gone in (first[0], later[0]):  # he takes nobody's picture with him
            gone.cancel()
        await settle()
        assert machine.begun == 1
        machine.ready.set()
        assert Counter(await asyncio.gather(*first[1:], *later[1:])) == {b"1": 49, b"2": 49}

    run(main())


def test_a_machine_rests_after_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shots, "SHARE", 10**9)

    async def main() -> None:
        there, machine = Shots(), Machine()
        machine.ready.set()
        await ask(there, machine)
        again = ask(there, machine)
        await settle()
        assert (machine.begun, again.done()) == (1, False)

    run(main())


def test_few_are_made_at_a_time() -> None:
    async def main() -> None:
        there, machines = Shots(), [Machine() for _ in range(10)]
        asked = [ask(there, machine) for machine in machines]
        await settle()
        assert sum(machine.begun for machine in machines) == shots.AT_ONCE
        for machine in machines:
            machine.ready.set()
        await asyncio.gather(*asked)

    run(main())


def test_a_qemu_that_is_stuck_holds_up_no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shots, "STUCK", 0.01)

    async def main() -> None:
        there, stuck, well = Shots(), [Machine() for _ in range(shots.AT_ONCE)], Machine()
        waiting: list[Any] = [ask(there, machine) for machine in stuck]
        await settle()
        well.ready.set()
        assert await ask(there, well) == b"1"
        assert not any(one.done() for one in waiting)

    run(main())


def test_who_waits_for_a_machine_that_ends_is_told_and_the_next_one_goes_on() -> None:
    async def main() -> None:
        there, machine = Shots(), Machine()
        first = ask(there, machine)
        await settle()
        waiting = ask(there, machine)
        await settle()
        machine.runs = False
        machine.ready.set()
        assert await first == b"1"
        for refused in (waiting, ask(there, machine)):
            with pytest.raises(Conflict):
                await refused
        machine.runs = True
        assert await ask(there, machine) == b"2"

    run(main())
