# SPDX-License-Identifier: GPL-2.0-or-later
"""Adding and removing disks, DVD drives and adapters, and changing media, with the machine off or running.

The definition is written before QEMU is told, and written back if QEMU refuses: a service killed in between leaves a
device that appears at the next start, never one that the guest uses and nobody knows of.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from kiban.adapters.disk import media
from kiban.adapters.qemu import devices, process
from kiban.adapters.qemu.cmdline import Mode
from kiban.adapters.qemu.devices import netdev_id
from kiban.engine import cables, creating, diskuse, hotrules, netdev, nvram, profiles, rewiring, strays
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import Failed, KibanError, NotFound, TimedOut
from kiban.model import contract
from kiban.model.bootorder import can_boot
from kiban.model.machine import Disk, Machine
from kiban.model.requests import DiskRequest, DvdRequest, NicRequest

UNPLUG_SECONDS = 30.0
Plug = Callable[[], Awaitable[None]]


async def add_disk(host: Host, handle: Handle, request: DiskRequest) -> None:
    """Add a disk; to a running machine on SCSI only."""
    async with handle.lock:
        handle.check("edit")
        await creating.check_disk(host, request)
        if request.bus is None:
            fitting = await profiles.suggested(handle.machine)
            request = replace(request, bus=hotrules.HOT_BUS if handle.alive else fitting.disk_bus if fitting else None)
        machine = hotrules.with_disk(handle, request)
        disk = machine.disks[-1]
        await creating.make_disk(host, handle.directory, machine, len(machine.disks) - 1, request)
        try:
            await _commit(handle, machine, disk.id, partial(_plug_disk, host, handle, disk))
        except BaseException:
            if disk.owned:
                (handle.directory / disk.path).unlink(missing_ok=True)
            raise


async def add_dvd(handle: Handle, request: DvdRequest) -> None:
    """Add a DVD drive, with an ISO in it or without; to a running machine on SCSI only."""
    async with handle.lock:
        handle.check("edit")
        if request.iso:
            await asyncio.to_thread(media.check_iso, Path(request.iso))
        if request.bus is None and not handle.alive:
            fitting = await profiles.suggested(handle.machine)
            request = replace(request, bus=fitting.dvd_bus if fitting else None)
        machine = hotrules.with_dvd(handle, request)
        dvd = machine.dvds[-1]
        await _commit(handle, machine, dvd.id, partial(_plug_dvd, handle, machine, dvd.id))


async def add_nic(host: Host, handle: Handle, request: NicRequest) -> None:
    """Add a network adapter; to a running machine a synthetic one only."""
    async with handle.lock:
        handle.check("edit")
        if fitting := await profiles.suggested(handle.machine):
            request = profiles.adapter(request, fitting)
        machine = creating.with_ports(hotrules.with_nic(handle, request))
        nic = machine.nics[-1]
        if handle.alive:
            netdev.check_ports(nic)
        await _commit(handle, machine, nic.id, partial(_plug_nic, handle, machine, nic.id))
        rewiring.warn(host, handle, nic)


async def remove_device(host: Host, handle: Handle, device_id: str) -> str:
    """Take a disk, DVD drive or adapter out. Returns where the image of a disk of Kiban's own was put, or ''."""
    async with handle.lock:
        handle.check("edit")
        before = handle.machine
        machine = hotrules.without(handle, device_id)
        await _check_disk_goes(host, handle, device_id)
        if handle.alive:
            await _unplug(handle, device_id)
        handle.save(await asyncio.to_thread(nvram.follow, handle.directory, machine, alive=handle.alive))
        return _put_away(handle.directory, [d for d in before.disks if d.id == device_id])


async def insert(handle: Handle, device_id: str, medium: str) -> None:
    """Put another ISO into a DVD drive; an empty `medium` ejects."""
    async with handle.lock:
        handle.check("edit")
        machine = contract.insert(handle.machine, device_id, medium)
        if medium:
            await asyncio.to_thread(media.check_iso, Path(medium))
        if handle.alive:
            await _change_medium(handle, device_id, medium)
        handle.save(await asyncio.to_thread(nvram.follow, handle.directory, machine, alive=handle.alive))


async def change_floppy(handle: Handle, medium: str) -> None:
    """Change the floppy of a running machine; the caller holds the lock and writes the definition."""
    await _take_out(handle, "floppy0")
    if medium:
        filename = await _hand_over(handle, Path(medium), "rw")
        await handle.live.run("blockdev-add", devices.floppy_node(filename))
        await _put_in(handle, "floppy0")


async def _check_disk_goes(host: Host, handle: Handle, device_id: str) -> None:
    """Conflict when a command works on the image of a disk of Kiban's own, or another disk is made on it."""
    gone = [disk for disk in handle.machine.disks if disk.id == device_id]
    keys = {key for disk in gone if (key := diskuse.key_of(handle.directory / disk.path))}
    host.claims.check((), keys)
    if any(disk.owned for disk in gone):
        await diskuse.check_no_children(host, keys)


async def _commit(handle: Handle, machine: Machine, device_id: str, plug: Plug) -> None:
    """Make `machine` the definition and, if it runs, plug the new device in; all or nothing."""
    before = handle.machine
    if machine.uefi and can_boot(machine, device_id):
        machine = replace(machine, boot=(*machine.boot, device_id))
    handle.save(await asyncio.to_thread(nvram.follow, handle.directory, machine, alive=handle.alive))
    try:
        await plug()
    except BaseException:
        handle.save(before)
        raise


async def _hand_over(handle: Handle, path: Path, mode: Mode) -> str:
    descriptor = process.open_file(path, mode)
    try:
        return await handle.live.add_file(descriptor)
    finally:
        os.close(descriptor)


async def _plug_disk(host: Host, handle: Handle, disk: Disk) -> None:
    if not handle.alive:
        return
    filename, parents = await _hand_over_disk(host, handle, disk)
    made: list[str] = []
    try:
        for node in devices.disk_nodes(disk, filename, parents):
            await handle.live.run("blockdev-add", node)
            made.append(node["node-name"])
        await handle.live.run("device_add", devices.disk(handle.machine, disk))
    except KibanError:
        await _drop_nodes(handle, made)
        raise


async def _hand_over_disk(host: Host, handle: Handle, disk: Disk) -> tuple[str, devices.Parents]:
    """Give QEMU a disk and all that it is made on."""
    path = handle.directory / disk.path
    with contextlib.ExitStack() as stack:
        above = diskuse.open_own_parents(stack, host, handle, disk)
        await diskuse.check_no_children(host, {key} if (key := diskuse.key_of(path)) else ())
        filename = await _hand_over(handle, path, "rw")
        return filename, [(each.format, await handle.live.add_file(each.descriptor)) for each in above]


async def _plug_dvd(handle: Handle, machine: Machine, device_id: str) -> None:
    if not handle.alive:
        return
    dvd = next(d for d in machine.dvds if d.id == device_id)
    if dvd.medium:
        filename = await _hand_over(handle, Path(dvd.medium), "ro")
        await handle.live.run("blockdev-add", devices.dvd_node(dvd.id, filename))
    try:
        await handle.live.run("device_add", devices.dvd(dvd))
    except KibanError:
        await _drop_nodes(handle, [f"{dvd.id}-node"] if dvd.medium else [])
        raise


async def _plug_nic(handle: Handle, machine: Machine, device_id: str) -> None:
    if not handle.alive:
        return
    nic = next(n for n in machine.nics if n.id == device_id)
    made: list[str] = []
    try:
        for props in netdev.of(machine, nic, handle.runtime):
            await handle.live.run("netdev_add", props)
            made.append(props["id"])
        await handle.live.run("device_add", devices.nic(machine, nic, rom=""))
        await cables.pull(handle, nic)
    except KibanError:
        await _drop_netdevs(handle, made)
        raise


async def _unplug(handle: Handle, device_id: str) -> None:
    if await _plugged(handle, device_id):
        await _let_go(handle, device_id)
    machine = handle.machine
    for nic in machine.nics:
        if nic.id == device_id:
            await _drop_netdevs(handle, [netdev_id(nic), *netdev.names(machine, nic)])
    await _drop_nodes(handle, [n for d in machine.disks if d.id == device_id for n in reversed(devices.node_names(d))])
    await _drop_nodes(handle, [f"{d.id}-node" for d in machine.dvds if d.id == device_id and d.medium])


async def _plugged(handle: Handle, device_id: str) -> bool:
    """Whether QEMU has the device: a service that was killed while it plugged or unplugged it leaves that open."""
    devices_there = await handle.live.run("qom-list", {"path": "/machine/peripheral"})
    return any(device["name"] == device_id for device in devices_there)


async def _let_go(handle: Handle, device_id: str) -> None:
    gone = handle.expect_deleted(device_id)
    await handle.live.run("device_del", {"id": device_id})
    try:
        async with asyncio.timeout(UNPLUG_SECONDS):
            await gone.wait()
    except TimeoutError:
        raise TimedOut(
            f"The guest of {handle.name} did not let go of {device_id} within {UNPLUG_SECONDS:.0f} s.",
            f"Stop the machine and remove the device then: kiban stop {handle.name}",
        ) from None


async def _drop_nodes(handle: Handle, names: list[str]) -> None:
    there = {node["node-name"] for node in await handle.live.run("query-named-block-nodes", {"flat": True})}
    for name in reversed(names):
        if name in there:
            await handle.live.run("blockdev-del", {"node-name": name})


async def _drop_netdevs(handle: Handle, names: list[str]) -> None:
    for name in reversed(names):
        with contextlib.suppress(Failed):  # gone already: a service was killed between this and the new definition
            await handle.live.run("netdev_del", {"id": name})


async def _change_medium(handle: Handle, device_id: str, medium: str) -> None:
    if device_id not in [d.id for d in handle.machine.dvds]:
        raise NotFound(f"{handle.name} has no DVD drive {device_id}.")
    await _take_out(handle, device_id)
    if medium:
        filename = await _hand_over(handle, Path(medium), "ro")
        await handle.live.run("blockdev-add", devices.dvd_node(device_id, filename))
        await _put_in(handle, device_id)


async def _take_out(handle: Handle, device_id: str) -> None:
    # force: a guest that has locked the door is overruled, as by the hole in a real drive
    await handle.live.run("blockdev-open-tray", {"id": device_id, "force": True})
    nodes = await handle.live.run("query-named-block-nodes", {"flat": True})
    if any(n["node-name"] == f"{device_id}-node" for n in nodes):
        await handle.live.run("blockdev-remove-medium", {"id": device_id})
        await handle.live.run("blockdev-del", {"node-name": f"{device_id}-node"})


async def _put_in(handle: Handle, device_id: str) -> None:
    await handle.live.run("blockdev-insert-medium", {"id": device_id, "node-name": f"{device_id}-node"})
    await handle.live.run("blockdev-close-tray", {"id": device_id})


def _put_away(directory: Path, disks: list[Disk]) -> str:
    """Keep the image of a removed disk under a name that no new disk will take."""
    for disk in disks:
        # the image may be gone: that can be why somebody removes the disk
        if disk.owned and (directory / disk.path).exists():
            return str(strays.aside(directory / disk.path))
    return ""
