# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of importing machines from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Response

from kiban.api.machines import JOB
from kiban.api.session import Api, Wait
from kiban.wire import answers, takeover

router = APIRouter(prefix="/v1/imports", tags=["machines"])


@router.post("/plan")
async def plan_import(api: Api, wanted: takeover.Import) -> takeover.ImportPlan:
    """What an import would make, what it would leave out, and what the guest has to know. Nothing is written."""
    return takeover.answer(await api.run("takeover.plan", takeover.request(wanted)))


@router.post("", status_code=202, responses=JOB)
async def import_machine(api: Api, wanted: takeover.Import, answer: Response, wait: Wait = 0) -> answers.Job:
    """Import a machine."""
    request = takeover.request(wanted)
    return await api.job("takeover.import_machine", wanted.name or "", request, wait=wait, answer=answer)
