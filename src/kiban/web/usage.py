# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines use: a card of charts on a machine's page, and figures in the list for the rows in view.

Both ask again and again only while their tab is in view, and the service measures only what is asked for.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Request
from nicegui import events, ui

from kiban.api import problems
from kiban.api.session import Session
from kiban.engine import history
from kiban.engine.usage import EVERY
from kiban.errors import KibanError, NotFound
from kiban.model.usage import Past, Sample, Usage
from kiban.web import charts
from kiban.web.base import Site
from kiban.web.charts import Chart
from kiban.web.frame import Page, words_of
from kiban.web.words import Words
from kiban.wire.base import MachineRef

CHARTS = ("cpu", "memory", "disk", "network")


def add(site: Site) -> None:
    """An address for the figures of the rows in view."""

    @site.app.get("/usage", response_model=None)
    async def usage(request: Request, of: Annotated[list[MachineRef], Query(max_length=100)]) -> Any:
        session, words = site.session(request), words_of(request)
        try:
            found = await asyncio.gather(*(_usage(session, machine) for machine in dict.fromkeys(of)))
        except KibanError as error:
            return problems.response(error)
        return {each.id: _figures(each, words) for each in found if each is not None}


async def _usage(session: Session, machine: str) -> Usage | None:
    try:
        found: Usage = await session.run("usage.show", machine)
    except NotFound:  # it is removed, and the row will go
        return None
    return found


def _figures(usage: Usage, words: Words) -> dict[str, str]:
    heartbeat, samples = usage.guest.heartbeat, usage.samples
    return {
        "cpu": words("percent", percent=round(samples[-1].cpu)) if samples else "",
        "heartbeat": words(f"heartbeat {heartbeat}") if heartbeat else "",
    }


class UsageCard:
    """The charts of one machine, with what they show in words."""

    def __init__(self, page: Page, machine_id: str) -> None:
        self._page, self._words, self._id = page, page.words, machine_id
        self._shown = ""  # time of the newest sample of the day that is drawn
        with ui.column().classes("k-card k-usage") as self._card:
            with ui.row().classes("k-bar"):
                ui.label(self._words("usage")).classes("k-part")
                ui.space()
                spans = {False: self._words("usage now"), True: self._words("usage day")}
                self._day = ui.toggle(spans, value=False, on_change=self._look).props("dense flat no-caps")
                self._day.props(f'aria-label="{self._words("usage span")}"')
            self._heartbeat = ui.label()
            self._why = ui.label(self._words("why no-contact")).classes("k-soft")
            self._addresses = ui.label()
            self._past = ui.label().classes("k-soft").props('role="status"')
            with ui.element("div").classes("k-charts"):
                self._charts = {name: Chart(self._words(f"usage {name}")) for name in CHARTS}
        self._card.set_visibility(False)
        timer = ui.timer(EVERY, self._look)

        def seen(event: events.GenericEventArguments) -> None:
            timer.active = bool(event.args)

        ui.on("seen", seen)

    async def _look(self) -> None:
        try:
            usage: Usage = await self._page.session.run("usage.show", self._id)
        except KibanError:  # it is removed, which the page tells
            self._card.set_visibility(False)
            return
        self._card.set_visibility(bool(usage.samples))
        if usage.samples:
            self._show(usage)
            if self._day.value:
                await self._show_day(usage)

    def _show(self, usage: Usage) -> None:
        heartbeat, words = usage.guest.heartbeat, self._words
        self._heartbeat.set_visibility(bool(heartbeat))
        if heartbeat:
            self._heartbeat.set_text(words("heartbeat", heartbeat=words(f"heartbeat {heartbeat}")))
        self._why.set_visibility(heartbeat == "no-contact")
        self._addresses.set_visibility(bool(usage.guest.addresses))
        self._addresses.set_text(words("addresses", addresses=", ".join(usage.guest.addresses)))
        for name in ("disk", "network"):
            self._charts[name].element.set_visibility(not self._day.value)
        self._past.set_visibility(self._day.value)
        if not self._day.value:
            self._shown = ""
            self._show_now(usage)

    async def _show_day(self, usage: Usage) -> None:
        """The last day; drawn when there is more of it."""
        words = self._words
        past: tuple[Past, ...] = await self._page.session.run("usage.history", self._id)
        newest = past[-1].time if past else "none"
        if self._shown == newest or not self._day.value:  # by now it may be the last minutes that are wanted
            return
        self._shown = newest
        if not past:
            self._past.set_text(words("usage no past"))
            for name in ("cpu", "memory"):
                self._charts[name].show([], 1.0, "", "", history.KEPT)
            return
        age = int((datetime.now(UTC) - datetime.fromisoformat(past[0].time)).total_seconds() + history.EVERY) // 60
        self._past.set_text(words("usage past", time=words("hours", hours=age // 60, minutes=age % 60)))
        cpu, memory = (charts.lines(past, field, gap=3 * history.EVERY) for field in ("cpu", "memory"))
        percents = [each.cpu for each in past]
        mean, most = round(sum(percents) / len(percents)), round(max(percents))
        said = words("says past cpu", percent=mean, most=most)
        self._charts["cpu"].show(cpu, 100.0, words("percent", percent=100), said, history.KEPT)
        held = max(each.memory for each in past)
        top = float(max(usage.memory, held))
        said = words("says past memory", held=charts.size(held), given=charts.size(usage.memory))
        self._charts["memory"].show(memory, top, charts.size(top), said, history.KEPT)

    def _show_now(self, usage: Usage) -> None:
        words, samples, now = self._words, usage.samples, usage.samples[-1]
        self._charts["cpu"].show(charts.lines(samples, "cpu"), 100.0, words("percent", percent=100), self._cpu(usage))
        said = words("says memory", held=charts.size(now.memory), given=charts.size(usage.memory))
        most = float(max(usage.memory, *(sample.memory for sample in samples)))  # QEMU has needs of its own
        self._charts["memory"].show(charts.lines(samples, "memory"), most, charts.size(most), said)
        for name, fields in (("disk", ("disk_read", "disk_written")), ("network", ("net_received", "net_sent"))):
            lines = charts.lines(samples, *fields)
            top = charts.top(lines)
            said = getattr(self, f"_{name}")(now)
            self._charts[name].show(lines, top, words("a second", size=charts.size(top)), said)

    def _cpu(self, usage: Usage) -> str:
        percent = round(usage.samples[-1].cpu)
        if usage.cpus == 1:
            return self._words("says cpu of one", percent=percent)
        return self._words("says cpu", percent=percent, cpus=usage.cpus)

    def _disk(self, now: Sample) -> str:
        if now.disk_read is None or now.disk_reads is None:
            return self._words("says disk unknown")
        operations = round(now.disk_reads + (now.disk_writes or 0))
        read, written = charts.size(now.disk_read), charts.size(now.disk_written)
        return self._words("says disk", read=read, written=written, operations=operations)

    def _network(self, now: Sample) -> str:
        if now.net_received is None:
            return self._words("says network unknown")
        received, sent = charts.size(now.net_received), charts.size(now.net_sent)
        return self._words("says network", received=received, sent=sent)
