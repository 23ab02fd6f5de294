# SPDX-License-Identifier: GPL-2.0-or-later
"""The route to the web manager. Its pages stand above this API, so whoever starts the service brings it along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter, Request

from kiban.api.roles import Role
from kiban.api.session import Api
from kiban.errors import HostLacks
from kiban.wire import answers, requests

router = APIRouter(prefix="/v1", tags=["service"])


@dataclass(frozen=True)
class Link:
    """An address that lets a browser in, once and within `seconds`."""

    url: str
    seconds: float


class WebManager(Protocol):
    """What the API has to know of it."""

    async def link(self, role: Role, port: int) -> Link:
        """Start it if need be, and let somebody in with that role."""

    async def close(self) -> None:
        """Stop it."""


@router.post("/web")
async def open_web(api: Api, request: Request, how: requests.Web | None = None) -> answers.WebLink:
    """Start the web manager on the service's host, and make an address that lets a browser in, once."""
    api.allow("read")
    assert api.role is not None  # noqa: S101  # or it would not have been allowed
    manager: WebManager | None = request.app.state.web
    if manager is None:
        raise HostLacks("This service has no web manager.", "Start it with kiban serve.")
    link = await manager.link(api.role, (how or requests.Web()).port)
    return answers.WebLink.model_validate(link)
