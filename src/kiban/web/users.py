# SPDX-License-Identifier: GPL-2.0-or-later
"""Users: the tokens that people and programs have, and the sessions of browsers."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, cast, get_args

from fastapi import Request
from nicegui import events, ui

from kiban.engine.tokens import TokenView
from kiban.model.roles import Role
from kiban.web.access import Visit
from kiban.web.base import Site
from kiban.web.cells import column, fill
from kiban.web.frame import LEAVE, Page, frame, sure

TICK = 2.0
"""Seconds between looks at what has changed elsewhere: tokens are also made by the command line."""
WHEN = """<q-td :props="props">
{{{{ props.value ? new Date(props.value).toLocaleString('{language}') : '{never}' }}}}</q-td>"""
BUTTON = """<q-td :props="props"><q-btn flat dense no-caps color="primary" :label="props.value"
:aria-label="props.value + ' ' + props.row.name" @click="tell('press', props.row.id)"></q-btn></q-td>"""
NARROW = ("name", "role", "end")
"""Columns that a phone shows, too."""


def add(site: Site) -> None:
    """The page."""

    @ui.page("/users")
    async def users_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            ui.label(page.words("users")).classes("k-title").props('role="heading" aria-level="1"')
            if page.may("tokens.list"):
                await Tokens(page).show()
            else:
                ui.label(page.words("tokens not shown")).classes("k-soft")
            Sessions(page, site, site.visit(request)).show()


class Tokens:
    """The tokens, for whoever may make them."""

    def __init__(self, page: Page) -> None:
        self._page, self._words = page, page.words
        with ui.column().classes("k-card"):
            ui.label(self._words("tokens")).classes("k-part").props('role="heading" aria-level="2"')
            ui.label(self._words("what tokens are")).classes("k-soft")
            self._table = _table(page, ("name", "role", "created", "used", "end"), self._words("no tokens"))
            self._table.on("press", self._revoke)
            with ui.element("form").classes("k-new") as form:
                self._name = ui.input(self._words("token name")).props('dense outlined maxlength="63"')
                roles = {role: self._words(f"called {role}") for role in get_args(Role)}
                self._role = ui.select(roles, value="operator", label=self._words("column role")).props(
                    "dense outlined"
                )
                ui.button(self._words("create token")).props('unelevated no-caps type="submit"')
            form.on("submit.prevent", self._create)
        ui.timer(TICK, self.show)

    async def show(self) -> None:
        """Bring the table up to date."""
        found: list[TokenView] = await self._page.session.run("tokens.list")
        _fill(self._table, [self._row(token) for token in found])

    def _row(self, token: TokenView) -> dict[str, Any]:
        return {
            "id": token.name,
            "name": token.name,
            "role": self._words(f"called {token.role}"),
            "created": token.created,
            "used": token.used,
            "end": self._words("revoke"),
        }

    async def _create(self) -> None:
        name, role = str(self._name.value or "").strip(), cast("Role", self._role.value)
        secret = await self._page.do(self._page.session.run("tokens.create", name, role))
        if secret is not None:
            self._name.set_value("")
            await self.show()
            await _once(self._page, name, secret)

    async def _revoke(self, event: events.GenericEventArguments) -> None:
        name, words = str(event.args), self._words
        if await sure(words("sure revoke", name=name), words("revoke"), words("cancel")):
            await self._page.do(self._page.session.run("tokens.revoke", name))
            await self.show()


async def _once(page: Page, name: str, secret: str) -> None:
    """Show a token's secret, until it is put away."""
    words = page.words
    with ui.dialog().props("persistent") as dialog, ui.card().classes("k-once"):
        ui.label(words("new token", name=name)).classes("k-part")
        ui.label(words("shown once"))
        shown = ui.input(words("token"), value=secret).props("readonly outlined dense").classes("k-secret")
        with shown.add_slot("append"):
            copy = ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(secret))
            copy.props(f'flat dense round aria-label="{html.escape(words("copy"))}"')
        with ui.row().classes("k-answers"):
            ui.button(words("close"), on_click=lambda: dialog.submit(True)).props("unelevated no-caps")
    await dialog
    dialog.delete()


class Sessions:
    """The visitor's own sessions, or all for whoever may revoke what they were begun with."""

    def __init__(self, page: Page, site: Site, visit: Visit) -> None:
        self._page, self._site, self._own, self._words = page, site, visit, page.words
        with ui.column().classes("k-card"):
            ui.label(self._words("sessions")).classes("k-part").props('role="heading" aria-level="2"')
            self._table = _table(page, ("name", "role", "where", "began", "end"), self._words("none"))
            self._table.on("press", self._end)
        ui.timer(TICK, self.show)

    def show(self) -> None:
        """Bring the table up to date."""
        _fill(self._table, [self._row(visit) for visit in self._visits().values()])

    def _visits(self) -> Mapping[str, Visit]:
        """Those that the visitor may see and end."""
        every = self._page.may("tokens.revoke")
        own = self._own.caller
        return {visit.id: visit for visit in self._site.access.visits() if every or visit.caller == own}

    def _row(self, visit: Visit) -> dict[str, Any]:
        name = visit.caller.name or self._words("by socket")
        return {
            "id": visit.id,
            "name": self._words("this session", name=name) if visit is self._own else name,
            "role": self._words(f"called {visit.caller.role}"),
            "where": visit.where,
            "began": visit.began.isoformat(timespec="seconds"),
            "end": self._words("end session"),
        }

    def _end(self, event: events.GenericEventArguments) -> None:
        visit = self._visits().get(str(event.args))
        if visit is self._own:
            ui.run_javascript(LEAVE)
        elif visit is not None:
            self._site.access.end(visit)
            self.show()


def _table(page: Page, names: tuple[str, ...], empty: str) -> ui.table:
    """A table of these columns; the last one is a button, which emits `press` with the row's id."""
    words = page.words
    columns = [column(name, words(f"column {name}"), "" if name in NARROW else "k-wide") for name in names]
    table = ui.table(columns=columns, rows=[], row_key="id").classes("k-table").props("flat hide-pagination")
    table.props(f'no-data-label="{html.escape(empty)}" :rows-per-page-options=[0]')
    for name in ("created", "used", "began"):
        if name in names:
            fill(table, f"body-cell-{name}", WHEN.format(language=words.language, never=words("never")))
    fill(table, "body-cell-end", BUTTON)
    return table


def _fill(table: ui.table, rows: list[dict[str, Any]]) -> None:
    if table.rows != rows:
        table.rows = rows
