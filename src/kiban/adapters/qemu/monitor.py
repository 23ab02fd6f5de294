# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor: the handful of QMP commands that Kiban uses, as methods with types.

Source: QEMU's QMP reference manual. The protocol itself is qemu.qmp's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from qemu.qmp import QMPClient, QMPError, Runstate
from qemu.qmp.qmp_client import ExecInterruptedError, ExecuteError

from kiban.errors import Failed, TimedOut

Listener = Callable[[str, Mapping[str, Any]], None]
CONNECT_SECONDS = 60.0
ANSWER_SECONDS = 60.0
DRAIN_SECONDS = 5.0
# it logs each QEMU that ends, with tracebacks; what is worth knowing of that comes as an exception and is told by Kiban
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


class Monitor:
    """A connection to one QEMU."""

    def __init__(self, client: QMPClient) -> None:
        self._client = client
        self._events: asyncio.Task[None] | None = None
        self._handing = asyncio.Lock()  # QEMU keeps one descriptor only until a command fetches it

    @classmethod
    async def connect(cls, path: Path, listener: Listener, limit: float | None = CONNECT_SECONDS) -> Monitor:
        """Connect to the socket at `path`; `listener` gets every event (name, data).

        QEMU answers once it has set itself up, so this is also the wait for its start. Raises Failed when it ends
        instead, TimedOut when it does neither within `limit` seconds (None: however long it takes).
        """
        client = QMPClient(path.name)
        try:
            async with asyncio.timeout(limit):
                await client.connect(str(path))
        except TimeoutError:
            raise TimedOut(f"QEMU did not answer within {limit:.0f} s.") from None
        except (QMPError, OSError) as error:
            raise Failed(f"QEMU does not answer: {error}.") from error
        monitor = cls(client)
        monitor._events = asyncio.create_task(monitor._listen(listener))
        return monitor

    async def _listen(self, listener: Listener) -> None:
        async for message in self._client.events:
            listener(str(message["event"]), cast("Mapping[str, Any]", message.get("data") or {}))

    async def drained(self) -> None:
        """After the end of QEMU: wait until everything it said has reached the listener."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._client.runstate is Runstate.RUNNING:
                    await self._client.runstate_changed()
                while not self._client.events.empty():
                    await asyncio.sleep(0)

    async def close(self) -> None:
        """Disconnect; QEMU goes on."""
        if self._events:
            self._events.cancel()
        with contextlib.suppress(QMPError, OSError, EOFError):
            await self._client.disconnect()

    async def run(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Execute a command; Failed with QEMU's own words, TimedOut when a stuck QEMU does not answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._client.execute(command, arguments)
        except TimeoutError:
            raise TimedOut(f"QEMU did not answer {command} within {ANSWER_SECONDS:.0f} s.") from None
        except ExecuteError as error:
            raise Failed(f"QEMU refused {command}: {error}.") from error
        except (ExecInterruptedError, QMPError, OSError) as error:
            raise Failed(f"QEMU ended during {command}.") from error

    async def human(self, command: str) -> str:
        """What QEMU says to a line of its human monitor, for the few commands that QMP does not have."""
        return str(await self.run("human-monitor-command", {"command-line": command})).strip()

    async def status(self) -> str:
        """QEMU's run state: running, paused, inmigrate, postmigrate, …"""
        return str((await self.run("query-status"))["status"])

    async def accelerator(self) -> str:
        """`kvm` or `tcg`, of this very QEMU."""
        return "kvm" if (await self.run("query-kvm"))["enabled"] else "tcg"

    async def send_file(self, descriptor: int, name: str) -> None:
        """Give QEMU a descriptor under `name`, for commands that take `fd:name`."""
        async with self._handing:
            self._hand_over(descriptor)
            await self.run("getfd", {"fdname": name})

    async def add_file(self, descriptor: int, beside: int | None = None, word: str = "") -> str:
        """Give QEMU an open file, as a path that its block layer can open.

        Args:
            descriptor: the file.
            beside: the number of such a path, where the same file is opened for something else already.
            word: by which it is known to `remove_file`.
        """
        async with self._handing:
            self._hand_over(descriptor)
            place = {} if beside is None else {"fdset-id": beside}
            answer = await self.run("add-fd", {**place, "opaque": word})
            return f"/dev/fdset/{answer['fdset-id']}"

    async def remove_file(self, word: str) -> None:
        """Have QEMU close what was added under that word; what it uses still is closed when it does not any more."""
        for found in await self.run("query-fdsets"):
            for each in found["fds"]:
                if each.get("opaque") == word:
                    await self.run("remove-fd", {"fdset-id": found["fdset-id"], "fd": each["fd"]})

    def _hand_over(self, descriptor: int) -> None:
        try:
            self._client.send_fd_scm(descriptor)
        except (QMPError, OSError) as error:
            raise Failed("QEMU ended before it was given a file.", "See why: kiban ls") from error
