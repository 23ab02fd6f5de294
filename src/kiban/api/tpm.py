# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of a machine's TPM."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from kiban.api.session import Api, Responses
from kiban.wire import answers
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1/machines/{name}/tpm", tags=["tpm"])
Name = Annotated[MachineRef, Path()]
Source = Annotated[
    Literal["auto", "agent", "memory"],
    Query(description="From the guest agent, from the guest's memory, or from whichever has it."),
]
BINARY: Responses = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The log.",
    }
}


@router.get("")
async def show_tpm(api: Api, name: Name) -> answers.Tpm:
    """The machine's TPM, and whether its registers are what the event log makes."""
    return answers.Tpm.model_validate(await api.run("tpm.show", name))


@router.get("/log")
async def tpm_log(api: Api, name: Name, source: Source = "auto") -> answers.MeasuredBoot:
    """The measured-boot event log in words."""
    return answers.MeasuredBoot.model_validate(await api.run("tpm.log", name, source))


@router.get("/log/raw", response_class=Response, responses=BINARY)
async def raw_tpm_log(api: Api, name: Name, source: Source = "auto") -> Response:
    """The measured-boot event log as the TCG defines it."""
    return Response(await api.run("tpm.raw_log", name, source), media_type="application/octet-stream")
