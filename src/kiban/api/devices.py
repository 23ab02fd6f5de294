# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of a machine's devices, its screen and its keyboard."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kiban.api.session import Api, Responses
from kiban.wire import answers, requests, translate
from kiban.wire.base import DeviceRef, MachineRef

router = APIRouter(prefix="/v1/machines/{name}", tags=["devices"])
Name = Annotated[MachineRef, Path()]
Device = Annotated[DeviceRef, Path()]
PNG: Responses = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "A PNG."}
}


@router.post("/disks")
async def add_disk(api: Api, name: Name, disk: requests.NewDisk) -> answers.Machine:
    """Add a disk; to a running machine on SCSI."""
    return await api.shown("devices.add_disk", name, translate.disk_request(disk))


@router.post("/nics")
async def add_nic(api: Api, name: Name, nic: requests.NewNic) -> answers.Machine:
    """Add a network adapter."""
    return await api.shown("devices.add_nic", name, translate.nic_request(nic))


@router.patch("/nics/{device}")
async def change_nic(api: Api, name: Name, device: Device, wanted: requests.NicChanges) -> answers.Machine:
    """Change a network adapter: all of it while the machine is off, its network and forwards while it runs."""
    return await api.shown("devices.change_nic", name, device, translate.nic_changes(wanted))


@router.post("/dvds")
async def add_dvd(api: Api, name: Name, dvd: requests.NewDvd) -> answers.Machine:
    """Add a DVD drive."""
    return await api.shown("devices.add_dvd", name, translate.dvd_request(dvd))


@router.put("/drives/{device}/place")
async def move_drive(api: Api, name: Name, device: Device, to: requests.Place) -> answers.Machine:
    """Attach a disk or DVD drive elsewhere, while the machine is off."""
    return await api.shown("devices.move_drive", name, device, to.bus, to.slot)


@router.delete("/devices/{device}")
async def remove_device(api: Api, name: Name, device: Device) -> answers.Machine:
    """Take a disk, DVD drive or network adapter away."""
    return await api.shown("devices.remove_device", name, device)


@router.put("/dvds/{device}/medium")
async def insert_medium(api: Api, name: Name, device: Device, medium: requests.Medium) -> answers.Machine:
    """Put an ISO into a DVD drive, in place of what is in it."""
    return await api.shown("devices.insert", name, device, medium.iso)


@router.delete("/dvds/{device}/medium")
async def eject_medium(api: Api, name: Name, device: Device) -> answers.Machine:
    """Take the medium out of a DVD drive."""
    return await api.shown("devices.eject", name, device)


@router.get("/screenshot", response_class=Response, responses=PNG)
async def screenshot(api: Api, name: Name) -> Response:
    """What the guest shows."""
    return Response(await api.run("screen.screenshot", name), media_type="image/png")


@router.post("/keys", status_code=204)
async def press_keys(api: Api, name: Name, keys: requests.Keys) -> None:
    """Press keys together."""
    await api.run("screen.press", name, keys.keys)


@router.post("/text", status_code=204)
async def type_text(api: Api, name: Name, text: requests.Text) -> None:
    """Type text as on a US keyboard."""
    await api.run("screen.type_text", name, text.text)
