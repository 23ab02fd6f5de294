# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 2's boot order: a list of single devices in NVRAM that the user and the guest may both change.

QEMU's `bootindex` would be applied anew at each start, over whatever the guest has chosen, so it is never given.
Instead the entries of this module stand in the store before the firmware runs. They carry no mark of EDK2's own: a
marked entry is deleted when it differs in one letter from what that build of the firmware makes up, or when its scan
does not see the device; an unmarked one stays, and its full path makes the firmware connect just that device. The
price is that the firmware appends its own entry for the same device at the end; `read_order` leaves those out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from kiban.adapters.firmware import loadoption
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.firmware.loadoption import LoadOption
from kiban.errors import BadInput, Damaged

Protocol = Literal["ipv4", "ipv6"]

# What OVMF's driver looks at: OvmfPkg's PcdVirtioScsiMaxTargetLimit and PcdVirtioScsiMaxLunLimit.
MAX_TARGET = 31
MAX_LUN = 7

_ENTRY = re.compile(r"Boot([0-9A-F]{4})")
_MAC = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_MAX_URI = 1024
# OVMF's DXE volume and EDK2's setup program in it; both identifiers are fixed in their sources.
_MENU = loadoption.firmware_file(
    UUID("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1"), UUID("462caa21-7614-4503-836e-8ab6f4662331")
)
_PAUSE = "Pause after boot failure"


@dataclass(frozen=True, kw_only=True, slots=True)
class BootDevice:
    """A device that can be booted from.

    `port` is the (device, function) of the root port it sits behind; on NVMe its own, on USB the controller's.
    `http_uri` is what an adapter loads over HTTP, "" where it does not.
    """

    id: str
    kind: Literal["disk", "dvd", "nic"]
    port: tuple[int, int]
    bus: Literal["scsi", "nvme", "usb"] = "scsi"  # of a disk or DVD drive
    target: int = 0
    lun: int = 0
    usb_port: int = 0  # from 1
    mac: str = ""
    http_uri: str = ""

    def path(self) -> bytes:
        """Its UEFI device path. Raises BadInput for an address the firmware cannot reach."""
        base = loadoption.pci(*self.port)
        if self.kind == "nic":
            if not _MAC.fullmatch(self.mac):
                raise BadInput(f"{self.mac!r} is not a MAC address.", "Write six pairs of hex digits with colons")
            return base + loadoption.mac(self.mac)
        if self.bus == "nvme":
            return loadoption.on_root(*self.port) + loadoption.nvme()
        if self.bus == "usb":
            return loadoption.on_root(*self.port) + loadoption.usb(self.usb_port)
        if not (0 <= self.target <= MAX_TARGET and 0 <= self.lun <= MAX_LUN):
            raise BadInput(
                f"The firmware cannot boot from SCSI target {self.target}, unit {self.lun}.",
                f"Put {self.id} on a target up to {MAX_TARGET} and a unit up to {MAX_LUN}",
            )
        return base + loadoption.scsi(self.target, self.lun)


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One thing the firmware tries; `device` is None for an entry of the guest's or the firmware's own.

    `partition` and `file` are those that the entry names itself (see loadoption.file_on_partition), as a guest's own
    entries do; empty for an entry of a whole device.
    """

    name: str
    device: str | None
    active: bool
    description: str
    number: int
    partition: str = ""
    file: str = ""


def write_order(
    store: Path,
    devices: Sequence[BootDevice],
    *,
    pxe_protocol: Protocol = "ipv4",
    pause_after_failure: bool = False,
) -> None:
    """Set the boot order of a machine that is off.

    The guest's own entries (files on a disk) stay, in their order, right before the first disk: they are what the guest
    wants started from its disk, so a DVD placed before the disk still wins. Entries of devices that are not in the list
    go. With `pause_after_failure` nothing but the list is tried and the firmware's menu then waits for a person;
    without it the firmware goes on with whatever else it finds. Raises NotFound, NotAllowed, Damaged, BadInput.
    """
    nvram = VariableStore.load(store)
    before = dict(_entries(nvram))
    order = [number for number in _boot_order(nvram) if number in before]
    for number, option in before.items():
        if _is_ours_to_replace(option, devices):
            nvram.drop(f"Boot{number:04X}")
    kept = [number for number in order if nvram.get(f"Boot{number:04X}") is not None]
    tools = [number for number in kept if _is_tool(before[number])]
    guests = [number for number in kept if number not in tools]
    wanted: list[int] = []
    for device in devices:
        if device.kind == "disk":
            wanted += guests
            guests = []
        wanted += [_add(nvram, option) for option in _options(device, pxe_protocol)]
    wanted += guests
    if pause_after_failure:
        wanted.append(_add(nvram, LoadOption(_PAUSE, _MENU)))
    _set_order(nvram, wanted + tools)
    _connect(nvram, [device.path() for device in devices if device.kind != "nic" and device.bus == "scsi"])
    nvram.save(store)


def read_order(store: Path, devices: Sequence[BootDevice]) -> list[BootEntry]:
    """What the firmware tries, first to last; works while the machine runs.

    A device's entry that only repeats an earlier one is left out. Raises NotFound, NotAllowed, Damaged.
    """
    nvram = VariableStore.load(store)
    entries = dict(_entries(nvram))
    paths = {device.path(): device.id for device in devices}
    result: list[BootEntry] = []
    seen: set[bytes] = set()
    for number in _boot_order(nvram):
        option = entries.get(number)
        if option is None or not option.bootable:
            continue
        if option.path == _MENU:
            break  # the firmware's menu does not come back
        if option.path in seen:
            continue
        seen.add(option.path)
        device = paths.get(loadoption.split_device(option.path)[0])
        found = loadoption.file_on_partition(option.path)
        result.append(BootEntry(f"Boot{number:04X}", device, option.active, option.description.strip(), number, *found))
    return result


def _connect(nvram: VariableStore, paths: Sequence[bytes]) -> None:
    """Have the firmware connect exactly these SCSI units before it looks around for itself.

    OVMF 2022.11 and its like stop scanning a controller at the first address that does not answer, so a DVD on target 1
    or a disk after a removed one would not be found. What ErrOut names is connected first, one by one, console or not.
    """
    try:
        consoles = [path for path in loadoption.instances(nvram.get("ErrOut") or b"") if not _is_whole(path)]
    except Damaged:
        consoles = []
    if consoles or paths:
        nvram.put(Variable("ErrOut", loadoption.join([*consoles, *paths])))
    else:
        nvram.drop("ErrOut")


def _is_whole(path: bytes) -> bool:
    return loadoption.split_device(path)[1]


def _options(device: BootDevice, pxe_protocol: Protocol) -> Iterator[LoadOption]:
    path = device.path()
    if device.kind != "nic":
        yield LoadOption(f"{'Disk' if device.kind == 'disk' else 'DVD'} {device.id}", path)
        return
    protocols = {"ipv4": loadoption.ipv4(), "ipv6": loadoption.ipv6()}
    preferred = sorted(protocols, key=lambda name: name != pxe_protocol)
    if device.http_uri:
        if len(device.http_uri) > _MAX_URI or not device.http_uri.isascii():
            raise BadInput("The HTTP boot address is not a URI.", "Write http:// or https://, a host and a path")
        # over IPv4 whatever PXE prefers: the host that serves it is 10.0.2.2 to the guest
        yield LoadOption(f"HTTP {device.id}", path + protocols["ipv4"] + loadoption.uri(device.http_uri))
    for name in preferred:
        yield LoadOption(f"PXE IPv{name[-1]} {device.id}", path + protocols[name])


def _is_ours_to_replace(option: LoadOption, devices: Sequence[BootDevice]) -> bool:
    """Whole devices are written anew; files go with the device they name by its full path."""
    if option.path == _MENU and option.description == _PAUSE:
        return True
    device, whole = loadoption.split_device(option.path)
    return whole or (device != b"" and device not in {known.path() for known in devices})


def _is_tool(option: LoadOption) -> bool:
    return not option.bootable or loadoption.is_firmware_file(option.path)


def _entries(nvram: VariableStore) -> Iterator[tuple[int, LoadOption]]:
    """Entries that can be understood; the firmware passes over the others just so."""
    for name, _ in list(nvram.variables):
        match = _ENTRY.fullmatch(name)
        data = nvram.get(name) if match else None
        if match is None or data is None:
            continue
        try:
            yield int(match[1], 16), LoadOption.parse(data)
        except Damaged:
            continue


def _boot_order(nvram: VariableStore) -> list[int]:
    data = nvram.get("BootOrder") or b""
    return list(dict.fromkeys(number for (number,) in struct.iter_unpack("<H", data[: len(data) & ~1])))


def _add(nvram: VariableStore, option: LoadOption) -> int:
    used = {name for name, _ in nvram.variables}
    number = next((n for n in range(0x10000) if f"Boot{n:04X}" not in used), None)
    if number is None:
        raise BadInput("The UEFI variable store has no free boot entry.")
    nvram.put(Variable(f"Boot{number:04X}", option.to_bytes()))
    return number


def _set_order(nvram: VariableStore, numbers: Sequence[int]) -> None:
    nvram.put(Variable("BootOrder", struct.pack(f"<{len(numbers)}H", *numbers)))
    following = nvram.get("BootNext")
    if following is not None and (len(following) != 2 or struct.unpack("<H", following)[0] not in numbers):
        nvram.drop("BootNext")
