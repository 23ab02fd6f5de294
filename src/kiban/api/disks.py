# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of disks as files. What takes long is a job, whose result is the disk as it is then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from kiban.api.session import Api, Responses, Wait
from kiban.wire import answers, disks

router = APIRouter(prefix="/v1/disks", tags=["disks"])
JOB: Responses = {
    200: {"model": answers.Job, "description": "Done."},
    202: {"description": "It goes on; see Location."},
}


@router.get("")
async def list_disks(api: Api) -> list[disks.DiskInfo]:
    """The disks of all machines, those that are made on one another together; `path` is the first parent's."""
    return [disks.DiskInfo.model_validate(found) for found in await api.run("disks.list")]


@router.post("/info")
async def look_at_disk(api: Api, wanted: disks.Look) -> disks.DiskInfo:
    """A disk, what it is made on, what is made on it, and who uses those. Nothing is changed."""
    return disks.DiskInfo.model_validate(await api.run("disks.info", wanted.ref(), wanted.folders))


@router.post("", status_code=202, responses=JOB)
async def create_disk(api: Api, new: disks.NewDiskImage, answer: Response, wait: Wait = 0) -> answers.Job:
    """Make an empty disk, or a differencing one."""
    return await _job(api, "disks.create", new.image(), wait=wait, answer=answer)


@router.post("/convert", status_code=202, responses=JOB)
async def convert_disk(api: Api, wanted: disks.Convert, answer: Response, wait: Wait = 0) -> answers.Job:
    """Make one whole disk of a disk and all that it is made on."""
    said = (wanted.ref(), wanted.image(), wanted.folders, wanted.verify)
    return await _job(api, "disks.convert", *said, wait=wait, answer=answer)


@router.post("/clone", status_code=202, responses=JOB)
async def clone_disk(api: Api, wanted: disks.Clone, answer: Response, wait: Wait = 0) -> answers.Job:
    """Copy a disk as it is, at once where the file system can."""
    return await _job(api, "disks.clone", wanted.ref(), wanted.path, wait=wait, answer=answer)


@router.post("/resize", status_code=202, responses=JOB)
async def resize_disk(api: Api, wanted: disks.Resize, answer: Response, wait: Wait = 0) -> answers.Job:
    """Give a disk another size; that of a running machine grows under its guest's eyes."""
    return await _job(api, "disks.resize", wanted.ref(), wanted.size, wanted.shrink, wait=wait, answer=answer)


@router.post("/compact", status_code=202, responses=JOB)
async def compact_disk(api: Api, wanted: disks.Disk, answer: Response, wait: Wait = 0) -> answers.Job:
    """Give back the room of what is zero."""
    return await _job(api, "disks.compact", wanted.ref(), wait=wait, answer=answer)


@router.post("/check", status_code=202, responses=JOB)
async def check_disk(api: Api, wanted: disks.Disk, answer: Response, wait: Wait = 0) -> answers.Job:
    """Look whether an image is consistent in itself. Nothing is changed."""
    return await _job(api, "disks.check", wanted.ref(), plain=disks.check_json, wait=wait, answer=answer)


@router.post("/merge", status_code=202, responses=JOB)
async def merge_disk(api: Api, wanted: disks.Disk, answer: Response, wait: Wait = 0) -> answers.Job:
    """Put a differencing disk back into its parent, also under a running machine, and remove it."""
    return await _job(api, "disks.merge", wanted.ref(), wait=wait, answer=answer)


@router.post("/mount", status_code=202, responses=JOB)
async def mount_disk(api: Api, wanted: disks.Mount, answer: Response, wait: Wait = 0) -> answers.Job:
    """Show what is on a disk in a folder of the host. The result of the job is a DiskMount."""
    return await _job(api, "disks.mount", wanted.request(), plain=disks.mount_json, wait=wait, answer=answer)


@router.post("/unmount", status_code=202, responses=JOB)
async def unmount_disk(api: Api, wanted: disks.Unmount, answer: Response, wait: Wait = 0) -> answers.Job:
    """End that. When the job is done, everything that was written is in the image."""
    return await api.job("disks.unmount", "", wanted.directory, wait=wait, answer=answer)


@router.get("/mounts")
async def list_mounts(api: Api) -> list[disks.DiskMount]:
    """The disks that are mounted on the host."""
    return [disks.DiskMount.model_validate(found) for found in await api.run("disks.mounts")]


async def _job(
    api: Api,
    command: str,
    *arguments: Any,
    wait: float,
    answer: Response,
    plain: Callable[[Any], Any] = disks.info_json,
) -> answers.Job:
    return await api.job(command, "", *arguments, wait=wait, answer=answer, plain=plain)
