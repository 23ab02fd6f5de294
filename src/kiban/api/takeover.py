# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of importing machines from elsewhere, and of exporting them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kiban.api.machines import JOB
from kiban.api.session import Api, Wait
from kiban.wire import answers, takeover
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1", tags=["machines"])


@router.post("/imports/plan")
async def plan_import(api: Api, wanted: takeover.Import) -> takeover.ImportPlan:
    """What an import would make, what it would leave out, and what the guest has to know. Nothing is written."""
    return takeover.answer(await api.run("takeover.plan", takeover.request(wanted)))


@router.post("/imports", status_code=202, responses=JOB)
async def import_machine(api: Api, wanted: takeover.Import, answer: Response, wait: Wait = 0) -> answers.Job:
    """Import a machine."""
    request = takeover.request(wanted)
    return await api.job("takeover.import_machine", wanted.name or "", request, wait=wait, answer=answer)


@router.post("/machines/{name}/export", status_code=202, responses=JOB)
async def export_machine(
    api: Api, name: Annotated[MachineRef, Path()], wanted: takeover.Export, answer: Response, wait: Wait = 0
) -> answers.Job:
    """Export a machine that is off into a new folder. The result of the job is an ExportResult."""
    machine, request = api.host.find(name).name, takeover.export_request(wanted)
    plain = takeover.exported_json
    return await api.job("takeover.export", machine, name, request, wait=wait, answer=answer, plain=plain)
