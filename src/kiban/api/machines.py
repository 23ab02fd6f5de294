# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of machines: what there is, making, changing, and their life."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kiban.api.session import Api, Responses, Wait
from kiban.wire import answers, requests, translate
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1/machines", tags=["machines"])
Name = Annotated[MachineRef, Path()]
JOB: Responses = {
    200: {"model": answers.Job, "description": "Done."},
    202: {"description": "It goes on; see Location."},
}


@router.get("")
async def list_machines(api: Api) -> list[answers.Machine]:
    """All machines."""
    return [translate.machine(view) for view in await api.run("machines.list")]


@router.post("", status_code=202, responses=JOB)
async def create_machine(api: Api, new: requests.NewMachine, answer: Response, wait: Wait = 0) -> answers.Job:
    """Create a machine."""
    request = translate.machine_request(new)
    return await api.job("machines.create", new.name, request, wait=wait, answer=answer)


@router.get("/{name}")
async def get_machine(api: Api, name: Name) -> answers.Machine:
    """One machine."""
    return await api.shown("machines.info", name)


@router.patch("/{name}")
async def edit_machine(api: Api, name: Name, wanted: requests.MachineChanges) -> answers.Machine:
    """Change settings."""
    return await api.shown("machines.edit", name, translate.changes(wanted))


@router.delete("/{name}", status_code=204)
async def remove_machine(api: Api, name: Name) -> None:
    """Remove a machine, with the disks that were made for it."""
    await api.run("machines.remove", name)


@router.post("/{name}/rename")
async def rename_machine(api: Api, name: Name, to: requests.Rename) -> answers.Machine:
    """Give a machine another name."""
    return await api.shown("machines.rename", name, to.name)


@router.post("/{name}/discard")
async def discard_machine(api: Api, name: Name) -> answers.Machine:
    """Give the saved memory up."""
    return await api.shown("machines.discard", name)


@router.post("/{name}/start", status_code=202, responses=JOB)
async def start_machine(api: Api, name: Name, answer: Response, wait: Wait = 0) -> answers.Job:
    """Start a machine, or restore a saved one."""
    return await api.machine_job("life.start", name, wait=wait, answer=answer)


@router.post("/{name}/stop", status_code=202, responses=JOB)
async def stop_machine(
    api: Api, name: Name, answer: Response, how: requests.Stop | None = None, wait: Wait = 0
) -> answers.Job:
    """Ask the guest to shut down, or turn the machine off (`force`)."""
    how = how or requests.Stop()
    if how.force:
        return await api.machine_job("life.turn_off", name, wait=wait, answer=answer)
    return await api.machine_job("life.shut_down", name, wait=wait, answer=answer, timeout=how.timeout)


@router.post("/{name}/restart", status_code=202, responses=JOB)
async def restart_machine(
    api: Api, name: Name, answer: Response, how: requests.Restart | None = None, wait: Wait = 0
) -> answers.Job:
    """Shut the guest down and start the machine again."""
    timeout = (how or requests.Restart()).timeout
    return await api.machine_job("life.restart", name, wait=wait, answer=answer, timeout=timeout)


@router.post("/{name}/save", status_code=202, responses=JOB)
async def save_machine(api: Api, name: Name, answer: Response, wait: Wait = 0) -> answers.Job:
    """Write the memory to disk and turn the machine off."""
    return await api.machine_job("life.save", name, wait=wait, answer=answer)


@router.post("/{name}/reset")
async def reset_machine(api: Api, name: Name) -> answers.Machine:
    """Press the reset button."""
    return await api.shown("life.reset", name)


@router.post("/{name}/pause")
async def pause_machine(api: Api, name: Name) -> answers.Machine:
    """Stop the processors."""
    return await api.shown("life.pause", name)


@router.post("/{name}/resume")
async def resume_machine(api: Api, name: Name) -> answers.Machine:
    """Let the processors go on."""
    return await api.shown("life.resume", name)
