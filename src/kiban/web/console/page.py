# SPDX-License-Identifier: GPL-2.0-or-later
"""The page with a machine's screen, and what is done to the machine while looking at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from nicegui import ui

from kiban.engine import novnc
from kiban.engine.view import MachineView
from kiban.errors import HostLacks
from kiban.model.states import ALLOWED
from kiban.web.action import Action
from kiban.web.base import Site
from kiban.web.console import paste
from kiban.web.console.dvd import Discs
from kiban.web.console.screen import Screen
from kiban.web.frame import Page, frame
from kiban.web.onemachine import act, known, show_state
from kiban.web.roster import Roster
from kiban.wire.base import MachineRef

LIFE = ("life.start", "life.shut_down", "life.turn_off")
TOOLS: Mapping[str, tuple[str, str]] = {
    "life.start": ("start", "play_arrow"),
    "life.shut_down": ("shut down", "power_settings_new"),
    "life.turn_off": ("turn off", "power_off"),
    "screen.press": ("type into", ""),
    "screen.type_text": ("type into", "content_paste"),
    "devices.insert": ("edit", "album"),
    "screen.screenshot": ("look at", "photo_camera"),
}
"""Command: the operation in the table of states, and the button's icon."""
CHORD = "ctrl-alt-delete"


def add(site: Site) -> None:
    """A console for each machine, by its id."""

    @ui.page("/console/{machine}")
    async def console_page(request: Request, machine: MachineRef) -> None:
        with frame(request, site.session(request)) as page:
            if await known(page, site.roster, machine):
                ConsolePage(page, site.roster, machine)


class ConsolePage:
    """What one browser has of one machine's screen."""

    def __init__(self, page: Page, roster: Roster, machine_id: str) -> None:
        self._page, self._roster, self._words, self._id = page, roster, page.words, machine_id
        with ui.row().classes("k-bar k-console-bar"):
            self._name = ui.label().classes("k-title").props('role="heading" aria-level="1"')
            self._state = ui.label().classes("k-state")
            for com in roster.machines[machine_id].coms:
                if com.kind == "socket":
                    ui.link(f"COM {com.number}", f"/console/{machine_id}/com/{com.number}").classes("k-soft")
            ui.link(self._words("machine page"), f"/machine/{machine_id}").classes("k-soft")
            ui.space()
            self._buttons = {command: self._tool(command, icon) for command, (_, icon) in TOOLS.items()}
            self._discs = Discs(page, self._buttons["devices.insert"], lambda: roster.machines[machine_id])
            self._fit = _button("fit_screen", self._words("fit"), self._scale).props("aria-pressed=true")
            whole = _button("fullscreen", self._words("full screen"))
        self._screen = self._make_screen(roster.machines[machine_id].name)
        if self._screen is None:
            self._fit.set_enabled(False)
            whole.set_enabled(False)
        else:
            # in the browser: it lets only a click do this
            whole.on("click", js_handler=f"() => getElement({self._screen.id}).fullscreen()")
        self._show()
        ui.context.client.on_delete(roster.watch(self._show))

    def _make_screen(self, name: str) -> Screen | None:
        try:
            novnc.find()
        except HostLacks as error:
            ui.label(self._words.refused(error)).classes("k-card").props('role="status"')
            return None
        return Screen(self._id, self._words, hands=self._page.may("screen.use"), name=name)

    def _tool(self, command: str, icon: str) -> ui.button:
        may = self._page.may(command)
        words = self._words(f"tool {command}" if command not in LIFE else command)
        # its menu opens in the browser, which asks nobody whether it may
        kind = ui.button if command == "devices.insert" else Action
        button = _button(icon, words, self._doing(command), kind)
        return button if may else button.props(f'title="{self._words("not allowed")}"')

    def _doing(self, command: str) -> Callable[[], Any]:
        match command:
            case "screen.press":
                return lambda: self._page.do(self._page.session.run(command, self._id, CHORD))
            case "screen.type_text":
                return lambda: paste.ask(self._page, self._id)
            case "devices.insert":
                return lambda: None  # the menu opens in the browser
            case "screen.screenshot":
                return self._shoot
        return lambda: act(self._page, command, self._id)

    def _show(self) -> None:
        """Bring the page up to date."""
        view = self._roster.machines.get(self._id)
        if view is not None:
            self._name.set_text(view.name)
            show_state(self._state, self._page, view)
            self._discs.show(view)
        for command, (operation, _) in TOOLS.items():
            able = view is not None and view.state in ALLOWED[operation] and self._page.may(command)
            self._buttons[command].set_enabled(able and (command != "devices.insert" or bool(view and view.dvds)))
        if self._screen is not None:
            alive = view is not None and view.state in ALLOWED["look at"]
            self._screen.show(alive=alive, note=self._note(view))

    def _note(self, view: MachineView | None) -> str:
        """What is said where the screen would be."""
        if view is None:
            return self._words("gone")
        if view.state == "starting":
            return self._words("screen starting")
        return self._words(f"screen {view.state}") if view.state in ("off", "saved") else ""

    def _scale(self) -> None:
        if self._screen is not None:
            self._screen.fit = not self._screen.fit
            self._fit.props(f"aria-pressed={str(self._screen.fit).lower()}")

    async def _shoot(self) -> None:
        png = await self._page.do(self._page.session.run("screen.screenshot", self._id))
        if png is not None:
            when = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            ui.download.content(png, f"{self._roster.machines[self._id].name}-{when}.png", "image/png")


def _button(icon: str, words: str, do: Callable[[], Any] | None = None, kind: type[ui.button] = ui.button) -> ui.button:
    """A button with an icon and words for it; with the keys that it presses where no icon says that."""
    button = kind("" if icon else "Ctrl-Alt-Del", icon=icon or None, on_click=do)
    return button.props(f'flat dense no-caps aria-label="{words}" title="{words}"')
