# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes that say what would boot, and whether Secure Boot lets it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from kiban.api.machines import JOB
from kiban.api.session import Api, Wait
from kiban.wire import answers, audit
from kiban.wire.base import MachineRef, Word
from kiban.wire.bootcheck import BootReport, Question

router = APIRouter(prefix="/v1", tags=["secure boot"])
Template = Annotated[Word, Query(description="Judge by this template's keys instead of the machine's own.")]


@router.get("/machines/{name}/secureboot/explain")
async def explain_machine(api: Api, name: Annotated[MachineRef, Path()], template: Template = "") -> BootReport:
    """What the machine would boot, and whether its firmware lets it."""
    return BootReport.model_validate(await api.run("bootcheck.explain", name, template))


@router.post("/secureboot/explain")
async def explain_path(api: Api, asked: Question) -> BootReport:
    """What a new machine would boot from an ISO, disk image, folder or EFI program on the host of the service."""
    arguments = (asked.path, asked.template, asked.format, asked.file)
    return BootReport.model_validate(await api.run("bootcheck.explain_path", *arguments))


@router.post("/secureboot/audit", status_code=202, responses=JOB)
async def audit_keys(api: Api, answer: Response, wait: Wait = 0) -> answers.Job:
    """How all machines stand: whose loaders they trust, and what they boot now and after an update of their keys.

    The job's `result` is a list with an object for each machine, by name.
    """
    return await api.job("secureboot.audit", "", wait=wait, answer=answer, plain=audit.plain)
