# SPDX-License-Identifier: GPL-2.0-or-later
"""The application: all routes, on one host and one set of commands. `kiban.api.gate` decides who gets to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

import kiban
from kiban.api import (
    bootcheck,
    com,
    devices,
    disks,
    machines,
    media,
    problems,
    secureboot,
    service,
    takeover,
    tokens,
    tpm,
    usage,
    web,
)
from kiban.api.limit import BodyLimit
from kiban.wire import answers

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

ABOUT = """Hyper-V's generation 1 and generation 2 machines on QEMU/KVM.

Long work answers 202 with a job; `?wait=SECONDS` answers when it is over. Errors are problem documents (RFC 9457).
"""
PROBLEM = {
    "description": "A problem.",
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def create_app(host: Host | None, commands: Mapping[str, Command] | None = None) -> FastAPI:
    """The API of `host`, which may be None where only the OpenAPI document is wanted.

    Args:
        commands: what the routes call, by name; the registry's where none is given.
    """
    if commands is None:
        from kiban.commands.registry import COMMANDS

        commands = COMMANDS
    app = FastAPI(
        title="Kiban",
        version=kiban.__version__,
        description=ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        responses={"default": PROBLEM},
        redirect_slashes=False,
    )
    app.state.host, app.state.commands, app.state.stopping = host, commands, asyncio.Event()
    app.state.web = None
    parts = (machines, takeover, devices, com, disks, media, secureboot, bootcheck, tpm, usage, service, tokens, web)
    for part in parts:
        app.include_router(part.router)
    app.state.routes = [route for part in parts for route in part.router.routes]
    problems.install(app)
    app.add_middleware(BodyLimit)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Add to the OpenAPI document what no route shows: problems, and the token that TLS asks for."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            parts = document["components"]
            parts["schemas"]["Problem"] = answers.Problem.model_json_schema()
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "Over TLS."}}
            document["security"] = [{}, {"token": []}]
        assert app.openapi_schema is not None  # noqa: S101  # generate() has set it
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
