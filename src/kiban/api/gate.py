# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a caller is. Over the Unix socket the file's permissions have decided; over TLS a token does, each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from kiban.api import problems
from kiban.engine.tokens import Caller
from kiban.errors import KibanError, NotAllowed

if TYPE_CHECKING:
    from kiban.engine.tokens import Tokens


class LocalGate:
    """Lets everybody in who could open the socket, as admin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks."""
        await self._app({**scope, "kiban.caller": Caller("admin")}, receive, send)


class Fork:
    """The API and the web manager's pages at one address. A browser's cookie never counts for the API."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests below /v1, and those with a token, are for the API; all else is for the pages."""
        api = scope["type"] == "http" and (
            f"{scope['path']}/".startswith("/v1/") or any(name == b"authorization" for name, _ in scope["headers"])
        )
        await (self._api if api else self._pages)(scope, receive, send)


class TokenGate:
    """Lets those in who bring a token, with the token's role."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks, or answer 401."""
        if scope["type"] != "http":
            return
        try:
            caller = self._caller(scope)
        except KibanError as error:
            status = 401 if isinstance(error, NotAllowed) else None
            answer = problems.response(error, status=status, headers={"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
            return
        await self._app({**scope, "kiban.caller": caller}, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not token:
            raise NotAllowed("No token was given.", "Set KIBAN_TOKEN; kiban token create makes one.", code="no-token")
        found = self._tokens.find(token.strip())
        return Caller(found.role, found)
