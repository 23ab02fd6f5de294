# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests with real guests stand on: a service of their own as a process, and machines seen from inside.

The service is the real one (`kiban serve`), machines are made and driven by the SDK or the command line alone, and what
a guest sees is asked of its agent.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import kiban
from kiban.adapters.guest.agent import Agent, Outcome
from kiban.client import Client, Machine
from kiban.client.records import BootEntry
from kiban.demo import hardware

WAIT = 300.0  # seconds; a limit, not an expectation
MIB = 1024**2
KIBAN = (sys.executable, "-c", "import sys; from kiban.cli.main import main; sys.exit(main())")
SHOTS = os.environ.get("KIBAN_SHOTS", "")  # folder for pictures of the guests' screens, for people to look at
EFI_VARIABLES = "/sys/firmware/efi/efivars/{}-8be4df61-93ca-11d2-aa0d-00e098032b8c"

T = TypeVar("T")


def until(look: Callable[[], T], what: str, *, wait: float = WAIT) -> T:
    """The first thing that counts as true which `look` returns."""
    end = time.monotonic() + wait
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen within {wait:.0f} s; last seen: {found!r}"
        time.sleep(0.2)


class Service:
    """`kiban serve` on directories of its own; it can be killed and started again. `options` are its command's."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        self._options = options
        self.environment = os.environ | {"KIBAN_STATE": str(root / "s"), "KIBAN_RUNTIME": str(root / "r")}
        self.client: Client = kiban.connect(f"unix://{root}/r/service.sock")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.root / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*KIBAN, "serve", "-o", "json", *self._options],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if line == "}\n":
                break
        assert said, self.log()
        assert json.loads(said)["socket"] == f"{self.root}/r/service.sock"

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as systemd would."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(WAIT)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def log(self) -> str:
        """What the service said."""
        return (self.root / "service.log").read_text(errors="replace")

    def kiban(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the command line against this service, and check how it ends."""
        done = subprocess.run(
            [*KIBAN, *arguments], env=self.environment, capture_output=True, text=True, timeout=WAIT, check=False
        )
        assert done.returncode == code, done.stderr
        return done


class Guest:
    """A machine, its guest and what is needed to look at both."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name

    @property
    def view(self) -> Machine:
        """The machine as the service sees it now."""
        return self.client.machine(self.name)

    def pid(self) -> int:
        """The machine's QEMU."""
        pid = self.view.pid
        assert pid is not None, self.view.reason
        return pid

    def up(self) -> None:
        """See that the guest is up and has found all its devices."""
        if self.view.state == "off":
            self.client.start(self.name)
        self.ready()

    def ready(self) -> None:
        """Wait for the guest's own word that it has looked for all its devices."""
        self.sh("while [ ! -e /run/probe-ready ]; do sleep 0.2; done")

    def off(self) -> None:
        """See that the machine is off, whatever its guest does."""
        if self.view.state in ("starting", "running", "paused", "stopping"):
            self.client.stop(self.name, force=True)

    def reset(self) -> None:
        """Press the reset button, and wait until it has had its effect: nothing is asked of the guest of before."""
        with self.client.events(self.name) as events:
            self.client.reset(self.name)
            next(event for event in events if event.kind == "reset")

    def run(self, argv: Sequence[str], *, timeout: float = WAIT) -> Outcome:
        """Run a program inside; waits for the agent first."""

        async def talk() -> Outcome:
            async with Agent.connect(Path(self.view.runtime) / "agent.sock", timeout=timeout) as agent:
                return await agent.run(argv, timeout=timeout)

        return asyncio.run(talk())

    def sh(self, script: str) -> str:
        """What a shell script prints inside; it must not fail."""
        outcome = self.run(["/bin/sh", "-ec", script])
        assert outcome.exit == 0, (script, outcome)
        return outcome.stdout.decode(errors="replace").strip()

    def hardware(self) -> hardware.Hardware:
        """What the guest sees of its machine."""

        async def look() -> hardware.Hardware:
            async with Agent.connect(Path(self.view.runtime) / "agent.sock", timeout=WAIT) as agent:
                return await hardware.look(agent, timeout=WAIT)

        return asyncio.run(look())

    def boot_id(self) -> str:
        """Different after every boot."""
        return self.sh("cat /proc/sys/kernel/random/boot_id")

    def efi_variable(self, name: str) -> bytes:
        """An EFI variable's value, without the four bytes of attributes that Linux puts before it."""
        return bytes.fromhex(self.sh(f"od -A n -t x1 -v {EFI_VARIABLES.format(name)}"))[4:]

    def booted(self) -> BootEntry:
        """The boot entry that the firmware says it took (BootCurrent: UEFI 2.10, 3.3)."""
        number = int.from_bytes(self.efi_variable("BootCurrent"), "little")
        return next(entry for entry in self.view.boot_entries if entry.name == f"Boot{number:04X}")

    def picture(self, name: str) -> bytes:
        """The guest's screen, kept for people under `name`."""
        png = self.client.screenshot(self.name)
        if SHOTS:
            (Path(SHOTS) / f"{name}.png").write_bytes(png)
        return png


@contextmanager
def serving(root: Path, *options: str) -> Iterator[Service]:
    """A service that runs meanwhile; whatever a failed test left running is turned off at the end."""
    service = Service(root, *options)
    service.start()
    yield service
    if service.process is None:
        service.start()
    for machine in service.client.machines():
        Guest(service.client, machine.name).off()
    service.stop()


MakeGuest = Callable[..., Guest]
"""The fixture `make`: a name, a generation, and the settings of a MachineRequest."""


def qemus(machine_id: str) -> list[int]:
    """The processes that run a machine, by their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it ended while we looked
                continue
            if b"-uuid" in arguments and machine_id.encode() in arguments:
                found.append(int(entry.name))
    return found
