# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine as an OVF 1.1 descriptor (DMTF DSP0243), with VMware's names for what the standard has none for.

The items are CIM resource allocations; their members stand in the order of the alphabet, as DSP8023 wants it.
`kiban.adapters.foreign.ovf_hardware` reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from kiban.model.export import Portrait, sectors_lost
from kiban.model.machine import Disk, Dvd, Machine, Nic
from kiban.model.units import MiB

OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
RASD, VSSD = f"{_CIM}CIM_ResourceAllocationSettingData", f"{_CIM}CIM_VirtualSystemSettingData"
VMW = "http://www.vmware.com/schema/ovf"
_SPACES = {"ovf": OVF, "rasd": RASD, "vssd": VSSD, "vmw": VMW}
_STREAM = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OTHER, _CPU, _MEMORY, _IDE, _SCSI, _NIC, _DVD, _DISK, _STORAGE, _SERIAL = 1, 3, 4, 5, 6, 10, 15, 17, 20, 21
_UNITS = {"ide": 2, "scsi": 64, "nvme": 1, "usb": 30}
"""Drives on one controller; a DVD drive on USB goes to a SATA controller."""
_CONTROLLERS = {
    "ide": (_IDE, "", "IDE controller"),
    "scsi": (_SCSI, "lsilogic", "SCSI controller"),
    "nvme": (_STORAGE, "vmware.nvme.controller", "NVMe controller"),
    "usb": (_STORAGE, "vmware.sata.ahci", "SATA controller"),
}
_MODELS = {"virtio": "VmxNet3", "e1000e": "E1000e", "tulip": "PCNet32"}


@dataclass(frozen=True, kw_only=True)
class Vmdk:
    """The file of a disk: its name, its bytes, and the bytes of the disk."""

    name: str
    size: int
    capacity: int


def descriptor(portrait: Portrait, disks: Mapping[str, Vmdk]) -> bytes:
    """The .ovf of a machine whose disks, by their ids, are in those files beside it."""
    for prefix, space in _SPACES.items():
        ET.register_namespace(prefix, space)
    envelope = ET.Element(f"{{{OVF}}}Envelope")
    references = _add(envelope, "References")
    section = _add(envelope, "DiskSection")
    _add(section, "Info", "Virtual disks")
    for key, file in disks.items():
        _add(references, "File", id=f"file-{key}", href=file.name, size=str(file.size))
        _add(section, "Disk", diskId=key, fileRef=f"file-{key}", capacity=str(file.capacity), format=_STREAM)
    networks = _add(envelope, "NetworkSection")
    _add(networks, "Info", "Networks")
    _add(_add(networks, "Network", name="nat"), "Description", "A network with access to others by NAT")
    _system(envelope, portrait)
    ET.indent(envelope)
    made: bytes = ET.tostring(envelope, encoding="UTF-8", xml_declaration=True)
    return made + b"\n"


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, f"{{{OVF}}}{tag}", {f"{{{OVF}}}{key}": value for key, value in attributes.items()})
    made.text = text or None
    return made


def _system(envelope: ET.Element, portrait: Portrait) -> None:
    machine = portrait.machine
    system = _add(envelope, "VirtualSystem", id=machine.name)
    _add(system, "Info", "A virtual machine")
    _add(system, "Name", machine.name)
    if machine.notes:
        annotation = _add(system, "AnnotationSection")
        _add(annotation, "Info", "Notes")
        _add(annotation, "Annotation", _NOT_XML.sub("\ufffd", machine.notes))
    hardware = _add(system, "VirtualHardwareSection")
    _add(hardware, "Info", "Virtual hardware")
    family = _add(hardware, "System")
    facts = ("ElementName", "Virtual Hardware Family"), ("InstanceID", "0"), ("VirtualSystemIdentifier", machine.name)
    for name, value in (*facts, ("VirtualSystemType", "vmx-14")):  # the first of VMware's with a TPM 2.0
        ET.SubElement(family, f"{{{VSSD}}}{name}").text = value
    for item in _numbered(_items(machine)):
        element = _add(hardware, "Item")
        for name, value in sorted(item.items()):
            ET.SubElement(element, f"{{{RASD}}}{name}").text = value
    for key, value in _config(portrait).items():
        said = {f"{{{OVF}}}required": "false", f"{{{VMW}}}key": key, f"{{{VMW}}}value": value}
        ET.SubElement(hardware, f"{{{VMW}}}Config", said)


def _numbered(items: list[dict[str, str]]) -> list[dict[str, str]]:
    """The items with numbers for their ids, which is what some programs take them for."""
    named = [{"InstanceID": f"item-{number}", **item} for number, item in enumerate(items)]
    numbers = {item["InstanceID"]: str(number) for number, item in enumerate(named, 1)}
    return [{k: numbers[v] if k in ("InstanceID", "Parent") else v for k, v in item.items()} for item in named]


def _config(portrait: Portrait) -> dict[str, str]:
    if portrait.machine.uefi is None:
        return {"firmware": "bios"}
    secure = "true" if portrait.secure_boot else "false"
    return {"firmware": "efi", "bootOptions.efiSecureBootEnabled": secure}


def _items(machine: Machine) -> list[dict[str, str]]:
    count, memory = str(machine.cpus), str(machine.memory // MiB)
    processors = _item(_CPU, f"{count} virtual processors", AllocationUnits="hertz * 10^6", VirtualQuantity=count)
    items = [processors, _item(_MEMORY, f"{memory} MiB", AllocationUnits="byte * 2^20", VirtualQuantity=memory)]
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    for bus, units in _UNITS.items():
        slots = [drive.slot for drive in drives if drive.bus == bus]
        items += [_controller(bus, number) for number in range(max(slots, default=-1) // units + 1)]
    items += [_drive(drive) for drive in drives]
    items += [_adapter(nic) for nic in machine.nics]
    items += [_item(_SERIAL, f"COM{com.number}", AutomaticAllocation="false") for com in machine.coms]
    if machine.tpm:
        items.append(_item(_OTHER, "Virtual TPM", AutomaticAllocation="false", ResourceSubType="vmware.vtpm"))
    return items


def _item(kind: int, title: str, **members: str) -> dict[str, str]:
    return {"ElementName": title, "ResourceType": str(kind), **members}


def _controller(bus: str, number: int) -> dict[str, str]:
    kind, model, title = _CONTROLLERS[bus]
    item = _item(kind, f"{title} {number}", Address=str(number), InstanceID=f"{bus}-{number}")
    return {**item, "ResourceSubType": model} if model else item


def _drive(drive: Disk | Dvd) -> dict[str, str]:
    number, at = divmod(drive.slot, _UNITS[drive.bus])
    place = {"Parent": f"{drive.bus}-{number}", "AddressOnParent": str(at)}
    if isinstance(drive, Disk):
        return _item(_DISK, drive.id, HostResource=f"ovf:/disk/{drive.id}", **place)
    return _item(_DVD, drive.id, AutomaticAllocation="false", **place)


def _adapter(nic: Nic) -> dict[str, str]:
    connected = "false" if nic.network == "none" else "true"
    model = _MODELS[nic.model]
    item = _item(_NIC, nic.id, Address=nic.mac, AutomaticAllocation=connected, ResourceSubType=model)
    return {**item, "Connection": "nat"}


def left_out(portrait: Portrait) -> tuple[str, ...]:
    """A sentence for each thing that an OVF does not say, or says otherwise."""
    machine = portrait.machine
    left = ["The boot order: that of the program which reads it."]
    left += [f"{dvd.id} on USB: it is on SATA there." for dvd in machine.dvds if dvd.bus == "usb"]
    left += sectors_lost(machine)
    for nic in machine.nics:
        for port in nic.forwards:
            left.append(f"The forward of {port.protocol} port {port.host_port} to port {port.guest_port} of {nic.id}.")
    if portrait.secure_boot:
        left.append("Whose loaders Secure Boot trusts: the keys of the program which reads it.")
    if machine.uefi:
        left.append("Boot entries of the guest's own: it needs a loader at \\EFI\\BOOT\\BOOTX64.EFI.")
    if machine.tpm:
        left.append("What is in the TPM: there it is new. A disk that is locked by it asks for its recovery key.")
    if _NOT_XML.search(machine.notes):
        left.append("Characters of the notes that XML does not have.")
    return tuple(left)
