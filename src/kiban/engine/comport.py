# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's COM port for several at a time.

QEMU takes one client at a port's socket; whoever connects next waits in its backlog and hears nothing. So the service
connects once, while anybody here is attached, be it from a browser or by `kiban console`, and lets go with the last of
them: then the port is free again for other programs. Who finds it taken is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import termios
from pathlib import Path
from weakref import WeakKeyDictionary

from kiban.engine import chardev
from kiban.engine.handle import Handle
from kiban.engine.questions import Questions
from kiban.errors import Conflict, Failed, NotFound
from kiban.model.machine import Com

CHUNK = 16384
KEPT = 64 * 1024
"""Bytes of what was said last, for who attaches now and for who is slow; what is older is left out."""
STEP = 4096
"""Bytes that one who types is allowed before others have their turn."""
LET_GO_SECONDS = 1.0
"""For which QEMU may take to notice that somebody has left."""
TAKE_SECONDS = 5.0
"""For which the guest may take what was typed last by somebody who has left."""
_lines: WeakKeyDictionary[Handle, dict[int, Line]] = WeakKeyDictionary()


class Port:
    """One who is attached."""

    def __init__(self, line: Line, said: bytes) -> None:
        self._line = line
        self._said = bytearray(said)
        self._over = False
        self._news = asyncio.Event()
        if said:
            self._news.set()

    async def read(self) -> bytes:
        """What the guest says next; nothing once the port is closed."""
        await self._news.wait()
        data = bytes(self._said[:CHUNK])
        del self._said[:CHUNK]
        if not self._said and not self._over:
            self._news.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Type, as fast as the guest takes it."""
        await self._line.write(data)

    def type(self, data: bytes) -> None:
        """Type at once, unless it answers what another has answered; Conflict when the guest takes nothing."""
        self._line.type(data)

    def close(self) -> None:
        """Leave."""
        self._line.leave(self)

    def hear(self, data: bytes) -> None:
        """Keep what the guest said; b"" is the end."""
        self._said += data
        del self._said[:-KEPT]
        self._over = self._over or not data
        self._news.set()


class Line:
    """A port's connection to QEMU, there while somebody is attached."""

    def __init__(self, handle: Handle, number: int) -> None:
        self._handle, self._number = handle, number
        self._opening = asyncio.Lock()
        self._ports: set[Port] = set()
        self._said = b""
        self._questions = Questions()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def join(self) -> Port:
        """One more who is attached; he hears what was said last."""
        async with self._opening:
            if self._writer is None:
                await self._open()
            port = Port(self, self._said)
            self._ports.add(port)
            return port

    async def _open(self) -> None:
        path = _path(self._handle, _com(self._handle, self._number))
        await self._check_free()
        try:
            reader, self._writer = await asyncio.open_unix_connection(str(path))
        except OSError as error:
            raise Failed(f"COM{self._number} of {self._handle.name} does not answer: {error.strerror}.") from error
        self._writer.transport.set_write_buffer_limits(high=CHUNK - 2 * STEP)
        self._said = b""
        self._reading = asyncio.create_task(self._read(reader, self._writer))

    async def _check_free(self) -> None:
        """Conflict while QEMU says that somebody else is connected."""
        end = asyncio.get_running_loop().time() + LET_GO_SECONDS
        while await self._taken():
            if asyncio.get_running_loop().time() > end:
                raise Conflict(
                    f"Another program is attached to COM{self._number} of {self._handle.name}.",
                    "End it there: it is connected to QEMU's own socket.",
                    code="port-busy",
                )
            await asyncio.sleep(LET_GO_SECONDS / 10)

    async def _taken(self) -> bool:
        own = await chardev.find(self._handle, f"com{self._number}c")
        return own is not None and chardev.is_taken(own)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                self._said = (self._said + data)[-KEPT:]
                self._questions.hear(data)
                for port in [*self._ports]:
                    port.hear(data)
        if self._writer is writer:
            self._hang_up()
            for port in [*self._ports]:
                port.hear(b"")
            self._ports.clear()

    async def write(self, data: bytes) -> None:
        """Pass on what somebody types, a step whenever there is room."""
        self._questions.take(data)  # also as the answer that it may be: programs say what they like
        writer = self._writer
        for start in range(0, len(data), STEP):
            if writer is None or writer is not self._writer:
                return  # it has ended, which is told to who reads
            writer.write(data[start : start + STEP])
            with contextlib.suppress(ConnectionError):  # likewise
                await writer.drain()

    def type(self, data: bytes) -> None:
        """Pass on what somebody types; Conflict when the guest takes nothing."""
        if self._writer is None or not self._questions.take(data):
            return  # it has just ended, which is told to who reads; or somebody else has answered
        if self._writer.transport.get_write_buffer_size() > CHUNK:
            raise Conflict(f"The guest of {self._handle.name} does not read its COM{self._number}.", "Wait.")
        self._writer.write(data)

    def leave(self, port: Port) -> None:
        """Let somebody go, and with the last one the port."""
        self._ports.discard(port)
        if self._ports or self._writer is None:
            return
        if _on_the_way(self._writer):
            self._leaving = asyncio.create_task(self._let_go(self._writer))
        else:
            self._hang_up()

    async def _let_go(self, writer: asyncio.StreamWriter) -> None:
        """Hang up, unless somebody comes, once QEMU has taken what was typed: it throws the rest away."""
        end = asyncio.get_running_loop().time() + TAKE_SECONDS
        while (
            self._writer is writer
            and not self._ports
            and _on_the_way(writer)
            and asyncio.get_running_loop().time() < end
        ):
            await asyncio.sleep(0.05)
        if not self._ports and self._writer is writer:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()  # what the guest has not taken would keep the port from the next one
        self._writer = None


def _on_the_way(writer: asyncio.StreamWriter) -> bool:
    """Whether QEMU has not taken all yet; the kernel tells of a socket what it does of a terminal (linux/sockios.h)."""
    if writer.is_closing():
        return False
    if writer.transport.get_write_buffer_size():
        return True
    left = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return any(left)


async def attach(handle: Handle, number: int) -> Port:
    """Attach to COM1 or COM2 of a machine that runs.

    Raises:
        NotFound: the machine has no such port.
        Conflict: it leads into a file, another program is attached, or the machine does not run.
    """
    _com(handle, number)
    handle.check("look at")
    line = _lines.setdefault(handle, {}).setdefault(number, Line(handle, number))
    return await line.join()


def _com(handle: Handle, number: int) -> Com:
    com = next((com for com in handle.machine.coms if com.number == number and com.kind != "none"), None)
    if com is None:
        raise NotFound(f"{handle.name} has no COM{number}.", f"kiban set {handle.name} --com{number} socket")
    if com.kind == "file":
        raise Conflict(f"COM{number} of {handle.name} goes into a file.", f"tail -f {com.path}")
    return com


def _path(handle: Handle, com: Com) -> Path:
    return Path(com.path) if com.path else handle.runtime / f"com{com.number}.sock"
