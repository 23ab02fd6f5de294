# SPDX-License-Identifier: GPL-2.0-or-later
"""A generation 2 machine's NVRAM: keys and boot order, written while it is off, read at any time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from kiban.adapters.firmware import bootorder, varstore
from kiban.adapters.firmware.bootorder import BootDevice, BootEntry
from kiban.adapters.firmware.keys import Keys
from kiban.adapters.firmware.varstore import StoreInfo
from kiban.adapters.qemu.devices import scsi_address
from kiban.adapters.qemu.layout import Layout, layout, numbers
from kiban.engine import netboot
from kiban.errors import KibanError
from kiban.model.bootorder import can_boot
from kiban.model.machine import Disk, Dvd, Machine, Uefi

FILE = "nvram.fd"


def create(directory: Path, machine: Machine, uefi: Uefi, vars_template: Path, keys: Keys) -> None:
    """Make the store of a new machine: its keys, Secure Boot on or off, boot order."""
    varstore.create_store(vars_template, directory / FILE, keys, secure_boot=uefi.secure_boot)
    write_order(directory, machine, uefi)


def facts(directory: Path, uefi: Uefi) -> StoreInfo:
    """Whether Secure Boot is on and which template the keys are of, as NVRAM says; it is the truth.

    The definition says what was last asked for: it counts where several templates fit the keys, and where the store
    cannot be read. A store is read again only when its file has changed.
    """
    path = directory / FILE
    try:
        status = path.stat()
        # a second change within one tick of the file system's clock could not be told from the first
        recent = abs(time.time_ns() - status.st_mtime_ns) < 10**9
        if recent:
            return varstore.describe_store(path, uefi.template)
        return _known(path, uefi.template, (status.st_ino, status.st_mtime_ns, status.st_size))
    except (OSError, KibanError):
        return StoreInfo(uefi.secure_boot, uefi.template)


def look(machines: Iterable[tuple[Path, Uefi | None]]) -> None:
    """Read the stores of many machines that have changed, so that `facts` of them are quick; for a thread."""
    for directory, uefi in machines:
        if uefi is not None:
            facts(directory, uefi)


@lru_cache(maxsize=4096)
def _known(path: Path, said: str, _file: tuple[int, int, int]) -> StoreInfo:
    return varstore.describe_store(path, said)


def write_order(directory: Path, machine: Machine, uefi: Uefi) -> None:
    """Make the machine's boot order the one in NVRAM; entries that the guest made for itself stay."""
    wanted = {device.id: device for device in devices(machine)}
    bootorder.write_order(
        directory / FILE,
        [wanted[name] for name in machine.boot if name in wanted],
        pxe_protocol=uefi.pxe_protocol,
        pause_after_failure=uefi.pause_after_boot_failure,
    )


def follow(directory: Path, machine: Machine, *, alive: bool, before: Machine | None = None) -> Machine:
    """`machine` with NVRAM in step with its devices: at once when it is off, due before its next start when it runs.

    The order in NVRAM, which the guest may have changed, is kept; new devices come behind. `before` is the machine as
    NVRAM knows it, where a device of it has another address now.
    """
    uefi = machine.uefi
    if uefi is None:
        return machine
    if not alive:
        known = order(directory, before or machine)
        machine = replace(machine, boot=tuple(dict.fromkeys([*known, *machine.boot])))
        write_order(directory, machine, uefi)
    return replace(machine, uefi=replace(uefi, order_is_due=alive))


def order(directory: Path, machine: Machine) -> list[str]:
    """The devices in the order in which the firmware would try them."""
    return list(dict.fromkeys(e.device for e in entries(directory, machine) if e.device))


def entries(directory: Path, machine: Machine) -> list[BootEntry]:
    """What the firmware would try, in its order, the guest's own entries included; empty when it cannot be read."""
    try:
        return bootorder.read_order(directory / FILE, devices(machine))
    except KibanError:
        return []


def devices(machine: Machine) -> list[BootDevice]:
    """The devices that the firmware can boot from."""
    where = layout(machine.generation, machine.board.layout)
    found = []
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    for drive in drives:
        found.append(_drive(drive, where))
    for nic in machine.nics:
        if can_boot(machine, nic.id):
            port, uri = numbers(where.synthetic[nic.slot]), netboot.uri(nic)
            found.append(BootDevice(id=nic.id, kind="nic", port=port, mac=nic.mac, http_uri=uri))
    return found


def _drive(drive: Disk | Dvd, where: Layout) -> BootDevice:
    kind: Literal["disk", "dvd"] = "disk" if isinstance(drive, Disk) else "dvd"
    if drive.bus == "nvme":
        return BootDevice(id=drive.id, kind=kind, bus="nvme", port=numbers(where.nvme[drive.slot]))
    if drive.bus == "usb":
        port = where.usb_dvds[drive.slot]
        return BootDevice(id=drive.id, kind=kind, bus="usb", port=numbers(where.usb), usb_port=port)
    controller, target, lun = scsi_address(drive.slot)
    return BootDevice(id=drive.id, kind=kind, port=numbers(where.scsi[controller]), target=target, lun=lun)
