# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be added to a machine and removed from it now: its generation's contract and, while it runs, hot-plug.

Nothing is changed here. `kiban.engine.hotplug` asks before it does anything, and so does who offers it to a person.
"""

from __future__ import annotations

from kiban.adapters.qemu.devices import HOTPLUG_PORTS, SCSI_UNITS, sockets
from kiban.engine import creating, lazily
from kiban.engine.handle import Handle
from kiban.errors import Conflict
from kiban.model import contract, nics
from kiban.model.generations import BUS_NAMES, Bus
from kiban.model.machine import Disk, Dvd, Machine, Nic
from kiban.model.requests import DiskRequest, DvdRequest, NicChanges, NicRequest

HOT_BUS: Bus = "scsi"
"""The bus that drives may be added to and removed from while the guest runs."""
FIXED = {"kind": "kind", "model": "model", "mac": "MAC address", "boot": "boot folder"}
"""Fields of an adapter that a running machine keeps, and their names in a sentence; its network and forwards change."""
Device = Disk | Dvd | Nic


def with_disk(handle: Handle, request: DiskRequest) -> Machine:
    """The machine with one more disk, its last; or the refusal."""
    machine = contract.add_disk(handle.machine, request)
    _check_hot(handle, machine, machine.disks[-1], "added")
    return machine


def with_dvd(handle: Handle, request: DvdRequest) -> Machine:
    """The machine with one more DVD drive, its last; or the refusal."""
    machine = contract.add_dvd(handle.machine, request)
    _check_hot(handle, machine, machine.dvds[-1], "added")
    return machine


def with_nic(handle: Handle, request: NicRequest) -> Machine:
    """The machine with one more adapter, its last; or the refusal."""
    machine = nics.add(handle.machine, request, creating.fresh())
    _check_hot(handle, machine, machine.nics[-1], "added")
    return machine


def with_changed(handle: Handle, nic_id: str, changes: NicChanges) -> Machine:
    """The machine with an adapter changed; or the refusal."""
    machine = nics.change(handle.machine, nic_id, changes, creating.fresh())
    before, after = nics.find(handle.machine, nic_id), nics.find(machine, nic_id)
    check_changes(handle, nic_id, *(name for name in FIXED if getattr(before, name) != getattr(after, name)))
    return machine


def check_changes(handle: Handle, nic_id: str, *names: str) -> None:
    """Conflict when what an adapter is (names of FIXED) is to change while the machine runs."""
    if handle.alive and names:
        name, state = handle.name, handle.state
        said = f"Only network and forwards of {nic_id} can be changed while {name} is {state}"
        if len(names) == 1:
            said = f"The {FIXED[names[0]]} of {nic_id} cannot be changed while {name} is {state}"
        raise Conflict(
            f"{said}: firmware and guest have found the adapter as it is.", f"Stop the machine first: kiban stop {name}"
        )


def without(handle: Handle, device_id: str) -> Machine:
    """The machine without a device; or the refusal."""
    before = handle.machine
    machine = contract.remove_device(before, device_id)
    if handle.alive and device_id in [disk.id for disk, _ in lazily.waiting(before)]:
        lazily.check_copied(handle, f"parted from its {device_id}")
    there: list[Device] = [*before.disks, *before.dvds, *before.nics]
    _check_hot(handle, machine, next(d for d in there if d.id == device_id), "removed")
    return machine


def _check_hot(handle: Handle, after: Machine, device: Device, what: str) -> None:
    """Conflict when a device cannot be `what` (added, removed) while the machine runs, which makes it `after`."""
    if not handle.alive:
        return
    found = _adapter_stays(handle, after, device) if isinstance(device, Nic) else _drive_stays(handle, after, device)
    if found:
        which, why = found
        raise Conflict(
            f"{which} cannot be {what} while {handle.name} is {handle.state}{f': {why}' if why else ''}.",
            f"Stop the machine first: kiban stop {handle.name}",
        )


def _adapter_stays(handle: Handle, after: Machine, nic: Nic) -> tuple[str, str] | None:
    if nic.kind == "legacy":
        return "A legacy adapter", ""
    if sockets(after) != sockets(handle.machine):
        return f"Adapter number {nic.slot + 1}", f"the first {HOTPLUG_PORTS} can come and go"
    return None


def _drive_stays(handle: Handle, after: Machine, drive: Disk | Dvd) -> tuple[str, str] | None:
    bus = BUS_NAMES[drive.bus]
    if drive.bus != HOT_BUS:
        return (
            f"{'A disk' if isinstance(drive, Disk) else 'A DVD drive'} on {bus}",
            f"{bus} has no hot-plug, SCSI has (bus=scsi)",
        )
    if sockets(after) != sockets(handle.machine):
        number = drive.slot // SCSI_UNITS
        return f"The only drive of SCSI controller {number}", "the controller comes and goes with it"
    return None
