# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine: what it shows, what can be done to it now, its hardware, what it would boot, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from fastapi import Request
from nicegui import Client, background_tasks, ui

from kiban.engine.events import Event
from kiban.engine.view import MachineView
from kiban.errors import KibanError
from kiban.model.bootcheck import Report
from kiban.model.generations import GENERATIONS
from kiban.model.states import ALLOWED
from kiban.web.action import Action
from kiban.web.base import Site
from kiban.web.edits.branches import Tree
from kiban.web.exporting import ExportButton
from kiban.web.frame import Page, advise, frame
from kiban.web.onemachine import act, known, show_state
from kiban.web.roster import Roster
from kiban.web.rows import row
from kiban.web.usage import UsageCard
from kiban.web.verdict import heading
from kiban.web.words import Words
from kiban.wire.base import MachineRef

ACTIONS: Mapping[str, tuple[str, str]] = {
    "life.start": ("start", "play_arrow"),
    "life.shut_down": ("shut down", "power_settings_new"),
    "life.restart": ("restart", "restart_alt"),
    "life.save": ("save", "save"),
    "life.pause": ("pause", "pause"),
    "life.resume": ("resume", "play_circle"),
    "life.reset": ("reset", "refresh"),
    "life.turn_off": ("turn off", "power_off"),
}
"""Command: the operation in the table of states, and the button's icon."""
PATIENCE = 60.0
"""Seconds that a browser may take to say what its clock is."""
EVENTS = 100
"""Lines of events that are kept on a page."""


def add(site: Site) -> None:
    """A page for each machine, by its id."""

    @ui.page("/machine/{machine}")
    async def machine_page(request: Request, machine: MachineRef) -> None:
        with frame(request, site.session(request)) as page:
            if await known(page, site.roster, machine):
                MachinePage(page, site.roster, machine)


class MachinePage:
    """What one browser sees of one machine."""

    def __init__(self, page: Page, roster: Roster, machine_id: str) -> None:
        self._page, self._roster, self._words, self._id = page, roster, page.words, machine_id
        self._seen: MachineView | None = None
        self._turn = 0  # which explanation is wanted
        self._explained = ""  # what the card of what it would boot says, as the service says it
        with ui.row().classes("k-bar"):
            self._name = ui.label().classes("k-title").props('role="heading" aria-level="1"')
            self._state = ui.label().classes("k-state")
            ui.link(self._words("connect"), f"/console/{machine_id}").classes("k-connect")
            ui.space()
            self._buttons = {command: self._button(command, icon) for command, (_, icon) in ACTIONS.items()}
            self._export = ExportButton(page, roster, machine_id)
        self._note = ui.label().classes("k-note").props('role="status"')
        with ui.row().classes("k-halves"):
            with ui.column().classes("k-half"):
                with ui.element("div").classes("k-big"):
                    self._screen = ui.element("img").props(f'alt="{self._words("column screen")}"')
                    self._screen.props(f'data-screen="/screen/{machine_id}"')
                UsageCard(page, machine_id)
                self._boot = ui.column().classes("k-card")
                with ui.column().classes("k-card"):
                    ui.label(self._words("events")).classes("k-part")
                    self._events = ui.log(max_lines=EVENTS).classes("k-events")
            self._tree = Tree(page, roster, machine_id)
        self._show()
        client = ui.context.client
        client.on_delete(roster.watch(self._show))
        following = background_tasks.create(self._follow(client))
        client.on_delete(following.cancel)

    def _button(self, command: str, icon: str) -> Action:
        words = self._words(command)
        button = Action(icon=icon, on_click=lambda: act(self._page, command, self._id)).props(
            f'flat dense aria-label="{words}"'
        )
        return button.props(f'title="{words if self._page.may(command) else self._words("not allowed")}"')

    def _show(self) -> None:
        """Bring the page up to date."""
        view = self._roster.machines.get(self._id)
        self._export.show(view)
        if view is None:
            self._gone()
            return
        shown = row(view, self._words)
        self._name.set_text(view.name)
        show_state(self._state, self._page, view)
        self._warn(view)
        for command, (operation, _) in ACTIONS.items():
            self._buttons[command].set_enabled(view.state in ALLOWED[operation] and self._page.may(command))
        self._screen.set_visibility(shown["screen"])
        self._tree.show(view)
        if self._seen is None or _settings(self._seen) != _settings(view):
            background_tasks.create(self._explain(view))
        self._seen = view

    def _warn(self, view: MachineView) -> None:
        """What somebody should know of; a refusal only where the card of what it would boot does not say it."""
        said, boot = self._explained, view.boot.sentence
        sentences = [] if said and said == boot else [row(view, self._words)["note"]]
        told = tuple(filter(None, (said, boot)))
        sentences += [self._words.said(each) for each in view.warnings if not each.startswith(told)]
        self._note.set_text(" ".join(filter(None, sentences)))
        self._boot.classes(replace="k-card k-urgent" if view.boot.state == "refused" else "k-card")

    def _gone(self) -> None:
        """The machine was removed."""
        self._note.set_text(self._words("gone"))
        self._state.set_visibility(False)
        self._screen.set_visibility(False)
        self._tree.show(None)
        for button in self._buttons.values():
            button.set_enabled(False)

    async def _explain(self, view: MachineView) -> None:
        """What the firmware would load; generation 1 checks nothing, so there is nothing to say."""
        self._turn = turn = self._turn + 1
        self._boot.set_visibility(False)
        self._explained = ""
        if view.problem or not GENERATIONS[view.generation].secure_boot:
            return
        try:
            report: Report = await self._page.session.run("bootcheck.explain", self._id)
        except KibanError as error:
            report = Report(
                verdict="unknown", reason="", sentence=error.message, hint=error.hint, stages=(), bytes_read=0
            )
        if turn != self._turn:
            return
        self._boot.clear()
        self._boot.set_visibility(True)
        with self._boot:
            heading(report, self._words)
            for stage in report.stages:
                ui.label(f"{stage.device}  {stage.path}  {self._words.term(stage.kind)}").classes("k-stage")
            ui.label(self._words.said(report.sentence))
            advise(self._words, report.hint)
        self._explained = report.sentence
        self._warn(self._roster.machines.get(self._id, view))

    async def _follow(self, client: Client) -> None:
        """What happened to the machine as far as the service remembers, and what happens from now on."""
        zone = await _zone(client)
        async for event in self._page.session.host.events.subscribe(""):
            if event.machine_id == self._id:
                self._events.push(_line(event, zone, self._words))


def _settings(view: MachineView) -> tuple[object, ...]:
    """What the hardware and what it boots depend on."""
    parts = (
        "name",
        "cpus",
        "memory",
        "disks",
        "dvds",
        "floppy",
        "nics",
        "coms",
        "boot_order",
        "secure_boot",
        "template",
    )
    return (*(getattr(view, part) for part in parts), view.tpm, view.problem)


async def _zone(client: Client) -> tzinfo:
    """The browser's clock, as the other pages show it; UTC where it does not say."""
    try:
        await client.connected()
        minutes = await client.run_javascript("-new Date().getTimezoneOffset()", timeout=PATIENCE)
        return timezone(timedelta(minutes=int(minutes)))
    except (TimeoutError, TypeError, ValueError, OverflowError):
        return UTC


def _line(event: Event, zone: tzinfo, words: Words) -> str:
    there = {key: str(value) for key, value in event.data.items() if value not in ("", None)}
    told = (words.term(value) if key in ("state", "what") else words.said(value) for key, value in there.items())
    time = datetime.fromisoformat(event.time).astimezone(zone)
    return f"{time:%H:%M:%S}  {words.term(event.kind)}  {' '.join(told)}".rstrip()
