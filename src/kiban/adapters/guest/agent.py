# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the QEMU guest agent, over the Unix socket of the machine's virtio-serial port.

One JSON object a line in each direction; the guest is not trusted, so lines are bounded and every reply is checked.
Source of the protocol: QEMU's docs/interop/qemu-ga.rst and qga/qapi-schema.json.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kiban.errors import Failed, TimedOut

PORT_NAME = "org.qemu.guest_agent.0"
"""The virtio-serial port that guests look for."""

MAX_REPLY = 8 << 20
"""Longest reply taken, in bytes. A guest that sends more is misbehaving, or a command printed more than about 6 MB."""

_DELIMITER = b"\xff"  # never part of UTF-8 text: the agent drops what came before it, and so do we
_PIECE = 48 << 10  # bytes asked for at a time, which the agent allocates before it reads
_RESYNC = 5.0  # seconds until the handshake is sent again: a guest that restarts forgets the one it had


@dataclass(frozen=True)
class Outcome:
    """What a program run in the guest left behind; ended by a signal, `exit` is 128 and the signal's number."""

    exit: int
    stdout: bytes
    stderr: bytes


class Agent:
    """One conversation with a guest agent; made by `Agent.connect`. Not for use from two tasks at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
        self._reader = reader
        self._writer = writer
        self._most = most
        self._heard = 0

    @classmethod
    @asynccontextmanager
    async def connect(cls, path: str | Path, *, timeout: float = 10.0, most: int | None = None) -> AsyncIterator[Agent]:
        """Open the socket and wait up to `timeout` seconds until the agent answers the handshake.

        A guest may still be starting: QEMU keeps what is sent until the agent opens its port.

        Args:
            path: of the socket.
            timeout: seconds.
            most: bytes that the guest may say in the whole conversation; without it, MAX_REPLY in each reply.

        Raises:
            Failed: there is no such socket, or what answers is no guest agent.
            TimedOut: nothing answered; the agent is not running, or somebody else holds the socket.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=min(MAX_REPLY, most or MAX_REPLY))
        except (OSError, ValueError) as error:  # ValueError: a path too long for a socket
            raise Failed(f"The guest agent's socket cannot be opened: {error}.", "Is the machine running?") from error
        agent = cls(reader, writer, most)
        try:
            await agent._synchronise(timeout)
            yield agent
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ping(self, *, timeout: float = 5.0) -> None:
        """Return when the agent answers; raise Failed or TimedOut otherwise."""
        await self.command("guest-ping", timeout=timeout)

    async def command(self, name: str, *, timeout: float = 10.0, **arguments: object) -> object:
        """Run one of the agent's commands and return its result.

        Args:
            name: as in QEMU's schema, such as `guest-info`.
            arguments: the command's own; underscores stand for hyphens.

        Raises:
            Failed: the agent refused, hung up or sent nonsense.
            TimedOut: no answer within `timeout` seconds. A late answer is recognised and dropped.
        """
        tag = secrets.token_hex(8)
        body = {key.replace("_", "-"): value for key, value in arguments.items()}
        try:
            async with asyncio.timeout(timeout):
                await self._send({"execute": name, "arguments": body, "id": tag})
                reply = await self._reply_to(tag)
        except TimeoutError as error:
            raise TimedOut(f"The guest agent did not answer {name} within {timeout:g} s.") from error
        if "error" in reply:
            raise Failed(f"The guest agent refused {name}: {_description(reply['error'])}")
        return reply.get("return")

    async def run(self, argv: Sequence[str], *, timeout: float = 30.0, stdin: bytes = b"") -> Outcome:
        """Run a program in the guest, as the agent's user, and wait for its end.

        Args:
            argv: the program and its arguments; no shell is involved.
            timeout: seconds; the program goes on in the guest when they are over, the agent cannot end it.

        Raises:
            Failed: the guest could not start it, or it printed more than the agent or MAX_REPLY allows.
            TimedOut: it did not end in time.
        """
        path, *rest = argv
        feed = {"input-data": base64.b64encode(stdin).decode()} if stdin else {}
        try:
            async with asyncio.timeout(timeout):
                started = _table(
                    await self.command("guest-exec", timeout=timeout, path=path, arg=rest, capture_output=True, **feed)
                )
                status = await self._until_exited(_number(started, "pid"), timeout)
        except TimeoutError as error:
            raise TimedOut(f"{path} did not end in the guest within {timeout:g} s.") from error
        return _outcome(path, status)

    async def read_file(self, path: str, *, limit: int, timeout: float = 10.0) -> bytes:
        """Read a file of the guest, such as one of Linux's in /sys, whose size nobody knows before.

        Args:
            limit: most bytes taken.
            timeout: seconds for the whole file.

        Raises:
            Failed: there is no such file, the agent may not read it, or it is longer than `limit`.
            TimedOut: it did not come in time.
        """
        handle = await self.command("guest-file-open", timeout=timeout, path=path, mode="r")
        try:
            async with asyncio.timeout(timeout):
                return await self._read_to_end(handle, path, limit)
        except TimeoutError as error:
            raise TimedOut(f"{path} did not come from the guest within {timeout:g} s.") from error
        finally:
            with contextlib.suppress(Failed, TimedOut):  # the guest's own descriptor; what was read counts
                await self.command("guest-file-close", timeout=timeout, handle=handle)

    async def _read_to_end(self, handle: object, path: str, limit: int) -> bytes:
        data = b""
        while len(data) <= limit:
            piece = _table(await self.command("guest-file-read", handle=handle, count=_PIECE))
            read = _bytes(piece.get("buf-b64", ""))
            data += read
            if (piece.get("eof") is True or not read) and len(data) <= limit:
                return data
        raise Failed(f"{path} is longer than {limit} bytes in the guest.")

    async def shutdown(self, *, mode: str = "powerdown", timeout: float = 2.0) -> None:
        """Ask the guest to power down, or to `reboot` or `halt`.

        The agent answers only when it refuses; silence for `timeout` seconds, or the end of the connection, is consent.
        The machine's own exit is the proof.
        """
        try:
            await self.command("guest-shutdown", timeout=timeout, mode=mode)
        except (TimedOut, _HungUp):
            return

    async def _until_exited(self, pid: int, timeout: float) -> dict[str, object]:
        pause = 0.02
        while True:
            status = _table(await self.command("guest-exec-status", timeout=timeout, pid=pid))
            if status.get("exited") is True:
                return status
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    async def _synchronise(self, timeout: float) -> None:
        """Do the guest-sync-delimited handshake, again every few seconds, accepting the answer to any of them.

        The agent answers the mark itself with an error when it comes at a good moment. So when more than one
        handshake is under way, one more and only its own answer end the matter: all else has been said before it.
        """
        asked: set[int] = set()
        try:
            async with asyncio.timeout(timeout):
                asked.add(await self._ask_sync())
                while not await self._answered(asked):
                    asked.add(await self._ask_sync())
                if len(asked) > 1:
                    last = {await self._ask_sync()}
                    while not await self._answered(last):
                        pass
        except TimeoutError as error:
            hint = "Is qemu-guest-agent running in the guest, and nobody else connected to its socket?"
            raise TimedOut(f"The guest agent did not answer within {timeout:g} s.", hint) from error

    async def _ask_sync(self) -> int:
        tag = secrets.randbelow(1 << 31)
        await self._send({"execute": "guest-sync-delimited", "arguments": {"id": tag}}, lead=_DELIMITER)
        return tag

    async def _answered(self, asked: set[int]) -> bool:
        """Return whether one of the handshakes was answered within a few seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RESYNC):
                while True:
                    _, mark, text = (await self._line()).rpartition(_DELIMITER)
                    # Leftovers of an earlier client come without the mark, or with a number that is not ours.
                    if mark and _parse(text).get("return") in asked:
                        return True
        return False

    async def _reply_to(self, tag: str) -> dict[str, object]:
        """Return the reply that carries `tag`; skip late answers to handshakes and to commands that timed out."""
        while True:
            line = await self._line()
            if _DELIMITER in line:
                continue
            reply = _parse(line)
            if reply.get("id", tag) == tag and ("return" in reply or "error" in reply):  # old agents echo no id
                return reply

    async def _send(self, message: dict[str, object], *, lead: bytes = b"") -> None:
        try:
            self._writer.write(lead + json.dumps(message).encode() + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise _HungUp("The connection to the guest agent broke.") from error

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise Failed(f"The guest agent sent a line of more than {self._most or MAX_REPLY} bytes.") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _HungUp("The guest agent's side hung up.", "Is the machine still running?") from error
        self._heard += len(line)
        if self._most is not None and self._heard > self._most:
            raise Failed(f"The guest agent sent more than {self._most} bytes.")
        return line


class _HungUp(Failed):
    """The connection ended; for shutdown that is what was wanted."""


def _parse(line: bytes) -> dict[str, object]:
    try:
        return _table(json.loads(line))
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested by somebody with bad intent
        raise Failed("The guest agent sent something that is not JSON.") from error


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Failed("The guest agent sent a reply of an unexpected form.")
    return value


def _number(table: dict[str, object], key: str) -> int:
    value = table.get(key)
    if type(value) is not int:
        raise Failed(f"The guest agent's reply has no number '{key}'.")
    return value


def _description(error: object) -> str:
    text = error.get("desc") if isinstance(error, dict) else None
    return str(text or "no reason given")[:500]


def _outcome(path: str, status: dict[str, object]) -> Outcome:
    if status.get("out-truncated") or status.get("err-truncated"):
        raise Failed(f"{path} printed more in the guest than the agent keeps.")
    code = 128 + _number(status, "signal") if "signal" in status else _number(status, "exitcode")
    return Outcome(code, _bytes(status.get("out-data", "")), _bytes(status.get("err-data", "")))


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise Failed("The guest agent sent output that is not base64.") from error
