# SPDX-License-Identifier: GPL-2.0-or-later
"""The route to the web manager. Its pages stand above this API, so whoever starts the service brings it along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.types import ASGIApp

from kiban.api.session import Api
from kiban.engine.tokens import Caller
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

    async def link(self, caller: Caller, port: int, host: str, connected: str) -> Link:
        """Start it if need be, and let a browser in as that caller.

        Args:
            port: on loopback; 0 for any.
            host: where the caller has reached the service over TLS; empty for none.
            connected: the address of this host that the caller is connected to then.
        """

    def over_tls(self, port: int, names: Collection[str]) -> ASGIApp:
        """Its pages for the service's own TLS address, under these names."""

    async def resume(self) -> None:
        """Let browsers go on that were here before the service restarted."""

    async def close(self) -> None:
        """Stop it."""


@router.post("/web")
async def open_web(api: Api, request: Request, how: requests.Web | None = None) -> answers.WebLink:
    """Make an address that lets a browser into the web manager, once.

    For callers over TLS it is the address that they have used, if the service has pages there; otherwise, and with a
    port, the web manager is on loopback of the service's host.
    """
    api.allow("read")
    manager: WebManager | None = request.app.state.web
    if manager is None:
        raise HostLacks("This service has no web manager.", "Start it with kiban serve.")
    secure = request.url.scheme == "https"
    host, connected = (request.headers.get("host", ""), request.scope["server"][0]) if secure else ("", "")
    link = await manager.link(request.scope["kiban.caller"], (how or requests.Web()).port, host, connected)
    return answers.WebLink.model_validate(link)
