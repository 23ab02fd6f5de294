# SPDX-License-Identifier: GPL-2.0-or-later
"""Files from the browser into the library of media: where they arrive, and where they are dropped.

A file is the body of a PUT as it is, so it goes piece by piece to its place and needs neither memory nor a temporary
file. The browser asks first: what is refused before its first byte is refused in words, and not by a broken connection.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Query, Request
from nicegui import events, ui
from starlette.responses import JSONResponse, Response

from kiban.adapters.disk.library import SUFFIXES
from kiban.api import problems
from kiban.api.media import incoming
from kiban.engine import media
from kiban.errors import KibanError
from kiban.web.base import Site
from kiban.web.frame import Page, words_of

ARRIVED = "k-arrived"
"""The event of a page that a file has arrived."""
Size = Annotated[int, Query(ge=0, le=1 << 60)]
ZONE = """<div class="k-drop" {words}>
<label class="k-choose"><i class="q-icon material-icons" aria-hidden="true">upload_file</i><span>{ask}</span>
<input type="file" accept="{accept}" {disabled}></label>
<div class="k-sending" hidden><progress max="1" value="0" aria-label="{progress}"></progress>
<button type="button">{cancel}</button></div>
<div class="k-said" role="status"></div></div>"""


def add(site: Site) -> None:
    """The address of each file to be."""

    @site.app.get("/media/{name:path}")
    async def may_come(request: Request, name: str, size: Size) -> Response:
        """Whether a file of that size would be taken."""
        session = site.session(request)
        try:
            session.allow(session.commands["media.upload"].permission)
            media.check(site.host, name, size)
        except KibanError as error:
            return _refused(request, error)
        return Response(status_code=204)

    @site.app.put("/media/{name:path}")
    async def come(request: Request, name: str) -> Response:
        try:
            made = await site.session(request).run("media.upload", incoming(name, request))
        except KibanError as error:
            return _refused(request, error)
        return JSONResponse({"name": made.name}, 201)


def _refused(request: Request, error: KibanError) -> Response:
    """A refusal in the words of the page that asked."""
    return problems.response(words_of(request).own(error))


def zone(page: Page, arrived: Callable[[str], Awaitable[Any]]) -> None:
    """Where files are dropped or chosen; `arrived` is called with the name of each that is whole in the library."""
    words, may = page.words, page.may("media.upload")
    said = {
        "sending": words("make sending"),
        "lost": words("make upload lost"),
        "stopped": words("make upload stopped"),
        "arrived": words("make arrived"),
    }
    ui.html(
        ZONE.format(
            words=" ".join(f'data-{key}="{html.escape(text)}"' for key, text in said.items()),
            ask=html.escape(words("make drop") if may else words("not allowed")),
            accept=",".join(SUFFIXES),
            disabled="" if may else "disabled",
            progress=html.escape(words("progress")),
            cancel=html.escape(words("cancel")),
        ),
        sanitize=False,  # all of it is ours
    ).classes("k-making-full")

    async def heard(event: events.GenericEventArguments) -> None:
        await arrived(str(event.args))

    ui.on(ARRIVED, heard)
