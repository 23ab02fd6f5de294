# SPDX-License-Identifier: GPL-2.0-or-later
"""The folders that machines boot from over the network.

TFTP is served by QEMU itself; PXE over IPv6 needs a DHCPv6 server beside it. HTTP is served by the service on loopback,
which the guest reaches as 10.0.2.2, under a secret that is part of the address and known only to the machine's NVRAM:
whoever knows it may read the folder.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from pathlib import Path

from kiban.adapters.net.dhcp6 import Dhcp6
from kiban.adapters.net.httpboot import HttpBoot
from kiban.adapters.qemu.process import Account
from kiban.engine import netdev
from kiban.engine.handle import Handle
from kiban.errors import KibanError, NotAllowed
from kiban.model.machine import Machine, NetBoot, Nic

log = logging.getLogger(__name__)


def uri(nic: Nic) -> str:
    """The address that the firmware asks for by an adapter; empty for one that does not boot over HTTP."""
    return _server(nic.boot).url(nic.boot.file) if nic.boot and nic.boot.protocol == "http" else ""


def _server(boot: NetBoot) -> HttpBoot:
    return HttpBoot(Path(boot.folder), secret=boot.secret, port=boot.port)


def choose_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_readable(machine: Machine, owner: Account) -> None:
    """NotAllowed when QEMU, which serves TFTP itself, could not read the folder as the user it runs as."""
    if owner.uid == os.geteuid():
        return
    for nic in machine.nics:
        if nic.boot and nic.boot.protocol == "tftp":
            file = Path(nic.boot.folder) / nic.boot.file
            # asked of the kernel, as that user: groups, ACLs and every folder on the way count
            asked = ["test", "-r", str(file)]
            if subprocess.run(asked, check=False, user=owner.uid, group=owner.gid, extra_groups=[]).returncode:
                raise NotAllowed(
                    f"QEMU runs as {owner.name}, who may not read {file}.",
                    f"Let others read it and pass through the folders above it: chmod -R o+rX {nic.boot.folder}",
                )


async def serve(handle: Handle) -> None:
    """Serve what a machine boots from over the network, for as long as its QEMU, which runs already.

    A port that somebody else took meanwhile must not keep a machine from running that may not even want it.
    """
    for server in _servers(handle):
        try:
            await server.start()
        except KibanError as error:
            handle.warnings.append(f"It cannot boot from the network: {error.message}")
            log.warning("%s: %s", handle.name, error)
        else:
            handle.closers.append(server)


def _servers(handle: Handle) -> list[HttpBoot | Dhcp6]:
    machine = handle.machine
    found: list[HttpBoot | Dhcp6] = [
        _server(nic.boot) for nic in machine.nics if nic.boot and nic.boot.protocol == "http"
    ]
    for nic in machine.nics:
        if boot := netdev.boots_over_ipv6(machine, nic):
            found.append(Dhcp6(netdev.dhcp6_socket(nic, handle.runtime), boot.file))
    return found
