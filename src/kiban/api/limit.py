# SPDX-License-Identifier: GPL-2.0-or-later
"""A bound on what a caller may send."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1024**2
"""Bytes of a request's body."""
UPLOADS = ("/v1/media/", "/media/")
"""Where a PUT may be longer, in the API and in the web manager: its route reads it piece by piece, and not before it
knows that the caller may do that and that there is room.
"""


def may_be_long(scope: Scope) -> bool:
    """Whether a request is an upload."""
    return scope.get("method") == "PUT" and scope["path"].startswith(UPLOADS)


class BodyLimit:
    """Answers 413 to a request, unless it is an upload, with more than MAX_BODY, without reading more of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what the application reads; the exception reaches the caller as the problem it is."""
        if scope["type"] == "http" and may_be_long(scope):
            await self._app(scope, receive, send)
            return
        size = 0
        announced = next((value for name, value in scope.get("headers", []) if name == b"content-length"), b"0")

        async def counted() -> Message:
            nonlocal size
            if int(announced) > MAX_BODY:  # the server has refused what is not a number
                raise _too_large()
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise _too_large()
            return message

        await self._app(scope, counted, send)


def _too_large() -> HTTPException:
    return HTTPException(413, f"A request may have {MAX_BODY} bytes.")
