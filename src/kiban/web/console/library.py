# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC's modules for the browser: those that there were when the web manager started, by their exact names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from kiban.engine import novnc
from kiban.errors import HostLacks
from kiban.web.base import Site

FOLDERS = ("core", "vendor")


def add(site: Site) -> None:
    """An address for each module; none when noVNC is not there, which the page says."""
    known = modules()

    async def module(request: Request) -> Response:
        file = known.get(request.path_params["name"])
        if file is None:
            return Response(status_code=404)
        return Response(await asyncio.to_thread(file.read_bytes), media_type="text/javascript")

    site.app.add_route("/novnc/{name:path}", module)


def modules() -> Mapping[str, Path]:
    """noVNC's modules by their names, such as core/rfb.js. What is asked for is looked up, never made into a path."""
    try:
        root = novnc.find()
    except HostLacks:
        return {}
    found = [file for folder in FOLDERS for file in (root / folder).rglob("*.js") if file.is_file()]
    return {str(file.relative_to(root)): file for file in found}
