# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd is told by the service that it has started, and what it keeps for the next one.

Sources: sd_notify(3), sd_pid_notify_with_fds(3), sd_listen_fds(3). Packages for it lack the descriptors, or want a
compiler.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Iterable

FIRST = 3
"""The first descriptor that is handed on."""


def notify(state: str, sockets: Iterable[socket.socket] = ()) -> None:
    """Say something to systemd, and hand it sockets, where it has started this service."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    rights = array.array("i", [one.fileno() for one in sockets])
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.sendmsg([state.encode()], ancillary, 0, "\0" + address[1:] if address[0] == "@" else address)


def keep(name: str, sockets: Iterable[socket.socket]) -> None:
    """Have sockets kept under a name while the service restarts, so that nobody else gets their ports."""
    notify(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", sockets)


def drop(name: str) -> None:
    """Have no sockets kept under that name any more."""
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}")


def kept(name: str) -> list[socket.socket]:
    """The sockets that were kept under a name, once; no process that is started from here gets them."""
    pid, count, names = (os.environ.pop(f"LISTEN_{what}", "") for what in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for descriptor, called in zip(range(FIRST, FIRST + int(count)), names.split(":"), strict=False):
        os.set_inheritable(descriptor, False)
        if called == name:
            found.append(socket.socket(fileno=descriptor))
    return found
