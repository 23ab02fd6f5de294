# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page's module is given to put its routes on: the application, and what all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from kiban.api.session import Session
from kiban.web.access import Access, Visit
from kiban.web.roster import Roster

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host


@dataclass(frozen=True)
class Site:
    """The web manager of one service. `app` stands behind `kiban.web.gate.Gate`, which says whose request it is."""

    app: FastAPI
    host: Host
    commands: Mapping[str, Command]
    roster: Roster
    access: Access

    def session(self, request: HTTPConnection) -> Session:
        """The visitor's way to the commands, with the visitor's role; of a request or a WebSocket."""
        return Session(self.host, self.commands, self.visit(request).caller.role)

    def visit(self, request: HTTPConnection) -> Visit:
        """Whose request or WebSocket it is."""
        visit: Visit = request.scope["kiban.visit"]
        return visit
