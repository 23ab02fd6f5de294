# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's devices: add, remove, change adapters and media, running or off."""

from __future__ import annotations

from kiban.engine import editing, hotplug, rewiring, view
from kiban.engine.host import Host
from kiban.engine.view import MachineView
from kiban.model.generations import Bus
from kiban.model.requests import DiskRequest, DvdRequest, NicChanges, NicRequest


async def add_disk(host: Host, name: str, request: DiskRequest) -> MachineView:
    """Add a disk."""
    handle = host.find(name)
    await hotplug.add_disk(host, handle, request)
    return view.of(handle)


async def add_nic(host: Host, name: str, request: NicRequest) -> MachineView:
    """Add a network adapter."""
    handle = host.find(name)
    await hotplug.add_nic(host, handle, request)
    return view.of(handle)


async def change_nic(host: Host, name: str, device_id: str, changes: NicChanges) -> MachineView:
    """Change a network adapter in its place."""
    handle = host.find(name)
    await rewiring.change(host, handle, device_id, changes)
    return view.of(handle)


async def add_dvd(host: Host, name: str, request: DvdRequest) -> MachineView:
    """Add a DVD drive."""
    handle = host.find(name)
    await hotplug.add_dvd(handle, request)
    return view.of(handle)


async def move_drive(host: Host, name: str, device_id: str, bus: Bus | None, slot: int | None) -> MachineView:
    """Attach a disk or DVD drive of a machine that is off elsewhere."""
    handle = host.find(name)
    await editing.move_drive(handle, device_id, bus, slot)
    return view.of(handle)


async def remove_device(host: Host, name: str, device_id: str) -> MachineView:
    """Take a device out. The image of a disk that Kiban made is kept in the machine's directory."""
    handle = host.find(name)
    await hotplug.remove_device(host, handle, device_id)
    return view.of(handle)


async def insert(host: Host, name: str, device_id: str, iso: str) -> MachineView:
    """Put an ISO into a DVD drive."""
    handle = host.find(name)
    await hotplug.insert(handle, device_id, iso)
    return view.of(handle)


async def eject(host: Host, name: str, device_id: str) -> MachineView:
    """Take the ISO out of a DVD drive."""
    return await insert(host, name, device_id, "")
