# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's screen, live: each viewer gets a connection of his own to QEMU's VNC server, which listens nowhere.

One end of a pair of sockets is handed to QEMU over its monitor (`add_client`), so there is no port and no password, and
who may look is decided before. What a viewer says is read before QEMU gets it: see `kiban.adapters.qemu.rfb`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket

from kiban.adapters.qemu.rfb import Reader
from kiban.engine import heldkeys
from kiban.engine.handle import Handle
from kiban.errors import Conflict, Failed
from kiban.model.generations import GENERATIONS

CHUNK = 65536
MOST = 16
"""Viewers of one machine at a time; QEMU draws for each."""
FOR_HANDS = 4
"""Of these, which nobody takes who may only look: he keeps nobody out who has to do something."""
HANDS = ("key", "pointer")
"""What only those may send who may use the machine."""
_serial = itertools.count()


class Viewer:
    """One viewer's connection. Without `hands`, keyboard and mouse do nothing."""

    def __init__(self, handle: Handle, line: socket.socket, *, hands: bool) -> None:
        self.hands = hands
        self._handle = handle
        self._line = line
        self._reader = Reader()
        self._usb = GENERATIONS[handle.machine.generation].keyboard_and_mouse == "usb"

    async def read(self) -> bytes:
        """What QEMU draws next; nothing once it has hung up."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._line, CHUNK)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        """Pass on what the viewer says, as far as he may; BadInput for what is not RFB.

        The clipboard stays here: QEMU would hand it to all other viewers.
        """
        passed = bytearray()
        for message in self._reader.feed(data):
            if message.kind == "clipboard" or (message.kind in HANDS and not self.hands):
                continue
            if message.kind == "key":
                self._handle.stirred.set()
            passed += heldkeys.pressed(message.data) if message.kind == "key" and self._usb else message.data
        with contextlib.suppress(ConnectionError):  # the reading side tells that QEMU has hung up
            await asyncio.get_running_loop().sock_sendall(self._line, passed)

    def close(self) -> None:
        """Hang up."""
        self._line.close()


async def connect(handle: Handle, *, hands: bool) -> Viewer:
    """Look at a running machine's screen, and use its keyboard and mouse with `hands`.

    Raises Conflict when it does not run, when it was started without a VNC server, or when MOST look already.
    """
    handle.check("look at")
    servers = await handle.live.run("query-vnc-servers")
    if not servers:
        raise Conflict(
            f"{handle.name} was started by an older Kiban, so its screen can only be seen in pictures.",
            f"Start it anew when it suits: kiban restart {handle.name}",
            code="no-console",
        )
    there = len(servers[0]["clients"])
    if there >= MOST - (0 if hands else FOR_HANDS):
        raise Conflict(f"{there} look at {handle.name} already.", "Close the console somewhere else.", code="too-many")
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            await _hand_over(handle, theirs)
    except BaseException:
        ours.close()
        raise
    return Viewer(handle, ours, hands=hands)


async def _hand_over(handle: Handle, end: socket.socket) -> None:
    name = f"viewer{next(_serial)}"
    await handle.live.send_file(end.fileno(), name)
    try:
        await handle.live.run("add_client", {"protocol": "vnc", "fdname": name, "skipauth": True})
    except Failed:
        with contextlib.suppress(Failed):
            await handle.live.run("closefd", {"fdname": name})
        raise
