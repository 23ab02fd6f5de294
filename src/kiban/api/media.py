# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of the library of media. An image is the body of a PUT as it is, and is never in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.requests import ClientDisconnect

from kiban.api.session import Api
from kiban.engine.media import Incoming
from kiban.errors import Cancelled
from kiban.wire import media

router = APIRouter(prefix="/v1/media", tags=["media"])
Name = Annotated[str, Path(max_length=1000, description="Name of an image.", examples=["debian-12.iso"])]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
async def list_media(api: Api) -> list[media.MediumFile]:
    """The ISO and floppy images of the library."""
    return [media.MediumFile.model_validate(view) for view in await api.run("media.list")]


@router.post("/advise")
async def advise(api: Api, asked: media.Iso) -> media.Advice:
    """Which system an ISO on the host of the service has, and what a machine for it should be."""
    return media.Advice.model_validate(await api.run("media.advise", asked.path))


@router.put("/{name:path}", status_code=201, openapi_extra=BODY)
async def upload_medium(api: Api, name: Name, request: Request) -> media.MediumFile:
    """Put an image into the library. The end of its name says what it is: .iso; .img, .ima, .flp, .vfd for floppies."""
    return media.MediumFile.model_validate(await api.run("media.upload", incoming(name, request)))


@router.delete("/{name:path}", status_code=204)
async def remove_medium(api: Api, name: Name) -> None:
    """Remove an image from the library, if no machine has it."""
    await api.run("media.remove", name)


def incoming(name: str, request: Request) -> Incoming:
    """The body of a request as an image that arrives; nothing of it is read before somebody iterates."""
    length = request.headers.get("content-length")
    return Incoming(name=name, size=None if length is None else int(length), chunks=_chunks(request))


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Cancelled("The upload was broken off; nothing of it is kept.", "Send it again.") from None
