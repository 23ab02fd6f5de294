# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of the service itself: jobs, events, what the host has and lacks."""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import StreamingResponse

import kiban
from kiban.api import sse
from kiban.api.session import Api, Responses, Wait
from kiban.wire import answers, capacity
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1", tags=["service"])
JobId = Annotated[str, Path(min_length=1, max_length=64, description="Id of a job.")]
LastEventId = Annotated[
    str,
    Header(
        alias="Last-Event-ID",
        pattern="^[0-9a-f]{1,16}-[0-9]{1,19}$|^$",
        description="Go on after this event; an event `gap` comes first where that is not possible.",
    ),
]
STREAM: Responses = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events, endlessly."}
}


@router.get("/jobs")
async def list_jobs(api: Api) -> list[answers.Job]:
    """The jobs that go on and the last thousand that are over, oldest first."""
    api.allow("read")
    return [answers.Job.model_validate(job) for job in api.host.jobs.list()]


@router.get("/jobs/{job}")
async def get_job(api: Api, job: JobId, wait: Wait = 0) -> answers.Job:
    """One job; what it failed with stands in its `error`."""
    api.allow("read")
    found = await api.host.jobs.wait(job, wait) if wait else api.host.jobs.get(job)
    return answers.Job.model_validate(found)


@router.delete("/jobs/{job}", status_code=202)
async def cancel_job(api: Api, job: JobId) -> answers.Job:
    """Ask a job to stop; it has stopped once its state says so."""
    return answers.Job.model_validate(api.cancel(job))


@router.get("/events", response_class=StreamingResponse, responses=STREAM)
async def events(
    api: Api, request: Request, machine: Annotated[MachineRef | None, Query()] = None, last: LastEventId = ""
) -> StreamingResponse:
    """What happens from now on, as server-sent events; of one machine, if it is named."""
    api.allow("read")
    good = request.scope.get("kiban.good", lambda: True)
    stream = sse.stream(api.host.events, request.app.state.stopping, machine, last, good)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/doctor")
async def doctor(api: Api) -> list[answers.Finding]:
    """What the host has and lacks."""
    return [answers.Finding.model_validate(finding) for finding in await api.run("doctor.report")]


@router.get("/host")
async def host(api: Api) -> capacity.Capacity:
    """How much of the host its machines have and take: processors, memory, storage."""
    return capacity.Capacity.model_validate(await api.run("host.show"))


@router.get("/version")
async def version(api: Api) -> answers.Version:
    """What answers here."""
    api.allow("read")
    return answers.Version(kiban=kiban.__version__, api="v1", pid=os.getpid())
