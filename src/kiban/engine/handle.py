# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine as the service knows it: its definition, its state, and its QEMU while it has one.

Features (life, saving, hotplug, screen …) are modules with functions that take a Handle; it stays this small. `lock`
serialises what changes the machine; the end of QEMU is noticed whether or not anybody holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiban.adapters.qemu.monitor import Monitor
from kiban.adapters.qemu.process import Ended
from kiban.adapters.store import directory as store
from kiban.engine.events import Bus
from kiban.engine.jobs import Jobs
from kiban.errors import Conflict, Damaged
from kiban.model.machine import Machine
from kiban.model.outcome import Boot
from kiban.model.states import ALIVE, State, check
from kiban.paths import Paths

SAVED, PARTIAL = "memory.saved", "memory.partial"
REWIRING = "adapter.changing"
"""There while what an adapter of a running machine leads to is changed."""


class Handle:
    """A machine in its directory."""

    def __init__(self, directory: Path, bus: Bus, paths: Paths) -> None:
        self.directory = directory
        self._machine: Machine | None = None
        self._damage = Damaged("")
        self.read()
        self._bus = bus
        self.runtime = paths.of_machine(directory.name)
        self.disk_key = paths.disk_key
        self.lock = asyncio.Lock()
        self.state: State = "saved" if (directory / SAVED).exists() else "off"
        self.reason = str(store.read_status(directory).get("reason", ""))
        self.accelerator = ""
        self.started = ""  # ISO 8601, UTC, while QEMU runs
        self.warnings: list[str] = []
        self.monitor: Monitor | None = None
        self.process: Ended | None = None
        self.supervision: asyncio.Task[None] | None = None
        self.adoption: asyncio.Task[None] | None = None  # of a QEMU that somebody else started
        self.closers: list[Any] = []  # servers that live as long as this QEMU, each with an async close()
        self.jobs: Jobs | None = None  # where long work is told that begins by itself
        self._deleted: dict[str, asyncio.Event] = {}
        self.last_shutdown = ""  # the reason in QEMU's last SHUTDOWN event
        self.boot = Boot()
        self.resets = 0
        self.stirred = asyncio.Event()  # set by a reset or a key: a machine that waited in its firmware may go on

    def read(self) -> None:
        """Read the definition from the disk."""
        try:
            self._machine = store.load(self.directory)
        except Damaged as error:
            self._machine, self._damage = None, error

    @property
    def problem(self) -> str:
        """Why the definition cannot be read, and what to do about it; "" when it can."""
        return "" if self._machine else f"{self._damage.message} {self._damage.hint}"

    @property
    def id(self) -> str:
        """The machine's id."""
        return self.directory.name

    @property
    def name(self) -> str:
        """The machine's name; its id when the definition cannot be read."""
        return self._machine.name if self._machine else self.id

    @property
    def machine(self) -> Machine:
        """The definition; Damaged when it cannot be read."""
        if self._machine is None:
            raise Damaged(self._damage.message, self._damage.hint, code=self._damage.reason)
        return self._machine

    @property
    def definition(self) -> Machine | None:
        """The definition, or None when it cannot be read."""
        return self._machine

    @property
    def live(self) -> Monitor:
        """The monitor of the running QEMU."""
        if self.monitor is None and self.alive:
            raise Conflict(
                f"QEMU of {self.name} does not answer.",
                f"Wait, or turn it off: kiban stop --force {self.name}",
                code="no-answer",
            )
        if self.monitor is None:
            raise Conflict(f"{self.name} is {self.state}.", f"Start it first: kiban start {self.name}")
        return self.monitor

    @property
    def alive(self) -> bool:
        """Whether a QEMU exists."""
        return self.state in ALIVE

    def check(self, operation: str) -> None:
        """Conflict unless the state allows `operation` (a key of `states.ALLOWED`)."""
        check(operation, self.state, self.name)

    def save(self, machine: Machine) -> None:
        """Make `machine` the definition, on disk first."""
        store.save(self.directory, machine)
        self._machine = machine
        self.tell("changed")

    def enter(self, state: State, **data: Any) -> None:
        """Change the state and tell everybody."""
        if state in ("running", "paused", "stopping") and self.process is None:
            return  # QEMU ended while it was told to; its end has set the state
        if state != self.state:
            self.state = state
            self.tell("state", state=state, **data)

    def keep_reason(self, reason: str) -> None:
        """Keep why the machine stopped."""
        self.reason = reason
        store.write_status(self.directory, {"reason": reason})

    def tell(self, kind: str, **data: Any) -> None:
        """Publish an event about this machine."""
        self._bus.publish(kind, machine_id=self.id, machine=self.name, **data)

    def expect_deleted(self, device_id: str) -> asyncio.Event:
        """An event that is set when the guest has let go of a device."""
        return self._deleted.setdefault(device_id, asyncio.Event())

    def on_event(self, name: str, data: Mapping[str, Any]) -> None:
        """What QEMU says happened."""
        match name:
            case "SHUTDOWN":
                self.last_shutdown = str(data.get("reason", ""))
            case "STOP" if self.state == "running":
                self.enter("paused")
            case "RESUME" if self.state == "paused":
                self.enter("running")
            case "DEVICE_DELETED" if data.get("device") in self._deleted:
                self._deleted.pop(data["device"]).set()
            case "RESET":
                self.resets += 1
                self.stirred.set()
                self.tell("reset", guest=bool(data.get("guest")))
            case "GUEST_PANICKED" | "BLOCK_IO_ERROR" | "WATCHDOG":
                self.tell("trouble", what=name.lower().replace("_", "-"), **data)
