# SPDX-License-Identifier: GPL-2.0-or-later
"""From a machine to QEMU's command line: a pure function of the machine, its generation, the host and the runtime.

QEMU gets no path of a disk: the files it may open are listed beside the arguments, opened by whoever starts it and
handed over as descriptors (`/dev/fdset/N`), so it can run as a user who may not read them. Each device is a dictionary,
so that hot-plug (`device_add`) and the command line say the same thing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiban.adapters.qemu import devices
from kiban.adapters.qemu.devices import Props
from kiban.adapters.qemu.layout import layout
from kiban.model.generations import Generation
from kiban.model.machine import Com, DiskFormat, Machine

Mode = Literal["ro", "rw", "append"]

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
# All that QEMU can emulate, less what makes guests slower without giving them anything. With ERMS kernel and libc move
# memory by `rep movsb`, which the translator does byte by byte. LA57 is a fifth level of page tables to walk. With SVM
# udev loads KVM, and nested virtualisation is off in Hyper-V too until it is asked for.
TCG_CPU = "max,erms=off,la57=off,svm=off"
HYPERV = (
    "hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,hv-vpindex,hv-runtime,hv-synic,hv-stimer,hv-reset,hv-time,"
    "hv-frequencies,hv-tlbflush,hv-ipi"
)


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the command line depends on that belongs to the host, not to the machine."""

    qemu: str
    accelerator: Literal["kvm", "tcg"]
    legacy_pxe_rom: str  # option ROM of the legacy adapter; "" when iPXE is not installed
    ipxe: str  # the kernel image that ROM starts


@dataclass(frozen=True, kw_only=True)
class Parent:
    """An image that a disk is made on, opened for reading by whoever has seen that it is the right one."""

    format: DiskFormat
    path: Path
    descriptor: int


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What belongs to one start. Descriptors are numbers in QEMU's own table; sockets are listening already."""

    directory: Path  # relative paths in the machine start here
    qmp_fd: int
    agent_fd: int
    com_fds: Mapping[int, int]
    tpm_socket: str
    netdevs: Sequence[Props]  # the back ends that the adapters are attached to
    incoming: bool  # wait for a saved memory instead of booting
    sources: Mapping[str, devices.Source] = field(default_factory=dict)  # of disks that have not been copied wholly
    parents: Mapping[str, Sequence[Parent]] = field(default_factory=dict)  # of differencing disks, by their ids


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that QEMU gets as `/dev/fdset/<number>`."""

    number: int
    path: Path
    mode: Mode
    descriptor: int | None = None  # where it is open already


@dataclass
class CommandLine:
    """Arguments, and the files that must be handed over with them."""

    argv: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)

    def add(self, option: str, value: str | Mapping[str, Any] | None = None) -> None:
        """Append an option; a mapping becomes JSON, as QEMU takes it for devices and block nodes."""
        self.argv.append(option)
        if isinstance(value, str):
            self.argv.append(value)
        elif value is not None:
            self.argv.append(json.dumps(value, separators=(",", ":")))

    def file(self, path: Path, mode: Mode, descriptor: int | None = None) -> str:
        """The name under which QEMU will find `path`."""
        self.files.append(File(number=len(self.files) + 1, path=path, mode=mode, descriptor=descriptor))
        return f"/dev/fdset/{len(self.files)}"


def build(machine: Machine, generation: Generation, host: Host, runtime: Runtime) -> CommandLine:
    """The command line that starts `machine` on `host`."""
    line = CommandLine([host.qemu])
    _process(line, machine, runtime)
    _board(line, machine, generation, host)
    if generation.firmware == "uefi":
        _uefi(line, machine, runtime)
    for device in _fixed_devices(machine):
        line.add("-device", device)
    _storage(line, machine, runtime)
    _network(line, machine, host, runtime)
    _agent(line, runtime)
    _com_ports(line, machine, generation, runtime)
    if machine.tpm:
        _tpm(line, runtime)
    if runtime.incoming:
        line.add("-incoming", "defer")
        line.add("-S")
    return line


def _process(line: CommandLine, machine: Machine, runtime: Runtime) -> None:
    line.add("-name", f"guest={machine.name},debug-threads=on")
    line.add("-uuid", machine.id)
    # how a guest, or its administrator, tells which generation it runs on
    line.add("-smbios", f"type=1,manufacturer=Kiban,product=Virtual Machine,version=Generation {machine.generation}")
    for flag in ("-no-user-config", "-nodefaults"):
        line.add(flag)
    line.add("-display", "none")
    # it listens nowhere: each viewer is handed over by add_client (see kiban.engine.display)
    line.add("-vnc", "none,share=force-shared")
    line.add("-sandbox", SANDBOX)
    line.add("-msg", "timestamp=on")
    line.add("-chardev", f"socket,id=qmp,fd={runtime.qmp_fd},server=on,wait=off")
    line.add("-mon", "chardev=qmp,mode=control")


def _board(line: CommandLine, machine: Machine, generation: Generation, host: Host) -> None:
    options = ["hpet=off", "vmport=off"]
    if generation.firmware == "uefi":
        options += ["smm=on", "sata=off", "i8042=off", "smbus=off", "pflash0=code", "pflash1=nvram"]
    line.add("-machine", ",".join([machine.board.machine_type, f"accel={host.accelerator}", *options]))
    line.add("-cpu", _cpu(machine, host))
    line.add("-smp", f"cpus={machine.cpus},sockets=1,cores={machine.cpus},threads=1")
    line.add("-m", f"size={machine.memory // 1024}k")
    line.add("-rtc", f"base={'localtime' if machine.hyperv else 'utc'}")
    # the contract decides what may boot; without strict a BIOS goes on to devices that no one listed
    line.add("-boot", "strict=on")


def _cpu(machine: Machine, host: Host) -> str:
    if host.accelerator == "tcg":
        return machine.board.cpu or TCG_CPU
    model = machine.board.cpu or "host"
    return f"{model},{HYPERV}" if machine.hyperv else model


def _uefi(line: CommandLine, machine: Machine, runtime: Runtime) -> None:
    line.add("-global", "driver=cfi.pflash01,property=secure,value=on")
    # S3 resume would restart the firmware with its flash unlocked
    line.add("-global", "ICH9-LPC.disable_s3=1")
    code = {"driver": "file", "filename": machine.board.firmware_code}
    line.add("-blockdev", {"node-name": "code", "driver": "raw", "read-only": True, "file": code})
    nvram = {"driver": "file", "filename": line.file(runtime.directory / "nvram.fd", "rw")}
    line.add("-blockdev", {"node-name": "nvram", "driver": "raw", "file": nvram})


def _fixed_devices(machine: Machine) -> Iterator[Props]:
    where = layout(machine.generation, machine.board.layout)
    yield devices.video(machine, where)
    yield devices.pci({"driver": "virtio-rng-pci", "id": "rng"}, machine, where.rng)
    yield devices.pci({"driver": "virtio-serial-pci", "id": "serial"}, machine, where.serial)
    if where.usb:
        yield devices.pci({"driver": "qemu-xhci", "id": "usb"}, machine, where.usb)
        yield {"driver": "usb-kbd", "id": "keyboard", "bus": "usb.0"}
        yield {"driver": "usb-tablet", "id": "tablet", "bus": "usb.0"}
    yield from devices.sockets(machine)
    yield from devices.usb_bridges(machine)


def _storage(line: CommandLine, machine: Machine, runtime: Runtime) -> None:
    order = devices.boot_indexes(machine)
    for disk in machine.disks:
        filename = line.file(runtime.directory / disk.path, "rw")
        above = runtime.parents.get(disk.id, ())
        parents = [(parent.format, line.file(parent.path, "ro", parent.descriptor)) for parent in above]
        for node in devices.disk_nodes(disk, filename, parents, runtime.sources.get(disk.id)):
            line.add("-blockdev", node)
        line.add("-device", devices.disk(machine, disk) | order.get(disk.id, {}))
    for dvd in machine.dvds:
        if dvd.medium:
            line.add("-blockdev", devices.dvd_node(dvd.id, line.file(Path(dvd.medium), "ro")))
        line.add("-device", devices.dvd(dvd) | order.get(dvd.id, {}))
    if machine.floppy:
        if machine.floppy.medium:
            filename = line.file(runtime.directory / machine.floppy.medium, "rw")
            line.add("-blockdev", devices.floppy_node(filename))
        line.add("-device", devices.floppy(machine.floppy))
        # the drive's place in the boot order is a property of its controller, which the board makes by itself
        line.add("-global", f"isa-fdc.bootindexA={order['floppy0']['bootindex']}")


def _network(line: CommandLine, machine: Machine, host: Host, runtime: Runtime) -> None:
    order = devices.boot_indexes(machine)
    for netdev in runtime.netdevs:
        line.add("-netdev", netdev)
    for nic in machine.nics:
        rom = host.legacy_pxe_rom if devices.boots_by_rom(nic) else ""
        line.add("-device", devices.nic(machine, nic, rom=rom) | order.get(nic.id, {}))
    if host.legacy_pxe_rom and any(devices.boots_by_rom(nic) for nic in machine.nics):
        line.add("-fw_cfg", f"name=opt/kiban/ipxe,file={host.ipxe}")


def _agent(line: CommandLine, runtime: Runtime) -> None:
    line.add("-chardev", f"socket,id=agent,fd={runtime.agent_fd},server=on,wait=off")
    line.add("-device", {"driver": "virtserialport", "chardev": "agent", "name": "org.qemu.guest_agent.0"})


def _com_ports(line: CommandLine, machine: Machine, generation: Generation, runtime: Runtime) -> None:
    wanted: dict[int, Com] = {com.number: com for com in machine.coms}
    for number in range(1, generation.com_ports + 1):
        com = wanted.get(number)
        if com is None and not generation.com_ports_built_in:
            continue
        line.add("-chardev", _com_chardev(line, number, com, runtime))
        chardev = f"com{number}c"
        line.add("-device", {"driver": "isa-serial", "id": f"com{number}", "index": number - 1, "chardev": chardev})


def _com_chardev(line: CommandLine, number: int, com: Com | None, runtime: Runtime) -> str:
    name = f"id=com{number}c"
    if com is None or com.kind == "none":
        return f"null,{name}"
    if com.kind == "file":
        return f"file,{name},path={line.file(runtime.directory / com.path, 'append')},append=on"
    return f"socket,{name},fd={runtime.com_fds[number]},server=on,wait=off"


def _tpm(line: CommandLine, runtime: Runtime) -> None:
    line.add("-chardev", "socket,id=tpmc,path=" + runtime.tpm_socket.replace(",", ",,"))
    line.add("-tpmdev", "emulator,id=tpm,chardev=tpmc")
    line.add("-device", {"driver": "tpm-crb", "id": "tpm0", "tpmdev": "tpm"})
