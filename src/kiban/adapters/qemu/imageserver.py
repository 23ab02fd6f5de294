# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU without a machine: it opens an image and serves what is in it over NBD, as confined as with a machine.

Images of any format are read, and written, by this process alone when they are mounted on the host: it is nobody's user
and in QEMU's sandbox, and gets its files open.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiban.adapters.qemu.cmdline import SANDBOX, CommandLine
from kiban.adapters.qemu.monitor import Monitor

NODE = EXPORT = "disk"
CLIENTS = 4  # one is enough; a tool that looks what is there connects besides


def begin(qemu: str, qmp_fd: int) -> CommandLine:
    """A command line to which the files and the node (`serve_node`) are added."""
    line = CommandLine([qemu])
    line.add("-machine", "none")
    for flag in ("-no-user-config", "-nodefaults"):
        line.add(flag)
    line.add("-display", "none")
    line.add("-sandbox", SANDBOX)
    line.add("-msg", "timestamp=on")
    line.add("-chardev", f"socket,id=qmp,fd={qmp_fd},server=on,wait=off")
    line.add("-mon", "chardev=qmp,mode=control")
    return line


def serve_node(line: CommandLine, node: Mapping[str, Any]) -> None:
    """Add what is served."""
    line.add("-blockdev", {"node-name": NODE, **node})


async def export(qmp: Path, listener: socket.socket, *, writable: bool) -> None:
    """Have the QEMU at the monitor `qmp` serve its node at a socket that listens; Failed when it cannot, or ended."""
    monitor = await Monitor.connect(qmp, lambda name, data: None)
    try:
        await monitor.send_file(listener.fileno(), "nbd")
        address = {"type": "fd", "data": {"str": "nbd"}}
        await monitor.run("nbd-server-start", {"addr": address, "max-connections": CLIENTS})
        await monitor.run(
            "block-export-add", {"type": "nbd", "id": "e", "node-name": NODE, "name": EXPORT, "writable": writable}
        )
    finally:
        await monitor.close()
