# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host has and lacks, each finding with its evidence and, where something is missing, what to do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from kiban.adapters.disk.space import free_bytes
from kiban.adapters.firmware import descriptors
from kiban.adapters.mount import rawview, table
from kiban.adapters.osinfo import database
from kiban.adapters.qemu.process import account
from kiban.engine import novnc
from kiban.engine.host import IPXE, Host
from kiban.errors import HostLacks, KibanError
from kiban.model.generations import GEN2
from kiban.model.units import format_size


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. `needed`: machines cannot run without it."""

    name: str
    ok: bool
    detail: str
    hint: str
    needed: bool


async def examine(host: Host) -> list[Finding]:
    """Look at everything Kiban uses on this host."""
    checks: list[tuple[str, bool, Callable[[], Awaitable[str]]]] = [
        ("QEMU", True, lambda: _qemu(host)),
        ("qemu-img", True, lambda: _program("qemu-img", "apt install qemu-utils")),
        ("UEFI firmware", True, lambda: _uefi(host)),
        ("QEMU's user", True, _account),
        ("TPM", False, lambda: _program("swtpm", "apt install swtpm")),
        ("TPM's keys", False, lambda: _program("swtpm_setup", "apt install swtpm-tools")),
        ("legacy adapter's PXE", False, lambda: _file(IPXE)),
        ("mounting disks", False, _mounting),
        ("guest profiles", False, _profiles),
        ("screens in a browser", False, _novnc),
    ]
    findings = [await _finding(name, needed, check) for name, needed, check in checks]
    return [*findings, _acceleration(host), _memory(), _space(host)]


async def _finding(name: str, needed: bool, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(name=name, ok=True, detail=await check(), hint="", needed=needed)
    except KibanError as error:
        return Finding(name=name, ok=False, detail=error.message, hint=error.hint, needed=needed)


async def _qemu(host: Host) -> str:
    found = await host.qemu()
    return f"{found.version} at {found.path}: {', '.join(sorted(found.machines.values()))}"


async def _program(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise HostLacks(f"{name} is not installed.", hint)
    return path


async def _uefi(host: Host) -> str:
    machine_type = (await host.qemu()).newest(GEN2.machine_family)
    build = await asyncio.to_thread(descriptors.find_uefi, machine_type, secure_boot=True)
    return f"{build.code} by {build.descriptor.name}"


async def _account() -> str:
    found = account()
    return f"{found.name}, uid {found.uid}"


async def _file(path: Path) -> str:
    if not path.exists():
        raise HostLacks(f"{path} is missing: generation 1 cannot boot from the network.", "apt install ipxe")
    return str(path)


async def _mounting() -> str:
    table.check_fuse()
    return await _program(rawview.PROGRAM, "apt install qemu-system-x86")


async def _novnc() -> str:
    return f"noVNC at {novnc.find()}"


async def _profiles() -> str:
    known = await asyncio.to_thread(database.database)
    return f"{len(known.rules)} media are recognised"


def _acceleration(host: Host) -> Finding:
    found = host.acceleration
    hint = "" if found.name == "kvm" else "Machines run, but several times slower. Load kvm_intel or kvm_amd for KVM."
    return Finding(
        name="acceleration", ok=found.name == "kvm", detail=f"{found.name}: {found.why}", hint=hint, needed=False
    )


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    detail = f"{format_size(memory.available)} of {format_size(memory.total)} are free"
    return Finding(name="memory", ok=memory.available > 512 * 1024**2, detail=detail, hint="", needed=False)


def _space(host: Host) -> Finding:
    free = free_bytes(host.paths.state)
    hint = "" if free > 5 * 1024**3 else "Make room where the machines are kept."
    detail = f"{format_size(free)} are free in {host.paths.state}"
    return Finding(name="disk space", ok=not hint, detail=detail, hint=hint, needed=False)
