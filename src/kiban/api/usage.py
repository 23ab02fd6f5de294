# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of what machines use, and of their guests' heartbeat."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from kiban.api.session import Api
from kiban.wire import usage
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1", tags=["usage"])
Name = Annotated[MachineRef, Path()]


@router.get("/usage")
async def running_usage(api: Api) -> list[usage.Usage]:
    """What every machine that runs uses now: the newest sample of each."""
    return [usage.Usage.model_validate(found) for found in await api.run("usage.running")]


@router.get("/machines/{name}/usage")
async def machine_usage(api: Api, name: Name) -> usage.Usage:
    """What a machine uses, with the samples of the last five minutes as far as somebody has asked."""
    return usage.Usage.model_validate(await api.run("usage.show", name))


@router.get("/machines/{name}/usage/history")
async def machine_history(api: Api, name: Name) -> list[usage.Past]:
    """What a machine used in the last day while it ran, a sample every two minutes; known since the service began."""
    return [usage.Past.model_validate(found) for found in await api.run("usage.history", name)]


@router.get("/machines/{name}/guest")
async def machine_guest(api: Api, name: Name) -> usage.GuestState:
    """The heartbeat and the addresses of a machine's guest."""
    return usage.GuestState.model_validate(await api.run("usage.guest", name))
