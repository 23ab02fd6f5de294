# SPDX-License-Identifier: GPL-2.0-or-later
"""Every answer that is not a success, as application/problem+json (RFC 9457). No traceback leaves the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from kiban.engine.jobs import explain
from kiban.errors import BadInput, KibanError, NotFound
from kiban.problem import to_problem

MEDIA_TYPE = "application/problem+json"
SHOWN = 5
"""Faults of one request that are spelled out."""


def response(error: KibanError, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells about `error`."""
    body = to_problem(error, status=status)
    return JSONResponse(body, status_code=body["status"], headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let `app` answer with problems, whatever goes wrong in it."""
    app.add_exception_handler(KibanError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, KibanError)  # noqa: S101  # what it is registered for
    return response(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationException)  # noqa: S101  # what it is registered for
    return response(BadInput(_sentence(error.errors()), "See the OpenAPI document: /v1/openapi.json"))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # what it is registered for
    if error.status_code == HTTPStatus.NOT_FOUND:
        known: KibanError = NotFound(
            "There is nothing at this address.",
            "Is the service older than the command? Restart it; machines run on.",
            code="no-such-address",
        )
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        known = BadInput(f"{request.method[:20]} is not possible here.", code="method-not-allowed")
        return response(known, status=error.status_code, headers={"Allow": ", ".join(sorted(_methods(request)))})
    else:
        phrase = HTTPStatus(error.status_code).phrase
        known = BadInput(f"{phrase}: {error.detail.rstrip('.')}.", code=phrase.lower().replace(" ", "-"))
    return response(known, status=error.status_code, headers=error.headers)


async def _unexpected(_: Request, error: Exception) -> Response:
    return response(explain(error))


def _methods(request: Request) -> set[str]:
    """Of all routes of this address; Starlette itself names those of the first one only."""
    routes = [route for route in request.app.state.routes if route.matches(request.scope)[0] != Match.NONE]
    return set().union(*(route.methods for route in routes))


def _sentence(faults: Sequence[Mapping[str, Any]]) -> str:
    """Where and what, without the input itself, which may be long, secret or not even text."""
    parts = []
    for fault in faults[:SHOWN]:
        where = ".".join(str(step)[:80] for step in fault["loc"] if step not in ("body", "query", "path"))
        message = str(fault["msg"])[:200]
        parts.append(f"{where}: {message}" if where else message)
    rest = len(faults) - len(parts)
    return "; ".join(parts) + (f"; and {rest} more" if rest > 0 else "") + "."
