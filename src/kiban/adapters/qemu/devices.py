# SPDX-License-Identifier: GPL-2.0-or-later
"""One function per device: from the model to the properties that both `-device` and `device_add` take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kiban.adapters.qemu.layout import Layout, layout, numbers
from kiban.model.generations import Bus
from kiban.model.machine import SECTOR_BYTES, Disk, DiskFormat, Dvd, Floppy, Machine, Nic, boot_class

Props = dict[str, Any]
Parents = Sequence[tuple[DiskFormat, str]]
DEEPEST = 64
"""Images of the longest chain."""

HOTPLUG_PORTS = 2
"""Slots of generation 2's adapters whose root ports are always there."""
SCSI_UNITS = 64
SCSI_TARGETS = 32
"""OVMF looks at targets 0 to 31 only, so the second half of a controller's units are second units of those targets."""
DRIVERS: dict[DiskFormat, str] = {"qcow2": "qcow2", "vhdx": "vhdx", "vhd": "vpc", "raw": "raw"}


def pci(props: Props, machine: Machine, address: str) -> Props:
    """A device directly on the root bus."""
    bus = "pcie.0" if machine.generation == 2 else "pci.0"
    # on the root bus of a PCI Express board virtio would otherwise carry its legacy I/O ports
    modern = {"disable-legacy": "on"} if machine.generation == 2 and props["driver"].startswith("virtio") else {}
    return {**props, "bus": bus, "addr": address, **modern}


def video(machine: Machine, where: Layout) -> Props:
    """The display adapter."""
    driver = {"std": "VGA", "cirrus": "cirrus-vga", "synthetic": "bochs-display"}[machine.board.video]
    return pci({"driver": driver, "id": "video"}, machine, where.video)


def controllers_in_use(machine: Machine) -> list[int]:
    """SCSI controllers with something on them; generation 2 always has the first."""
    drives: list[Disk | Dvd] = [*machine.disks, *machine.dvds]
    return sorted({0} | {drive.slot // SCSI_UNITS for drive in drives if drive.bus == "scsi"})


def ports(machine: Machine, where: Layout) -> Iterator[Props]:
    """Generation 2's root ports: one per SCSI controller and adapter in use, and those for adapters to come.

    Not all eight: firmware and guest look at each, which took Debian's start several seconds under TCG.
    """
    if machine.generation != 2:
        return
    for number in controllers_in_use(machine):
        yield _port(f"port-scsi{number}", where.scsi[number])
    used = {nic.slot for nic in machine.nics}
    for number, address in enumerate(where.synthetic):
        if number < HOTPLUG_PORTS or number in used:
            yield _port(f"port-nic{number}", address)


def sockets(machine: Machine) -> list[Props]:
    """What SCSI drives and adapters are plugged into: root ports and SCSI controllers.

    Whatever comes or goes while the guest runs must leave these as they are: a saved memory is restored into a QEMU
    that is made from the definition as it then is, and which must have what the QEMU had that saved it.
    """
    where = layout(machine.generation, machine.board.layout)
    return [*ports(machine, where), *scsi_controllers(machine, where)]


def _port(name: str, address: str) -> Props:
    device, function = numbers(address)
    return {
        "driver": "pcie-root-port",
        "id": name,
        "bus": "pcie.0",
        "addr": address,
        "multifunction": True,
        "chassis": device * 8 + function,
    }


def scsi_controllers(machine: Machine, where: Layout) -> Iterator[Props]:
    """The SCSI controllers, each with room for 64 units."""
    for number in controllers_in_use(machine):
        props = {"driver": "virtio-scsi-pci", "id": f"scsi{number}"}
        if machine.generation == 2:
            yield {**props, "bus": f"port-scsi{number}"}
        else:
            yield pci(props, machine, where.scsi[number])


def scsi_address(slot: int) -> tuple[int, int, int]:
    """Controller, target and logical unit of a SCSI slot."""
    controller, number = divmod(slot, SCSI_UNITS)
    return controller, number % SCSI_TARGETS, number // SCSI_TARGETS


def _place(bus: Bus, slot: int) -> Props:
    if bus == "ide":
        return {"bus": f"ide.{slot // 2}", "unit": slot % 2}
    controller, target, unit = scsi_address(slot)
    return {"bus": f"scsi{controller}.0", "scsi-id": target, "lun": unit}


KEPT_BEHIND: frozenset[DiskFormat] = frozenset({"vhdx", "vhd"})
"""Formats that QEMU cannot leave open while memory is saved: their image hangs behind a node that can let go of it."""


def node(disk: Disk) -> str:
    """Name of the node that the guest's device uses."""
    return f"{disk.id}-node"


def image(disk: Disk) -> str:
    """Name of the node that speaks the image's format."""
    return f"{disk.id}-image" if disk.format in KEPT_BEHIND else node(disk)


def empty(disk: Disk) -> str:
    """Name of the node that stands in for an image that is set aside."""
    return f"{disk.id}-empty"


def parent(disk: Disk, number: int) -> str:
    """Name of the node of a disk's parent (1), its parent (2), and so on."""
    return f"{disk.id}-parent{number}"


def node_names(disk: Disk) -> list[str]:
    """Names that the nodes of a disk can have, each before those it is made on."""
    return [*dict.fromkeys((node(disk), image(disk))), *parent_names(disk)]


def parent_names(disk: Disk) -> list[str]:
    """Names that the nodes of a disk's parents can have, the nearest first."""
    return [parent(disk, number) for number in range(1, DEEPEST)]


def image_node(disk: Disk, filename: str, *, on_parent: bool = False) -> Props:
    """The node that speaks the image's format. The format is named, and no file it refers to is followed."""
    below = parent(disk, 1) if on_parent else rest(disk) if disk.rest else None
    return _image(image(disk), disk.format, filename, below)


def _image(name: str, form: DiskFormat, filename: str, below: str | None) -> Props:
    props: Props = {
        "node-name": name,
        "driver": DRIVERS[form],
        "discard": "unmap",
        "file": {"driver": "file", "filename": filename, "discard": "unmap"},
    }
    return {**props, "backing": below} if form == "qcow2" else props


def _parent_nodes(disk: Disk, parents: Parents) -> Iterator[Props]:
    """The nodes of what a disk is made on, the last parent first."""
    for number, (form, filename) in reversed([*enumerate(parents, start=1)]):
        below = parent(disk, number + 1) if number < len(parents) else None
        yield {**_image(parent(disk, number), form, filename, below), "read-only": True}


def read_only(name: str, file: str, below: str | None) -> Props:
    """A qcow2's node as it is, but for reading only; `file` is the name of its file's node."""
    return {**_image(name, "qcow2", "", below), "file": file, "read-only": True}


@dataclass(frozen=True)
class Source:
    """Where the rest of a disk is served: a Unix socket, and the name of the export there."""

    socket: str
    export: str


RECONNECT_SECONDS = 600
"""How long QEMU lets a guest wait for a server that has gone, before it gives it an error."""


def rest(disk: Disk) -> str:
    """Name of the node that stands for what has not been copied into a disk yet."""
    return f"{disk.id}-rest"


def copy_job(disk: Disk) -> str:
    """Name of the job that copies it."""
    return f"{disk.id}-copy"


def rest_node(disk: Disk, source: Source) -> Props:
    """What has not been copied into a disk yet, on its server."""
    return {
        "node-name": rest(disk),
        "driver": "nbd",
        "read-only": True,
        "server": {"type": "unix", "path": source.socket},
        "export": source.export,
        "reconnect-delay": RECONNECT_SECONDS,
    }


def empty_node(disk: Disk, size: int) -> Props:
    """A disk of zeros, as long as the image is set aside."""
    return {"node-name": empty(disk), "driver": "null-co", "size": size, "read-zeroes": True}


def pointed_at(disk: Disk, target: str) -> Props:
    """The node of a disk whose image is kept behind, pointing at `target`."""
    return {"node-name": node(disk), "driver": "raw", "discard": "unmap", "file": target}


def disk_nodes(disk: Disk, filename: str, parents: Parents = (), source: Source | None = None) -> list[Props]:
    """All nodes of a disk, in the order in which they must be made.

    Args:
        disk: which.
        filename: of its image.
        parents: format and file name of its parent, that one's parent, and so on.
        source: where its rest is served, when it has not been copied wholly.
    """
    if source is not None:
        return [rest_node(disk, source), image_node(disk, filename)]
    below = [*_parent_nodes(disk, parents), image_node(disk, filename, on_parent=bool(parents))]
    return [*below, pointed_at(disk, image(disk))] if disk.format in KEPT_BEHIND else below


def disk(machine: Machine, disk: Disk) -> Props:
    """A hard disk on its controller; on NVMe it is its own."""
    props: Props = {"id": disk.id, "drive": node(disk), "serial": disk.id}
    if disk.sectors != "512":  # which is QEMU's own choice
        props["logical_block_size"], props["physical_block_size"] = SECTOR_BYTES[disk.sectors]
    if disk.bus == "nvme":
        where = layout(machine.generation, machine.board.layout)
        return pci({"driver": "nvme", **props}, machine, where.nvme[disk.slot])
    if disk.rest:
        props["rerror"] = "stop"  # a guest whose source is gone for good is paused, and not given errors
    return {"driver": "ide-hd" if disk.bus == "ide" else "scsi-hd", **props, **_place(disk.bus, disk.slot)}


def dvd_node(device_id: str, filename: str) -> Props:
    """The block node of an ISO."""
    return {
        "node-name": f"{device_id}-node",
        "driver": "raw",
        "read-only": True,
        "file": {"driver": "file", "filename": filename},
    }


def dvd(dvd: Dvd) -> Props:
    """A DVD drive on its controller, with its ISO if there is one in it. One on USB wants its bridge first."""
    driver = "ide-cd" if dvd.bus == "ide" else "scsi-cd"
    place = {"bus": f"{dvd.id}-usb.0", "lun": 0} if dvd.bus == "usb" else _place(dvd.bus, dvd.slot)
    props = {"driver": driver, "id": dvd.id, **place}
    return {**props, "drive": f"{dvd.id}-node"} if dvd.medium else props


def usb_bridges(machine: Machine) -> Iterator[Props]:
    """From USB to SCSI, for each DVD drive on USB: its drive is the SCSI unit behind it."""
    where = layout(machine.generation, machine.board.layout)
    for dvd in machine.dvds:
        if dvd.bus == "usb":
            yield {"driver": "usb-bot", "id": f"{dvd.id}-usb", "bus": "usb.0", "port": str(where.usb_dvds[dvd.slot])}


def floppy_node(filename: str) -> Props:
    """The block node of a floppy image."""
    return {"node-name": "floppy0-node", "driver": "raw", "file": {"driver": "file", "filename": filename}}


def floppy(floppy: Floppy) -> Props:
    """The floppy drive."""
    props = {"driver": "floppy", "id": "floppy0", "bus": "floppy-bus.0", "unit": 0, "drive-type": "144"}
    return {**props, "drive": "floppy0-node", "drive-type": "auto"} if floppy.medium else props


def netdev_id(nic: Nic) -> str:
    """Id of the back end that an adapter is attached to."""
    return f"net-{nic.id}"


def nic(machine: Machine, nic: Nic, *, rom: str) -> Props:
    """A network adapter. `rom` is the option ROM of a legacy adapter.

    The empty ROM on the others is on purpose: on generation 2 the firmware's own network stack boots, and on
    generation 1 a synthetic adapter does not.
    """
    where = layout(machine.generation, machine.board.layout)
    driver = {"virtio": "virtio-net-pci", "tulip": "tulip", "e1000e": "e1000e"}[nic.model]
    props = {"driver": driver, "id": nic.id, "mac": nic.mac, "romfile": rom, "netdev": netdev_id(nic)}
    if machine.generation == 2:
        return {**props, "bus": f"port-nic{nic.slot}"}
    addresses = where.legacy if nic.kind == "legacy" else where.synthetic
    return pci(props, machine, addresses[nic.slot])


def boot_indexes(machine: Machine) -> dict[str, Props]:
    """Generation 1's boot order as QEMU's bootindex.

    Generation 2 has none: its order is in NVRAM, where the guest may change it.
    """
    if machine.generation == 2:
        return {}
    order = [device for wanted in machine.boot for device in _bootable(machine) if boot_class(device) == wanted]
    return {device: {"bootindex": number} for number, device in enumerate(order, start=1)}


def boots_by_rom(nic: Nic) -> bool:
    """Whether an adapter boots by an option ROM: the first legacy one, which is the only one that iPXE sees."""
    return nic.kind == "legacy" and nic.slot == 0


def _bootable(machine: Machine) -> Iterator[str]:
    if machine.floppy:
        yield "floppy0"
    yield from (d.id for d in machine.dvds if d.bus == "ide")
    yield from (d.id for d in machine.disks if d.bus == "ide")
    yield from (n.id for n in machine.nics if boots_by_rom(n))
