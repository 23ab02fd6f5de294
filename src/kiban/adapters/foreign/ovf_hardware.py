# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual hardware of an OVF as a neutral description.

Items are CIM resource allocations: ResourceType says what one is (CIM_ResourceAllocationSettingData), Parent and
AddressOnParent where it is. Firmware, Secure Boot and TPM are in VMware's `vmw:Config` or in VirtualBox's own section.
"""

from __future__ import annotations

from typing import Literal

from kiban.adapters.foreign import names
from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.ovf import Envelope, OvfDisk, read_envelope, title, unit, whole_number
from kiban.adapters.foreign.safexml import Element
from kiban.model.foreign import (
    ForeignBootClass,
    ForeignBus,
    ForeignCom,
    ForeignDisk,
    ForeignDvd,
    ForeignFloppy,
    ForeignMachine,
    ForeignMemory,
    ForeignNic,
    Place,
)

_CPU, _MEMORY, _IDE, _SCSI, _NIC, _FLOPPY, _CD, _DVD, _DISK, _OTHER_STORAGE, _SERIAL = (
    3,
    4,
    5,
    6,
    10,
    14,
    15,
    16,
    17,
    20,
    21,
)
_CONTROLLERS = (_IDE, _SCSI, _OTHER_STORAGE)
_DRIVES = (_CD, _DVD, _DISK)
_SILENT = (
    *_CONTROLLERS,
    *_DRIVES,
    _CPU,
    _MEMORY,
    _NIC,
    _FLOPPY,
    _SERIAL,
    13,
    23,
    24,
)  # 13, 23, 24: pointer, USB, display
_ITEMS = ("Item", "StorageItem", "EthernetPortItem")
_ITEMS_LIMIT = 4096
_LEGACY_MODELS = ("pcnet", "vlance", "tulip")  # what guests without drivers of their own were given
_SECTIONS = {  # "" for those that are taken over, or say nothing about the machine
    "Info": "",
    "Name": "",
    "VirtualHardwareSection": "",
    "AnnotationSection": "",
    "OperatingSystemSection": "",
    "Machine": "",
    "ProductSection": "The properties of the product section, which VMware hands to the guest.",
    "EulaSection": "The licence text: read it in the .ovf.",
    "BootOrderSection": "The boot order.",
}
_BOOT: dict[str, ForeignBootClass] = {"Floppy": "floppy", "DVD": "dvd", "HardDisk": "disk", "Network": "nic"}


def describe(blob: Blob) -> tuple[ForeignMachine, Envelope]:
    """Read an .ovf; the disks' paths are the names of files in the package. BadInput as `read_envelope`."""
    envelope = read_envelope(blob)
    hardware = envelope.system.first("VirtualHardwareSection")
    if hardware is None:
        raise damaged(blob.name, "its machine has no hardware")
    left = list(envelope.left_out)
    return _Hardware(envelope, hardware, blob.name, left).machine(), envelope


class _Hardware:
    def __init__(self, envelope: Envelope, hardware: Element, file: str, left: list[str]) -> None:
        self.envelope = envelope
        self.hardware = hardware
        self.file = file
        self.left = left
        self.virtualbox = _virtualbox(envelope.system)
        self.items = self._items()
        self.controllers = {
            item.words("InstanceID"): (_bus(item), number)
            for bus in ("ide", "scsi", "sata", "nvme", "unknown")
            for number, item in enumerate(i for i in self._of(*_CONTROLLERS) if _bus(i) == bus)
        }

    def machine(self) -> ForeignMachine:
        """Everything, with what has no place said in words."""
        efi, secure_boot, tpm = self._firmware()
        generation: Literal[1, 2] = 2 if efi else 1
        floppies = [self._medium(item) for item in self._of(_FLOPPY)]
        machine_disks = tuple(d for d in (self._disk(item) for item in self._drives(_DISK)) if d)
        self._say_left()
        return ForeignMachine(
            origin="ovf",
            name=title(self.envelope.system),
            id="",
            version=self.envelope.version,
            created="",
            generation=generation,
            firmware="uefi" if efi else "bios",
            secure_boot=secure_boot if efi else None,
            template_id="",
            tpm=tpm,
            pause_after_boot_failure=None,
            pxe_protocol=None,
            cpus=self._quantity(_CPU),
            memory=self._memory(),
            disks=machine_disks,
            dvds=tuple(
                ForeignDvd(place=self._place(i), path=self._medium(i), file=None) for i in self._drives(_CD, _DVD)
            ),
            floppy=next((ForeignFloppy(path=path, file=None) for path in floppies if path), None),
            nics=self._nics(),
            coms=self._coms(),
            boot=self._boot(),
            autostart=None,
            notes=self.envelope.system.words("AnnotationSection", "Annotation"),
            integration_services=(),
            checkpoints=(),
            current_checkpoint="",
            left_out=tuple(self.left),
        )

    def _items(self) -> list[Element]:
        """The items of the deployment option in use; ones that name it replace those of the same id that do not."""
        items: dict[str, Element] = {}
        all_of_them = [e for e in self.hardware.children if e.name in _ITEMS]
        if len(all_of_them) > _ITEMS_LIMIT:
            raise damaged(self.file, f"it lists {len(all_of_them)} pieces of hardware")
        for item in all_of_them:
            if item.attributes.get("bound", "normal") != "normal":
                continue
            wanted = item.attributes.get("configuration", "").split()
            if wanted and self.envelope.configuration not in wanted:
                continue
            key = item.words("InstanceID") or f"without an id {len(items)}"
            if key in items and not wanted:
                raise damaged(self.file, f"two pieces of hardware have the id {shown(key)}")
            items[key] = item
        return list(items.values())

    def _of(self, *kinds: int) -> list[Element]:
        return [item for item in self.items if _kind(item) in kinds]

    def _drives(self, *kinds: int) -> list[Element]:
        return sorted(self._of(*kinds), key=lambda item: _order(self._place(item)))

    def _quantity(self, kind: int) -> int | None:
        return next((n for n in (whole_number(i.words("VirtualQuantity")) for i in self._of(kind)) if n), None)

    def _memory(self) -> ForeignMemory | None:
        for item in self._of(_MEMORY):
            amount = whole_number(item.words("VirtualQuantity"))
            if amount:
                size = amount * unit(item.words("AllocationUnits"), default=1 << 20)
                return ForeignMemory(startup=size, minimum=None, maximum=None)
        return None

    def _place(self, item: Element) -> Place:
        bus, number = self.controllers.get(item.words("Parent"), ("unknown", 0))
        return Place(bus=bus, controller=number, location=whole_number(item.words("AddressOnParent")) or 0)

    def _medium(self, item: Element) -> str:
        """The file that a drive is given: by a disk's id, by a file's, or none."""
        found = self._resource(item)
        return found.href if found else ""

    def _resource(self, item: Element) -> OvfDisk | None:
        host = item.words("HostResource").removeprefix("ovf:").lstrip("/")
        kind, _, key = host.partition("/")
        if kind == "disk" and key in self.envelope.disks:
            return self.envelope.disks[key]
        if kind == "file" and key in self.envelope.files:
            href = self.envelope.files[key]
            return OvfDisk(key, href, names.image_kind(href), None)
        if host:
            raise damaged(self.file, f"a drive has {shown(host)!r}, which the package does not have")
        return None

    def _disk(self, item: Element) -> ForeignDisk | None:
        place, found = self._place(item), self._resource(item)
        where = f"{place.bus.upper()} {place.controller}:{place.location}"
        if found is None or not found.href:
            self.left.append(
                f"The disk at {where} is an empty one"
                f"{f' of {found.capacity} bytes' if found and found.capacity else ''}, without a file: add a new disk."
            )
            return None
        return ForeignDisk(place=place, path=found.href, image=found.image, capacity=found.capacity, file=None)

    def _nics(self) -> tuple[ForeignNic, ...]:
        """The adapters; VirtualBox writes addresses into its own section only, in the order of the adapters."""
        own = [a for a in self.virtualbox.get("Adapter", []) if a.attributes.get("enabled") == "true"]
        macs = [adapter.attributes.get("MACAddress", "") for adapter in own]
        items = self._of(_NIC)
        macs += [""] * (len(items) - len(macs))
        return tuple(self._nic(item, mac) for item, mac in zip(items, macs, strict=False))

    def _nic(self, item: Element, virtualbox_mac: str) -> ForeignNic:
        model = item.words("ResourceSubType")
        legacy = any(word in model.lower() for word in _LEGACY_MODELS)
        mac = names.mac(item.words("Address")) or names.mac(virtualbox_mac)
        return ForeignNic(
            name=item.words("ElementName"),
            kind="legacy" if legacy else "synthetic",
            model=model,
            mac=mac,
            static_mac=bool(mac),
            switch=item.words("Connection"),
            connected=item.words("AutomaticAllocation") != "false",
        )

    def _coms(self) -> tuple[ForeignCom, ...]:
        ports = self._of(_SERIAL)
        return tuple(
            ForeignCom(number=number, connection=item.words("Connection") or item.words("ElementName"))
            for number, item in enumerate(ports, 1)
        )

    def _boot(self) -> tuple[ForeignBootClass, ...]:
        """The order of classes, which only VirtualBox writes."""
        order: list[ForeignBootClass] = []
        for entry in self.virtualbox.get("Order", []):
            found = _BOOT.get(entry.attributes.get("device", ""))
            if found and found not in order:
                order.append(found)
        return tuple(order)

    def _config(self) -> dict[str, str]:
        """VMware's settings."""
        mine = [e for e in self.hardware.children if e.name in ("Config", "ExtraConfig") and "vmware" in e.space]
        return {e.attributes.get("key", ""): e.attributes.get("value", "").lower() for e in mine}

    def _firmware(self) -> tuple[bool, bool | None, bool]:
        """Whether it starts by UEFI, with Secure Boot, and has a TPM."""
        config = self._config()
        efi = config.get("firmware") == "efi"
        efi = efi or any(e.attributes.get("type", "").startswith("EFI") for e in self.virtualbox.get("Firmware", []))
        tpm = any("vtpm" in item.words("ResourceSubType").lower() for item in self.items)
        tpm = tpm or any(
            e.attributes.get("type", "None") != "None" for e in self.virtualbox.get("TrustedPlatformModule", [])
        )
        said = [config[k] for k in ("bootOptions.efiSecureBootEnabled", "uefi.secureBoot.enabled") if k in config]
        said += [e.attributes.get("enabled", "") for e in self.virtualbox.get("SecureBoot", [])]
        return efi, "true" in said if said else None, tpm

    def _say_left(self) -> None:
        for item in self.items:
            if _kind(item) not in _SILENT and "vtpm" not in item.words("ResourceSubType").lower():
                said = item.words("ElementName") or item.words("Caption")
                self.left.append(f"The hardware {shown(said) or 'without a name'} (resource type {_kind(item)}).")
        for name in dict.fromkeys(element.name for element in self.envelope.system.children):
            sentence = _SECTIONS.get(name, f"The section {shown(name)}.")
            self.left.extend([sentence] if sentence else [])
        if self._config().get("nestedHVEnabled") == "true":
            self.left.append("Nested virtualization.")
        drives = self._of(*_DRIVES, _FLOPPY)
        used = {found.href for found in map(self._resource, drives) if found}
        left = [href for href in self.envelope.files.values() if href not in used]
        self.left.extend(f"The file {shown(href)}, which no drive has." for href in left)


def _virtualbox(system: Element) -> dict[str, list[Element]]:
    """What is in VirtualBox's own section about the hardware, by name."""
    machine = system.first("Machine")
    hardware = machine.first("Hardware") if machine and "virtualbox" in machine.space else None
    found: dict[str, list[Element]] = {}
    for element in hardware.everything() if hardware else ():
        found.setdefault(element.name, []).append(element)
    return found


def _kind(item: Element) -> int | None:
    return whole_number(item.words("ResourceType"))


def _bus(item: Element) -> ForeignBus:
    kind, model = _kind(item), item.words("ResourceSubType").lower()
    if kind == _IDE:
        return "ide"
    if kind == _SCSI:
        return "scsi"
    if "nvme" in model:
        return "nvme"
    return "sata" if "ahci" in model or "sata" in model else "scsi" if "scsi" in model else "unknown"


def _order(place: Place) -> tuple[int, int, int]:
    buses = ("ide", "sata", "scsi", "nvme", "unknown")
    return buses.index(place.bus), place.controller, place.location
