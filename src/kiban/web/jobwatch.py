# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages follow jobs: told when one has changed, and a mark at the top while any goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from nicegui import background_tasks, ui

from kiban.api.session import Session
from kiban.engine.events import Bus
from kiban.engine.jobs import LIVE, Job
from kiban.web.words import WORDS, Words

JOBS = "job."
"""How the kind of their events begins."""
GATHER = 0.1
"""Seconds in which changes are gathered, so that a hundred jobs that begin are shown together."""


def follow(session: Session, show: Callable[[], None], about: str = JOBS) -> asyncio.Task[None]:
    """Call `show` when jobs have changed, for as long as this browser has the page or until the task is cancelled.

    `about` is how the kind of other events begins, for who wants to hear of those instead.
    """
    task = background_tasks.create(_follow(_changes(session.host.events, about), show))
    ui.context.client.on_delete(task.cancel)
    return task


async def over(session: Session, job: Job, show: Callable[[Job], None]) -> Job:
    """The job when it is over; meanwhile `show` is called with it whenever jobs have changed."""
    async with aclosing(_changes(session.host.events, JOBS)) as changes:
        while job.state in LIVE:
            show(job)
            await anext(changes)
            job = session.host.jobs.get(job.id)
    return job


async def _follow(changes: AsyncIterator[None], show: Callable[[], None]) -> None:
    async for _ in changes:
        show()


def _changes(events: Bus, about: str) -> AsyncGenerator[None]:
    """Something each time that there was news from now on, which is when this is called."""
    return _heard(events, events.id_of(), about)


async def _heard(events: Bus, after: str, about: str) -> AsyncGenerator[None]:
    shown = 0
    async for event in events.subscribe(after):
        if event.number > shown and event.kind.startswith((about, "gap")):
            await asyncio.sleep(GATHER)
            shown = events.last
            yield


def title(job: Job, words: Words) -> str:
    """What a job does; the command's own name where there is no word for it."""
    return words(job.command) if job.command in WORDS else job.command


class Mark:
    """How many jobs go on, and the way to them; nothing when there are none."""

    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._words = session, words
        with ui.element("div").props('role="status"'), ui.link(target="/jobs").classes("k-mark") as self._link:
            ui.spinner(size="1.2em")
            self._count = ui.label()
        self._show()
        follow(session, self._show)

    def _show(self) -> None:
        live = sum(job.state in LIVE for job in self._session.host.jobs.list())
        self._link.set_visibility(live > 0)
        self._count.set_text(self._words("jobs go on", jobs=live) if live else "")
