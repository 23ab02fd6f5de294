# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting a machine's QEMU: lock, sockets, helpers, process, monitor, in that order.

Killing the service between any two steps leaves either no QEMU or one that holds the machine's lock and listens at the
known socket, which is all that adoption needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil

from kiban.adapters import unixsocket
from kiban.adapters.qemu import cmdline, process
from kiban.engine import cables, diskuse, lazily, netboot, netdev, supervision, tpm
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import Conflict, HostLacks
from kiban.model.generations import generation
from kiban.model.machine import Machine
from kiban.model.units import format_size


async def launch(host: Host, handle: Handle, *, incoming: bool) -> None:
    """Start the QEMU of a machine that is off and take it on.

    Args:
        host: where.
        handle: which.
        incoming: let it wait for a saved memory instead of booting.
    """
    machine = handle.machine
    owner = host.account()
    check_memory(machine)
    check_firmware(machine)
    for nic in machine.nics:
        netdev.check_ports(nic)
    netboot.check_readable(machine, owner)
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(process.locked(handle.directory / "lock"))
        except Conflict:
            raise Conflict(
                f"{machine.name} is running already, started by somebody else.",
                "A service with the same state directory started it: kiban ls",
                code="is-running",
            ) from None
        parents = await diskuse.open_parents(stack, host, handle)
        _make_runtime(handle.runtime, owner)
        swtpm: subprocess.Popen[bytes] | None = None
        try:
            sockets = _listen(stack, handle, owner)
            tpm_socket: Path | str = ""
            if machine.tpm:
                tpm_socket, swtpm = tpm.start(handle, owner)
            sources = await lazily.serve(handle, owner)
            machine = handle.machine  # which may say by now that a disk is whole
            runtime = _runtime(handle, sockets, parents, tpm_socket=str(tpm_socket), incoming=incoming)
            runtime = replace(runtime, sources=sources)
            offered = host.qemu_host()
            line = cmdline.build(machine, generation(machine.generation), offered, runtime)
            inherit = [lock, *(s.fileno() for s in sockets.values())]
            child = process.spawn(line, inherit=inherit, log=handle.directory / "qemu.log", owner=owner)
            await supervision.take_on(handle, child)
            for nic in machine.nics:
                await cables.pull(handle, nic)
            await netboot.serve(handle)
            lazily.begin(handle, owner)
            if not offered.legacy_pxe_rom and any(nic.kind == "legacy" for nic in machine.nics):
                handle.warnings.append("It cannot boot from the network: iPXE is not installed (apt install ipxe).")
        except BaseException:
            if swtpm:
                swtpm.terminate()
                swtpm.wait()
            await supervision.clear(handle)
            raise
    handle.accelerator = host.acceleration.name
    handle.warnings += host.slowness()


def _runtime(
    handle: Handle, sockets: dict[str, socket.socket], parents: diskuse.Parents, *, tpm_socket: str, incoming: bool
) -> cmdline.Runtime:
    machine = handle.machine
    return cmdline.Runtime(
        directory=handle.directory,
        qmp_fd=sockets["qmp"].fileno(),
        agent_fd=sockets["agent"].fileno(),
        com_fds={n: sockets[f"com{n}"].fileno() for n in (1, 2) if f"com{n}" in sockets},
        tpm_socket=tpm_socket,
        netdevs=[props for nic in machine.nics for props in netdev.of(machine, nic, handle.runtime)],
        incoming=incoming,
        parents=parents,
    )


def check_firmware(machine: Machine) -> None:
    """HostLacks when the firmware that the machine was built on is gone."""
    code = machine.board.firmware_code
    if code and not Path(code).exists():
        raise HostLacks(
            f"The firmware of {machine.name}, {code}, is gone.",
            "Install it again: apt install ovmf",
            code="no-firmware",
        )


def check_memory(machine: Machine) -> None:
    """HostLacks when the host has not enough free memory for the machine."""
    free = psutil.virtual_memory().available + psutil.swap_memory().free
    if machine.memory > free:
        raise HostLacks(
            f"{machine.name} wants {format_size(machine.memory)} of memory and {format_size(free)} are free.",
            f"Stop another machine, or give it less: kiban set {machine.name} --memory 512M",
            code="no-memory",
        )


def _make_runtime(directory: Path, owner: process.Account) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    if owner.uid != os.geteuid():
        os.chown(directory, owner.uid, owner.gid)


def _listen(stack: contextlib.ExitStack, handle: Handle, owner: process.Account) -> dict[str, socket.socket]:
    places = {"qmp": handle.runtime / "qmp.sock", "agent": handle.runtime / "agent.sock"}
    for com in handle.machine.coms:
        if com.kind == "socket":
            places[f"com{com.number}"] = Path(com.path) if com.path else handle.runtime / f"com{com.number}.sock"
    return {name: stack.enter_context(unixsocket.listen(place, owner.uid, owner.gid)) for name, place in places.items()}


async def wait_gone(handle: Handle, timeout: float) -> bool:
    """Whether the machine's QEMU ended within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            await supervision.until_off(handle)
    except TimeoutError:
        return False
    return True
