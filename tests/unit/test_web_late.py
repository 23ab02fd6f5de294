# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page has asked for comes after something else was asked: only the last answer is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from api_fakes import ADVICE, PLAN, REPORT, VIEW
from nicegui import Client, core, ui
from nicegui.events import GenericEventArguments, handle_event
from starlette.requests import Request

from kiban.engine.events import Bus
from kiban.errors import NotAllowed
from kiban.web.frame import Page
from kiban.web.importing import ImportPage
from kiban.web.machine import MachinePage
from kiban.web.newmachine import CreatePage
from kiban.web.roster import Roster
from kiban.web.words import Words


class Slow:
    """A session that answers what is asked of it when it is told to."""

    def __init__(self, command: str) -> None:
        self.host = SimpleNamespace(events=Bus(), handles={}, check_free=lambda _: None)
        self.asked: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self.begun: list[tuple[Any, ...]] = []
        self._command = command

    def may(self, _: str) -> bool:
        return True

    async def run(self, command: str, *arguments: Any) -> Any:
        if command != self._command:
            return []
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((arguments, answer))
        return await answer

    def begin(self, *what: Any) -> None:
        self.begun.append(what)
        raise NotAllowed("Not here.")

    async def answer(self, number: int, answer: object) -> None:
        self.asked[number][1].set_result(answer)
        await _settled()


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@contextmanager
def visitor(session: Slow) -> Iterator[tuple[Client, Page]]:
    """Somebody who has a page open, without a browser."""
    core.loop = asyncio.get_running_loop()
    client = Client(ui.page("/"), request=Request({"type": "http", "path": "/", "headers": []}))
    with client:
        yield client, Page(cast("Any", session), Words("en"))
    client.delete()


def said(client: Client) -> list[str]:
    return [part.text for part in client.elements.values() if isinstance(part, ui.label) and part.visible]


def press(client: Client, name: str) -> None:
    (button,) = (part for part in client.elements.values() if isinstance(part, ui.button) and part.text == name)
    for listener in button._event_listeners.values():
        handle_event(listener.handler, GenericEventArguments(sender=button, client=client, args=None))


def test_what_is_imported_is_what_the_plan_was_made_of() -> None:
    async def main() -> None:
        session = Slow("takeover.plan")
        with visitor(session) as (client, page):
            form = ImportPage(page)
            for path in ("/slow", "/quick"):
                form._path.set_value(path)
                press(client, "Show the plan")
                await _settled()
            await session.answer(1, replace(PLAN, name="quick"))
            await session.answer(0, replace(PLAN, name="slow"))
            (plan,) = (text for text in said(client) if text.endswith(PLAN.title))
            press(client, "Import")
            assert (plan.partition(":")[0], session.begun[0][2].path) == ("quick", "/quick")

    asyncio.run(main())


def test_a_medium_that_is_not_chosen_any_more_suggests_nothing() -> None:
    async def main() -> None:
        session = Slow("media.advise")
        with visitor(session) as (client, page):
            form = CreatePage(page)
            slow = asyncio.create_task(form._chosen("/debian.iso"))
            await _settled()
            await form._chosen("")
            await session.answer(0, ADVICE)
            await slow
            assert (form._advice, ADVICE.name in said(client)) == (None, False)

    asyncio.run(main())


def test_what_a_machine_would_boot_is_what_was_asked_last() -> None:
    async def main() -> None:
        session = Slow("bootcheck.explain")
        roster = Roster(cast("Any", session))
        roster.machines[VIEW.id] = VIEW
        with visitor(session) as (client, page):
            MachinePage(page, roster, VIEW.id)
            await _settled()
            roster.machines[VIEW.id] = replace(VIEW, secure_boot=not VIEW.secure_boot)
            for watcher in roster._watchers:
                watcher()
            await _settled()
            await session.answer(1, replace(REPORT, sentence="As it is now."))
            await session.answer(0, replace(REPORT, sentence="As it was."))
            assert [text for text in said(client) if text.startswith("As it ")] == ["As it is now."]

    asyncio.run(main())
