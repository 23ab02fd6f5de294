# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a caller is. Over the Unix socket the file's permissions have decided; over TLS a token does, each time.

Browsers open WebSockets to any address, without asking it first. They then say which page it was (`Origin`), which no
program does, so a WebSocket with that is refused, even where somebody leads a port to the Unix socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiban.api import problems
from kiban.engine.tokens import Caller
from kiban.errors import KibanError, NotAllowed

if TYPE_CHECKING:
    from kiban.engine.tokens import Tokens


LOOK = 1.0
"""Seconds between looks at whether the token of a WebSocket is still good."""
LAST_WORDS = 5.0
"""Seconds that a WebSocket may take to end, which it does not while the other side takes nothing."""
NO_MORE = 1008
"""RFC 6455, 7.4.1: what comes violates a policy."""


class LocalGate:
    """Lets everybody in who could open the socket, as admin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks, or answer 403."""
        if _is_of_a_page(scope):
            await _refuse_page(scope, receive, send)
            return
        await self._app({**scope, "kiban.caller": Caller("admin")}, receive, send)


class Fork:
    """The API and the web manager's pages at one address. A browser's cookie never counts for the API."""

    def __init__(self, api: ASGIApp, pages: ASGIApp) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests below /v1, and those with a token, are for the API; all else is for the pages.

        The pages have WebSockets only for themselves, so a token does not lead one to the API.
        """
        token = scope["type"] == "http" and any(name == b"authorization" for name, _ in scope["headers"])
        api = token or f"{scope['path']}/".startswith("/v1/")
        await (self._api if api else self._pages)(scope, receive, send)


class TokenGate:
    """Lets those in who bring a token, with the token's role."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks, or answer 401; a WebSocket of a page, 403."""
        if _is_of_a_page(scope):
            await _refuse_page(scope, receive, send)
            return
        try:
            caller = self._caller(scope)
        except KibanError as error:
            status = 401 if isinstance(error, NotAllowed) else None
            answer = problems.response(error, status=status, headers={"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
            return
        scope = {**scope, "kiban.caller": caller, "kiban.good": lambda: self._good(caller)}
        if scope["type"] == "websocket":
            await while_it_lasts(self._revoked(caller), self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _good(self, caller: Caller) -> bool:
        return caller.token is not None and self._tokens.good(caller.token)

    async def _revoked(self, caller: Caller) -> None:
        """Wait until the caller's token is."""
        while self._good(caller):
            await asyncio.sleep(LOOK)

    def _caller(self, scope: Scope) -> Caller:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not token:
            raise NotAllowed("No token was given.", "Set KIBAN_TOKEN; kiban token create makes one.", code="no-token")
        found = self._tokens.find(token.strip())
        return Caller(found.role, found)


def _is_of_a_page(scope: Scope) -> bool:
    return scope["type"] == "websocket" and any(name == b"origin" for name, _ in scope["headers"])


async def _refuse_page(scope: Scope, receive: Receive, send: Send) -> None:
    error = NotAllowed("A browser's page may not do that.", "Use the web manager: kiban web", code="wrong-origin")
    await problems.response(error)(scope, receive, send)


async def while_it_lasts(
    end: Coroutine[Any, Any, object], app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a WebSocket until it is over, or what `end` waits for has come."""
    closed = False

    async def sending(message: Message) -> None:
        nonlocal closed
        closed = closed or message["type"] == "websocket.close"
        await send(message)

    serving = asyncio.ensure_future(app(scope, receive, sending))
    over = asyncio.ensure_future(end)
    try:
        await asyncio.wait({serving, over}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return
        serving.cancel()
        try:
            async with asyncio.timeout(LAST_WORDS):
                await asyncio.wait({serving})
                if not closed:
                    await send({"type": "websocket.close", "code": NO_MORE})
        except TimeoutError:
            scope["state"]["hang_up"]()
            await asyncio.wait({serving})
    finally:
        over.cancel()
        serving.cancel()
