# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages that a session has in the service: they end with it, and only so many wait for a browser to show them.

NiceGUI keeps a page for whoever has it to come back, whatever his cookie says by then, and one that was asked for and
not shown for a minute: a third of a megabyte each, which a script asks for dozens of times a second.
"""

from __future__ import annotations

import contextlib

from nicegui import Client
from starlette.types import ASGIApp, Receive, Scope, Send

from kiban.web.access import Visit

WAITING = 50
"""Pages of a session that no browser is connected to; the oldest goes when there are more."""


class Pages:
    """Stands before NiceGUI's application, and looks after what it has made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and let go of what has waited the longest."""
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            waiting = [page for page in _of(scope["kiban.visit"]) if not page.has_socket_connection]
            for page in waiting[:-WAITING]:
                _delete(page)


def end(visit: Visit) -> None:
    """Let go of all pages of a session that is over."""
    for page in _of(visit):
        _delete(page)


def _of(visit: Visit) -> list[Client]:
    """A session's pages, oldest first."""
    return [page for page in Client.instances.values() if page.request.scope.get("kiban.visit") is visit]


def _delete(page: Client) -> None:
    for task in [*page._delete_tasks.values()]:  # it would do so again, of a page that lost its browser just now
        task.cancel()
    with contextlib.suppress(KeyError):  # NiceGUI's word for one that is gone already
        page.delete()
