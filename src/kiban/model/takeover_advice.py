# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest of an imported machine will notice, and what to do about it: drivers, names of interfaces, loaders."""

from __future__ import annotations

from kiban.model.foreign import ForeignMachine
from kiban.model.generations import Generation
from kiban.model.requests import MachineRequest


def add(
    machine: ForeignMachine, gen: Generation, windows: bool | None, request: MachineRequest, advice: list[str]
) -> None:
    """Append a sentence for each thing."""
    if windows is not False:
        advice.extend(_windows(gen, windows, request))
    if not windows:
        advice.extend(_linux(machine, request))
    if gen.number == 2 and machine.origin != "disk":
        advice.append(
            "The firmware's entries are new: it starts the disk's \\EFI\\BOOT\\BOOTX64.EFI. Windows has it; a Linux "
            "without it is told by: grub-install --removable, before the export."
        )
    if machine.autostart:
        advice.append("It starts with this host: see that the original does not run then, both have one address.")


def _windows(gen: Generation, windows: bool | None, request: MachineRequest) -> list[str]:
    who = "Windows" if windows else "If the guest is a Windows: it"
    said = []
    scsi = [f"disk{number}" for number, disk in enumerate(request.disks) if disk.bus == "scsi"]
    virtio = any(nic.model == "virtio" for nic in request.nics or ())
    if gen.number == 2 and not windows and (scsi or virtio):
        said.append(
            f"{who} has no driver for the virtio SCSI and network of this plan; name it (--guest win2k22, for example) "
            "and it gets NVMe and e1000e, for which it has."
        )
        return said
    if scsi:
        said.append(
            f"{who} has no driver for the SCSI controller of {', '.join(scsi)}: install virtio-win's vioscsi, before "
            "the export or from its ISO."
        )
    if virtio and gen.number == 1:
        said.append(
            f"{who} has no driver for the virtio adapter: install virtio-win's NetKVM, before the export or from its "
            "ISO."
        )
    if windows and gen.number == 2:
        said.append(
            "Windows gets NVMe disks and e1000e adapters, for which it has drivers; QEMU cannot save their memory."
        )
    return said


def _linux(machine: ForeignMachine, request: MachineRequest) -> list[str]:
    macs = [nic.mac for nic in request.nics or () if nic.mac]
    said = []
    if macs:
        said.append(
            "A Linux calls its interfaces eth0, eth1 on Hyper-V and by their slots here (ens… or enp…). Their "
            f"addresses ({', '.join(macs)}) stay, so configure by those: [Match] MACAddress={macs[0]} and [Link] "
            "Name=eth0 in /etc/systemd/network/10-eth0.link keeps the name."
        )
    if machine.origin in ("vmcx", "xml"):
        said.append(
            "A Linux whose initramfs was made for Hyper-V alone lacks virtio: have virtio_scsi, virtio_pci (and "
            "ata_piix on generation 1) in it before the export; Debian's and Ubuntu's have all of them."
        )
    return said
