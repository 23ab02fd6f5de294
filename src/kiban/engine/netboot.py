# SPDX-License-Identifier: GPL-2.0-or-later
"""The folders that machines boot from over the network.

TFTP is served by QEMU itself. HTTP is served by the service on loopback, which the guest reaches as 10.0.2.2, under a
secret that is part of the address and known only to the machine's NVRAM: whoever knows it may read the folder.
"""

from __future__ import annotations

import logging
import socket
from pathlib import Path

from kiban.adapters.net.httpboot import HttpBoot
from kiban.engine.handle import Handle
from kiban.errors import Conflict
from kiban.model.machine import Machine, NetBoot

log = logging.getLogger(__name__)


def uri(machine: Machine) -> str:
    """The address that the firmware asks for; empty for a machine that does not boot over HTTP."""
    for boot in _over_http(machine):
        return HttpBoot(Path(boot.folder), secret=boot.secret, port=boot.port).url(boot.file)
    return ""


def _over_http(machine: Machine) -> list[NetBoot]:
    return [nic.boot for nic in machine.nics if nic.boot and nic.boot.protocol == "http"]


def choose_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def serve(handle: Handle) -> None:
    """Serve the HTTP folders of a machine for as long as its QEMU runs.

    A port that somebody else took meanwhile must not keep a machine from starting that may not even want it.
    """
    for boot in _over_http(handle.machine):
        server = HttpBoot(Path(boot.folder), secret=boot.secret, port=boot.port)
        try:
            await server.start()
        except Conflict as error:
            handle.warnings.append(f"It cannot boot over HTTP: {error.message}")
            log.warning("%s: %s", handle.name, error)
        else:
            handle.closers.append(server)
