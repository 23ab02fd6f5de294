# SPDX-License-Identifier: GPL-2.0-or-later
"""The address of a machine's COM port: a WebSocket, for several callers at a time."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket

from kiban.api.machines import Name
from kiban.api.relay import relay
from kiban.api.session import Api, Responses
from kiban.engine.comport import Port

router = APIRouter(prefix="/v1/machines", tags=["machines"])
Number = Annotated[int, Path(ge=1, le=2, description="1 is COM1, 2 is COM2.")]
SWITCH: Responses = {
    101: {"description": "What the guest says and what the caller types follow, as binary messages."},
    426: {"description": "That was no WebSocket."},
}


@router.get("/{name}/com/{number}", status_code=101, responses=SWITCH)
async def use_com_port(name: Name, number: Number) -> None:
    """A COM port, as a WebSocket; who attaches hears the last 64 KiB.

    It is closed with 4000 when the machine closes the port, with 1008 when the token is revoked, and with 1012 when the
    service stops.
    """
    del name, number
    raise HTTPException(426, "This address is a WebSocket", {"Upgrade": "websocket", "Connection": "Upgrade"})


@router.websocket("/{name}/com/{number}")
async def com_port(line: WebSocket, api: Api, name: Name, number: Number) -> None:
    """The same, for who asks for a WebSocket; a refusal is an ordinary answer."""
    port: Port = await api.run("com.attach", name, number)
    with closing(port):
        await line.accept()
        await relay(line, port)
