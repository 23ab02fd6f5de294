# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual devices of a Hyper-V configuration: drives, network adapters, COM ports, integration services.

`manifest` lists the devices (`vdev001`, …: type, instance, name); the settings of each are below `_<instance>_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.foreign import names
from kiban.adapters.foreign.blob import damaged
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.settings import Setting
from kiban.model.foreign import (
    ForeignBus,
    ForeignCom,
    ForeignDisk,
    ForeignDvd,
    ForeignFloppy,
    ForeignNic,
    IntegrationService,
    Place,
)

_DEVICES_LIMIT = 1024  # a machine with all that Hyper-V allows has about a hundred
_PORT_SETTINGS = {  # of the adapter's offloads, which each one has
    "setting_e76f45de-b447-410a-b707-575a534b4927",
    "setting_a0b25b27-c698-4120-ad49-4cbe3dc028c5",
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the manifest: its type's id, its name there, and its settings."""

    kind: str
    name: str
    settings: Setting


def devices(configuration: Setting, file: str) -> tuple[Device, ...]:
    """The devices in the order of the manifest."""
    numbered = []
    for entry in configuration.below("manifest"):
        found = re.fullmatch(r"vdev(\d{1,9})", entry.name)
        if found:
            numbered.append((int(found[1]), entry))
    if len(numbered) > _DEVICES_LIMIT:
        raise damaged(file, f"it lists {len(numbered)} devices")
    blocks = {block.name.lower(): block for block in configuration.children}
    made = []
    seen = set[str]()
    for _, entry in sorted(numbered, key=lambda pair: pair[0]):
        instance = names.guid(entry.text("instance")) or names.guid(entry.text("device"))
        if instance and instance in seen:
            raise damaged(file, f"two devices are the same, {instance}")
        seen.add(instance)
        settings = blocks.get(f"_{instance}_", Setting(""))
        made.append(Device(names.guid(entry.text("device")), entry.text("name"), settings))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Drives:
    """What is on the controllers."""

    disks: tuple[ForeignDisk, ...]
    dvds: tuple[ForeignDvd, ...]
    floppy: ForeignFloppy | None


def drives(found: tuple[Device, ...], left: list[str], file: str) -> Drives:
    """The drives in the order of controllers and locations."""
    disks: list[ForeignDisk] = []
    dvds: list[ForeignDvd] = []
    floppies = []
    for number, (place, drive) in enumerate(_places(found)):
        if number == _DEVICES_LIMIT:
            raise damaged(file, f"it lists more than {_DEVICES_LIMIT} drives")
        kind, path = drive.text("type").upper(), drive.text("pathname")
        where = f"{place.bus.upper()} {place.controller}:{place.location}"
        if kind == "VHD" and path:
            disks.append(_disk(place, path, drive, where, left))
        elif kind == "ISO":
            dvds.append(ForeignDvd(place=place, path=path, file=None))
        elif kind == "VFD":
            floppies.append(path)
        elif kind not in ("NONE", "") or path:
            left.append(f"The drive at {where} is {shown(kind) or 'of no type'} ({shown(path)}), no virtual hard disk.")
    media = [path for path in floppies if path]
    floppy = ForeignFloppy(path=media[0], file=None) if media else None
    return Drives(tuple(disks), tuple(dvds), floppy)


def _places(found: tuple[Device, ...]) -> Iterator[tuple[Place, Setting]]:
    buses: dict[str, ForeignBus] = {names.IDE: "ide", names.SCSI: "scsi", names.FLOPPY: "unknown"}
    scsi = 0
    for device in found:
        if device.kind not in buses:
            continue
        bus = buses[device.kind]
        for number, controller in _numbered(device.settings, "controller"):
            for location, drive in _numbered(controller, "drive"):
                yield Place(bus=bus, controller=scsi if bus == "scsi" else number, location=location), drive
        scsi += bus == "scsi"


def _numbered(setting: Setting, word: str) -> list[tuple[int, Setting]]:
    """Settings such as drive0, drive1, in the order of their numbers."""
    found = [(re.fullmatch(rf"{word}(\d{{1,4}})", child.name, re.IGNORECASE), child) for child in setting.children]
    return sorted(((int(match[1]), child) for match, child in found if match), key=lambda pair: pair[0])


def _disk(place: Place, path: str, drive: Setting, where: str, left: list[str]) -> ForeignDisk:
    image = names.image_kind(path)
    if image == "unknown":
        left.append(f"The disk at {where}, {shown(path)}, is neither a VHD nor a VHDX.")
    if drive.flag("persistent_reservations_supported"):
        left.append(f"The disk at {where} was shared with other machines (persistent reservations).")
    if drive.number("iops_limit") or drive.number("iops_reservation"):
        left.append(f"The quality of service (IOPS) of the disk at {where}.")
    return ForeignDisk(place=place, path=path, image=image, capacity=None, file=None)


def nics(found: tuple[Device, ...], left: list[str]) -> tuple[ForeignNic, ...]:
    """The network adapters: synthetic ones by their type, and each other device with a MAC address is a legacy one."""
    made = []
    for device in found:
        settings = device.settings
        if device.kind != names.ETHERNET and settings.at("MacAddress") is None:
            continue
        name = settings.text("FriendlyName") or device.name
        switch = settings.text("Connection/AltSwitchName")
        made.append(
            ForeignNic(
                name=name,
                kind="synthetic" if device.kind == names.ETHERNET else "legacy",
                model="",
                mac=names.mac(settings.text("MacAddress")),
                static_mac=settings.flag("MacAddressIsStatic") is True,
                switch=switch,
                connected=settings.flag("IsConnected") is not False,
            )
        )
        if _has_port_settings(settings):
            left.append(f"The port settings (such as a VLAN or a bandwidth limit) of the adapter {shown(name)}.")
    return tuple(made)


def _has_port_settings(adapter: Setting) -> bool:
    features = [s for s in adapter.below("Connection") if s.name.lower().startswith("feature_")]
    settings = [s.name.lower() for feature in features for s in feature.children]
    return any(name.startswith("setting_") and name not in _PORT_SETTINGS for name in settings)


def coms(found: tuple[Device, ...]) -> tuple[ForeignCom, ...]:
    """The COM ports that lead somewhere."""
    ports = [p for device in found if device.kind == names.SERIAL for p in _numbered(device.settings, "port")]
    return tuple(
        ForeignCom(number=number + 1, connection=port.text("connection"))
        for number, port in ports
        if port.text("connection")
    )


def services(found: tuple[Device, ...]) -> tuple[IntegrationService, ...]:
    """The integration services; one is on unless it says otherwise."""
    return tuple(
        IntegrationService(name=names.SERVICES[device.kind], enabled=device.settings.flag("Enabled") is not False)
        for device in found
        if device.kind in names.SERVICES
    )


def has_tpm(found: tuple[Device, ...]) -> bool:
    """Whether there is a TPM that is not switched off."""
    return any(d.kind == names.TPM and d.settings.flag("Enabled") is not False for d in found)


def unknown(found: tuple[Device, ...], left: list[str]) -> None:
    """Say which devices have no counterpart."""
    for device in found:
        if device.kind not in names.SILENT and device.settings.at("MacAddress") is None:
            left.append(f"The device {shown(device.name) or 'without a name'} ({device.kind or 'of no type'}).")
