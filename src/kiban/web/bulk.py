# SPDX-License-Identifier: GPL-2.0-or-later
"""One command on one or many machines: as jobs, a few at a time, and every one that did not work out is told of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiban.api.session import Session
from kiban.engine.jobs import LIVE
from kiban.errors import KibanError
from kiban.problem import from_problem

AT_ONCE = 4
PATIENCE = 60.0
"""Seconds for which a guest is waited for that was asked to shut down."""
COMMANDS: Mapping[str, Mapping[str, Any]] = {
    "life.start": {},
    "life.shut_down": {"timeout": PATIENCE},
    "life.turn_off": {},
    "life.restart": {"timeout": PATIENCE},
    "life.save": {},
    "life.pause": {},
    "life.resume": {},
    "life.reset": {},
}
"""What can be done to one or many, with its options."""


@dataclass
class Outcome:
    """How many did it, and why the others did not."""

    done: int = 0
    refused: list[KibanError] = field(default_factory=list)


async def run(session: Session, command: str, names: Sequence[str]) -> Outcome:
    """Run `command`, one of COMMANDS, on each machine; NotAllowed, and nothing done, when the caller may not."""
    session.allow(session.commands[command].permission)
    outcome, turn = Outcome(), asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        try:
            async with turn:
                await _one(session, command, name)
        except KibanError as error:
            outcome.refused.append(error)
        else:
            outcome.done += 1

    await asyncio.gather(*(one(name) for name in names))
    return outcome


async def _one(session: Session, command: str, name: str) -> None:
    machine = session.host.find(name).name
    job = session.begin(command, machine, name, **COMMANDS[command])
    while job.state in LIVE:
        job = await session.host.jobs.wait(job.id, PATIENCE)
    if job.error is not None:
        raise from_problem(job.error)
