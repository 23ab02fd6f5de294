# SPDX-License-Identifier: GPL-2.0-or-later
"""The spread of machines whose command lines are kept in tests/golden, with real files to start them from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import machines

from kiban.engine import netdev
from kiban.model.machine import Forward, Machine, Sectors
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NetBootRequest, NicRequest

MIB = machines.MIB
FORWARDS = (
    Forward(protocol="tcp", host_address="127.0.0.1", host_port=42222, guest_port=22),
    Forward(protocol="udp", host_address="", host_port=45353, guest_port=53),
)
IMAGES = {"raw.img": "raw", "two.qcow2": "qcow2", "three.vhdx": "vhdx", "four.vhd": "vpc"}


def make_files(root: Path) -> None:
    """Everything that the machines name: images of 8 MiB, an ISO, a floppy, a boot folder, an NVRAM."""
    for name, driver in IMAGES.items():
        command = ["qemu-img", "create", "-q", "-f", driver, str(root / name), "8M"]
        subprocess.run(command, check=True)
    (root / "cd, with a comma.iso").write_bytes(bytes(MIB))
    (root / "dos.ima").write_bytes(bytes(1440 * 1024))
    (root / "nvram.fd").write_bytes(bytes(540672))
    (root / "boot").mkdir()
    (root / "boot" / "shimx64.efi").write_bytes(b"MZ")


def named(root: Path, name: str, form: Any, **more: Any) -> DiskRequest:
    return DiskRequest(path=str(root / name), format=form, **more)


def gen1_everything(root: Path) -> Machine:
    return machines.make(
        1,
        board_changes={"video": "cirrus"},
        cpus=2,
        disks=(
            named(root, "raw.img", "raw"),
            named(root, "two.qcow2", "qcow2"),
            named(root, "three.vhdx", "vhdx", bus="scsi"),
        ),
        dvds=(DvdRequest(iso=str(root / "cd, with a comma.iso")), DvdRequest()),
        floppy=str(root / "dos.ima"),
        nics=(NicRequest(kind="legacy"), NicRequest(kind="synthetic", forwards=FORWARDS)),
        coms=(ComRequest(number=1, kind="file", path=str(root / "com1.txt")), ComRequest(number=2, kind="socket")),
        boot=("dvd", "disk", "nic", "floppy"),
    )


def gen1_tftp(root: Path) -> Machine:
    boot = NetBootRequest(folder=str(root / "boot"), file="shimx64.efi")
    return machines.make(1, boot=("nic", "disk"), nics=(NicRequest(boot=boot),))


def gen1_full(_: Path) -> Machine:
    adapters = (*(NicRequest(kind="synthetic") for _ in range(8)), *(NicRequest(kind="legacy") for _ in range(4)))
    return machines.make(1, cpus=64, dvds=(DvdRequest(),) * 4, nics=adapters)


def gen2_everything(root: Path) -> Machine:
    return machines.make(
        2,
        cpus=4,
        tpm=True,
        disks=(
            named(root, "raw.img", "raw"),
            named(root, "two.qcow2", "qcow2"),
            named(root, "three.vhdx", "vhdx"),
            named(root, "four.vhd", "vhd"),
        ),
        dvds=(DvdRequest(iso=str(root / "cd, with a comma.iso")), DvdRequest()),
        nics=(NicRequest(forwards=FORWARDS), NicRequest(network="none")),
        coms=(ComRequest(number=1, kind="socket"),),
        boot=("dvd", "disk", "nic"),
    )


def gen2_http(root: Path) -> Machine:
    boot = NetBootRequest(folder=str(root / "boot"), file="shimx64.efi", protocol="http")
    return machines.make(2, boot=("nic",), nics=(NicRequest(boot=boot),), pxe_protocol="ipv6")


def gen2_tftp(root: Path) -> Machine:
    boot = NetBootRequest(folder=str(root / "boot"), file="shimx64.efi")
    return machines.make(2, boot=("nic",), nics=(NicRequest(boot=boot),))


def gen2_tftp_ipv6(root: Path) -> Machine:
    boot = NetBootRequest(folder=str(root / "boot"), file="shimx64.efi")
    return machines.make(2, boot=("nic",), nics=(NicRequest(boot=boot),), pxe_protocol="ipv6")


def com_file(number: int) -> Callable[[Path], Machine]:
    def made(root: Path) -> Machine:
        coms = (ComRequest(number=1, kind="none"), ComRequest(number=2, kind="file", path=str(root / "com2.txt")))
        return machines.make(number, nics=(), coms=coms)

    return made


def far_scsi(number: int) -> Callable[[Path], Machine]:
    """A disk on the last unit of the last controller."""

    def made(root: Path) -> Machine:
        one = machines.make(number, nics=(), disks=(named(root, "raw.img", "raw", bus="scsi"),))
        return replace(one, disks=(replace(one.disks[0], slot=255),))

    return made


def sectors(number: int, first: Sectors, second: Sectors) -> Callable[[Path], Machine]:
    """Disks with other sectors than usual; on generation 1 the first is on IDE."""

    def made(root: Path) -> Machine:
        one = named(root, "two.qcow2", "qcow2")
        two = named(root, "raw.img", "raw", bus="scsi")
        return machines.make(number, nics=(), disks=(replace(one, sectors=first), replace(two, sectors=second)))

    return made


def gen2_inbox(root: Path) -> Machine:
    """What a Windows has drivers for."""
    return machines.make(
        2,
        disks=(named(root, "three.vhdx", "vhdx", bus="nvme"), named(root, "raw.img", "raw", bus="nvme")),
        dvds=(DvdRequest(iso=str(root / "cd, with a comma.iso"), bus="usb"), DvdRequest(bus="usb")),
        nics=(NicRequest(model="e1000e"),),
    )


SPREAD: dict[str, Callable[[Path], Machine]] = {
    "gen1-minimal": lambda _: machines.make(1, nics=()),
    "gen1-default": lambda _: machines.make(1),
    "gen1-everything": gen1_everything,
    "gen1-tftp": gen1_tftp,
    "gen1-all-adapters-and-drives": gen1_full,
    "gen1-com-file": com_file(1),
    "gen1-vhd-on-ide": lambda root: machines.make(1, nics=(), disks=(named(root, "four.vhd", "vhd"),)),
    "gen1-scsi-data": lambda root: machines.make(1, nics=(), disks=(named(root, "two.qcow2", "qcow2", bus="scsi"),)),
    "gen1-sectors": sectors(1, "512e", "4k"),
    "gen1-last-scsi-unit": far_scsi(1),
    "gen1-least-memory": lambda _: machines.make(1, nics=(), memory=8 * MIB),
    "gen2-minimal": lambda _: machines.make(2, nics=()),
    "gen2-default": lambda _: machines.make(2),
    "gen2-everything": gen2_everything,
    "gen2-http": gen2_http,
    "gen2-tftp": gen2_tftp,
    "gen2-tftp-ipv6": gen2_tftp_ipv6,
    "gen2-com-file": com_file(2),
    "gen2-last-scsi-unit": far_scsi(2),
    "gen2-all-adapters": lambda _: machines.make(2, nics=tuple(NicRequest() for _ in range(8))),
    "gen2-many-cpus": lambda _: machines.make(2, nics=(), cpus=240),
    "gen2-inbox": gen2_inbox,
    "gen2-sectors": sectors(2, "4k", "512e"),
    "gen2-windows": lambda _: replace(machines.make(2, nics=(), tpm=True, guest="win11"), hyperv=True),
}


def netdevs(machine: Machine, root: Path) -> list[dict[str, Any]]:
    """The back ends of a machine's adapters."""
    return [props for nic in machine.nics for props in netdev.of(machine, nic, root)]
