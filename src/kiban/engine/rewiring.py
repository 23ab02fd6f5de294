# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a network adapter in its place: it stays the guest's device, with its slot and its place in the order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kiban.adapters.net import bootfolder
from kiban.adapters.whole import in_thread, whole
from kiban.engine import addresses, cables, creating, hotrules, nvram, ports
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model import consistency, nics
from kiban.model.bootorder import can_boot
from kiban.model.machine import Machine, Nic
from kiban.model.requests import NicChanges


async def change(host: Host, handle: Handle, nic_id: str, changes: NicChanges) -> None:
    """Change an adapter: wholly when the machine is off, what it leads to while it runs; all or nothing."""
    async with handle.lock:
        handle.check("edit")
        before = handle.machine
        machine = creating.with_ports(hotrules.with_changed(handle, nic_id, changes))
        consistency.check(machine)
        nic = nics.find(machine, nic_id)
        if nic.boot and changes.boot is not None:
            bootfolder.check_file(bootfolder.check_folder(Path(nic.boot.folder)), nic.boot.file)
        if handle.alive:
            await whole(cables.change(handle, before, machine, nic_id))
        else:
            machine = _with_order(machine, nic_id, could=can_boot(before, nic_id))
            handle.save(await in_thread(nvram.follow, handle.directory, machine, alive=False, before=before))
        warn(host, handle, nic, nics.find(before, nic_id))


def _with_order(machine: Machine, nic_id: str, *, could: bool) -> Machine:
    """The boot order after a change: an adapter that the firmware has a driver for now comes last."""
    if machine.uefi and not could and can_boot(machine, nic_id):
        return replace(machine, boot=(*machine.boot, nic_id))
    return machine


def warn(host: Host, handle: Handle, nic: Nic, before: Nic | None = None) -> None:
    """Tell of ports of the host, and of an address, that another machine has too; no more of those it had `before`."""
    over = _shared(host, handle, before) if before else []
    told = [said for said in handle.warnings if said not in over]
    handle.warnings = [*dict.fromkeys([*told, *_shared(host, handle, nic)])]


def _shared(host: Host, handle: Handle, nic: Nic) -> list[str]:
    return [*ports.warnings(host, handle, (nic,)), *addresses.warnings(host, handle, (nic,))]
