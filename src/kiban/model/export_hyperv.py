# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine for Hyper-V: the PowerShell lines that make it again there, and what they cannot.

The cmdlets and their parameters are those of Microsoft's reference of the Hyper-V module (windowsserver2022-ps).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiban.model.export import Portrait, sectors_lost
from kiban.model.generations import BUS_NAMES
from kiban.model.machine import Disk, Dvd, Machine, Nic
from kiban.model.units import MiB, format_size

_SCSI_UNITS = 64
_LEAST_MEMORY = 32 * MiB
_MEMORY_STEP = 2 * MiB
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
"""All of these end a string in single quotes in PowerShell; doubled, each stands for itself."""
_CLASSES = {"floppy": "Floppy", "dvd": "CD", "disk": "IDE", "nic": "LegacyNetworkAdapter"}


def quoted(text: str) -> str:
    """A text as a literal of PowerShell's, in which nothing is expanded."""
    return "'" + _QUOTES.sub(lambda found: found[0] * 2, text) + "'"


def script(portrait: Portrait) -> str:
    """The lines that make the machine, of the disks beside them; whatever fails, no half of a machine stays."""
    return "\n".join([*_head(portrait.machine), *(f"    {line}" for line in _body(portrait)), *_tail()]) + "\n"


def _head(machine: Machine) -> Iterator[str]:
    yield "# Makes the machine that this folder holds. Put the folder where its disks are to stay, then run there,"
    yield "# as administrator:  powershell -ExecutionPolicy Bypass -File .\\recreate.ps1 -SwitchName 'Default Switch'"
    yield "# -SwitchName connects its adapters; without it they are not connected."
    yield "#Requires -Modules Hyper-V"
    yield "param([string]$SwitchName = '')"
    yield "$ErrorActionPreference = 'Stop'"
    yield f"$name = {quoted(machine.name)}"
    yield 'if (Get-VM | Where-Object Name -eq $name) { throw "There is a machine $name already." }'
    yield "$connect = @{}"
    yield "if ($SwitchName) { $connect.SwitchName = $SwitchName }"
    memory = _memory(machine)
    yield f"$vm = New-VM -Name $name -Generation {machine.generation} -MemoryStartupBytes {memory} -NoVHD"
    yield "try {"


def _tail() -> Iterator[str]:
    yield "} catch {"
    yield "    Remove-VM -VM $vm -Force"
    yield "    throw"
    yield "}"
    yield "$vm"


def _memory(machine: Machine) -> int:
    return max(-(-machine.memory // _MEMORY_STEP) * _MEMORY_STEP, _LEAST_MEMORY)


def _body(portrait: Portrait) -> Iterator[str]:
    machine = portrait.machine
    yield "Get-VMNetworkAdapter -VM $vm | Remove-VMNetworkAdapter"
    yield "Get-VMDvdDrive -VM $vm | Remove-VMDvdDrive"
    yield f"Set-VMProcessor -VM $vm -Count {machine.cpus}"
    yield "Set-VMMemory -VM $vm -DynamicMemoryEnabled $false"
    start = "Start" if machine.autostart else "Nothing"
    yield f"Set-VM -VM $vm -AutomaticStartAction {start} -Notes {quoted(machine.notes)}"
    yield from _drives(machine)
    for nic in machine.nics:
        yield _adapter(nic, machine.generation)
    for com in machine.coms:
        if com.kind != "none":
            pipe = quoted(f"\\\\.\\pipe\\{machine.name}-com{com.number}")
            yield f"Set-VMComPort -VM $vm -Number {com.number} -Path {pipe}"
    yield from _bios(machine) if machine.uefi is None else _firmware(portrait)


def _all_drives(machine: Machine) -> list[Disk | Dvd]:
    return [*machine.disks, *machine.dvds]


def places(machine: Machine) -> dict[str, tuple[str, int, int]]:
    """Controller, its number and the location on it of each drive; NVMe's and USB's go where SCSI has room."""
    placed: dict[str, tuple[str, int, int]] = {}
    drives = _all_drives(machine)
    for drive in drives:
        if drive.bus in ("ide", "scsi"):
            units = 2 if drive.bus == "ide" else _SCSI_UNITS
            placed[drive.id] = (drive.bus.upper(), *divmod(drive.slot, units))
    free = (slot for slot in range(4 * _SCSI_UNITS) if ("SCSI", *divmod(slot, _SCSI_UNITS)) not in placed.values())
    for drive in drives:
        if drive.id not in placed:
            placed[drive.id] = ("SCSI", *divmod(next(free), _SCSI_UNITS))
    return placed


def _drives(machine: Machine) -> Iterator[str]:
    placed = places(machine)
    controllers = max((number + 1 for bus, number, _ in placed.values() if bus == "SCSI"), default=0)
    if controllers:
        yield f"while (@(Get-VMScsiController -VM $vm).Count -lt {controllers}) {{ Add-VMScsiController -VM $vm }}"
    for disk in machine.disks:
        bus, number, location = placed[disk.id]
        path = f"(Join-Path $PSScriptRoot {quoted(f'{disk.id}.vhdx')})"
        where = f"-ControllerType {bus} -ControllerNumber {number} -ControllerLocation {location}"
        yield f"${disk.id} = Add-VMHardDiskDrive -VM $vm {where} -Path {path} -Passthru"
    for dvd in machine.dvds:
        _, number, location = placed[dvd.id]
        where = f"-ControllerNumber {number} -ControllerLocation {location}"
        yield f"${dvd.id} = Add-VMDvdDrive -VM $vm {where} -Passthru"


def _adapter(nic: Nic, generation: int) -> str:
    kind = f" -IsLegacy ${'true' if nic.kind == 'legacy' else 'false'}" if generation == 1 else ""
    connect = "" if nic.network == "none" else " @connect"
    address = quoted(nic.mac.replace(":", "").upper())
    return (
        f"${nic.id} = Add-VMNetworkAdapter -VM $vm -Name {quoted(nic.id)}{kind}"
        f" -StaticMacAddress {address}{connect} -Passthru"
    )


def _bios(machine: Machine) -> Iterator[str]:
    order = ", ".join(quoted(_CLASSES[name]) for name in machine.boot)
    if order:
        yield f"Set-VMBios -VM $vm -StartupOrder @({order})"


def _firmware(portrait: Portrait) -> Iterator[str]:
    uefi = portrait.machine.uefi
    assert uefi is not None  # noqa: S101  # the caller has looked
    if portrait.secure_boot and portrait.template_id:
        yield f"Set-VMFirmware -VM $vm -EnableSecureBoot On -SecureBootTemplateId {quoted(portrait.template_id)}"
    else:
        yield "Set-VMFirmware -VM $vm -EnableSecureBoot Off"
    protocol = {"ipv4": "IPv4", "ipv6": "IPv6"}[uefi.pxe_protocol]
    pause = "On" if uefi.pause_after_boot_failure else "Off"
    yield f"Set-VMFirmware -VM $vm -PreferredNetworkBootProtocol {protocol} -PauseAfterBootFailure {pause}"
    if portrait.order:
        yield f"Set-VMFirmware -VM $vm -BootOrder {', '.join(f'${device}' for device in portrait.order)}"
    if portrait.machine.tpm:
        yield "Set-VMKeyProtector -VM $vm -NewLocalKeyProtector"
        yield "Enable-VMTPM -VM $vm"


def left_out(portrait: Portrait) -> tuple[str, ...]:
    """A sentence for each thing that Hyper-V does not get, or gets otherwise."""
    machine = portrait.machine
    placed, drives = places(machine), _all_drives(machine)
    moved = [(drive, *placed[drive.id]) for drive in drives if drive.bus in ("nvme", "usb")]
    left = [f"{d.id} on {BUS_NAMES[d.bus]}: it is on {bus} {number}:{at} there." for d, bus, number, at in moved]
    left += sectors_lost(machine)
    for nic in machine.nics:
        for port in nic.forwards:
            left.append(f"The forward of {port.protocol} port {port.host_port} to port {port.guest_port} of {nic.id}.")
    if _memory(machine) != machine.memory:
        left.append(f"Memory of {format_size(machine.memory)}: there it is {format_size(_memory(machine))}.")
    if portrait.secure_boot and not portrait.template_id:
        left.append("Secure Boot keys of one's own: Hyper-V has its templates only, so Secure Boot is off there.")
    if machine.tpm:
        left.append("What is in the TPM: there it is new. A disk that is locked by it asks for its recovery key.")
    return tuple(left)


def readme(portrait: Portrait, left: tuple[str, ...]) -> str:
    """What the folder holds and how to make the machine of it, for a person."""
    machine, placed = portrait.machine, places(portrait.machine)
    secure = "on" if portrait.secure_boot and portrait.template_id else "off"
    facts = [
        f"Name: {machine.name}",
        f"Generation: {machine.generation}" + (f", Secure Boot {secure}" if machine.uefi else ""),
        f"Processors: {machine.cpus}",
        f"Memory: {format_size(_memory(machine))}",
        *(f"{disk.id}.vhdx: on {bus} {number}:{at}" for disk in machine.disks for bus, number, at in [placed[disk.id]]),
        *(f"DVD drive: on {bus} {number}:{at}" for dvd in machine.dvds for bus, number, at in [placed[dvd.id]]),
        *(f"Network adapter: {nic.kind}, {nic.mac}" for nic in machine.nics),
        *(["TPM: a new one"] if machine.tpm else []),
    ]
    how = [
        "This folder holds a virtual machine for Hyper-V. Put it where its disks are to stay, and run in it, in a",
        "PowerShell of an administrator:",
        "",
        "    powershell -ExecutionPolicy Bypass -File .\\recreate.ps1 -SwitchName 'Default Switch'",
        "",
        "The script needs Windows Server 2016, Windows 10 or newer. If anything fails, it removes the machine again,",
        "and leaves the disks. SHA256SUMS has the checksums of all files.",
    ]
    lost = ["", "Not taken along, or otherwise:", *(f"- {sentence}" for sentence in left)] if left else []
    return "\n".join([*how, "", *facts, *lost]) + "\n"
