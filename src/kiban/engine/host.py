# SPDX-License-Identifier: GPL-2.0-or-later
"""The host: what it offers, all its machines, and the beginning and end of the service's life with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from kiban.adapters.disk import library, seal
from kiban.adapters.files import replace_file, sweep_replaced
from kiban.adapters.qemu import probe, process
from kiban.adapters.qemu.cmdline import Host as QemuHost
from kiban.adapters.store import directory as store
from kiban.engine import adoption, diskforeign, mounts, supervision, unfinished
from kiban.engine.diskuse import Claims
from kiban.engine.events import Bus
from kiban.engine.handle import Handle
from kiban.engine.history import History
from kiban.engine.jobs import Jobs
from kiban.engine.shots import Shots
from kiban.engine.usage import Meters
from kiban.errors import Conflict, HostLacks, KibanError, NotFound
from kiban.paths import Paths

IPXE = Path("/usr/lib/ipxe/ipxe.lkrn")
LEGACY_PXE_ROM = Path(str(files("kiban.adapters.net"))) / "rom" / "legacy_pxe.rom"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one each time that the host boots; see random(4)."""
LOG_SECONDS = 5.0
"""Seconds between looks at the logs of the QEMUs that run."""
log = logging.getLogger(__name__)


class Host:
    """Everything on this host that belongs to one state directory. Make it with `await Host.open(paths)`."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.events = Bus()
        self.acceleration = probe.acceleration()
        self._said_slow = False
        self.jobs = Jobs(paths.database, self.events)
        self.handles: dict[str, Handle] = {}
        self.claims = Claims()  # of commands, on disks
        self.mounts = mounts.Mounts()
        self.looks = asyncio.Semaphore(len(os.sched_getaffinity(0)))  # of all audits together, at what machines boot
        self.meters = Meters()
        self.history = History()
        self.shots = Shots()
        self._names: set[str] = set()  # of machines that are being made or renamed
        self._upkeep: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, paths: Paths) -> Host:
        """Load all machines, take on those that run, and clear away what a killed service left half done."""
        _make_directories(paths)
        host = cls(paths)
        for left in store.sweep(paths.machines):
            log.info("cleared away %s", left)
        for file in (paths.autostarted, paths.disk_key, paths.web_sessions):
            sweep_replaced(file)
        diskforeign.sweep(paths)
        library.sweep(paths.media)
        if any(paths.unfinished.iterdir()):
            await unfinished.sweep(paths, host.disk_key())
        for directory in store.scan(paths.machines):
            host.load(directory)
        await mounts.adopt(host)  # before the machines: what they may do depends on it
        await adoption.adopt(list(host.handles.values()))
        past = host.history.run(host.handles.values)
        host._upkeep = [asyncio.create_task(host._keep_logs_short()), asyncio.create_task(past)]
        return host

    async def _keep_logs_short(self) -> None:
        """A guest can make its QEMU say as much as it likes."""
        while True:
            for handle in [h for h in self.handles.values() if h.alive]:
                if process.shorten_log(handle.directory / "qemu.log"):
                    log.warning("QEMU of %s says a lot; only the end of it is kept", handle.name)
            await asyncio.sleep(LOG_SECONDS)

    def load(self, directory: Path) -> Handle:
        """Take a machine's directory in."""
        handle = Handle(directory, self.events, self.paths)
        handle.jobs = self.jobs
        self.handles[handle.id] = handle
        return handle

    def forget(self, handle: Handle) -> None:
        """Drop a machine whose directory is gone."""
        self.handles.pop(handle.id, None)

    def find(self, name: str) -> Handle:
        """A machine by its name or id; NotFound with close names."""
        self.look_again()
        if name in self.handles:
            return self.handles[name]
        for handle in self.handles.values():
            if handle.name == name:
                return handle
        raise NotFound(f"There is no machine {name[:80]!r}.", self._alike(name), code="no-such-machine")

    def look_again(self) -> None:
        """Read those definitions again that could not be read: somebody may have mended them."""
        for handle in self.handles.values():
            if handle.definition is None:
                handle.read()

    def _alike(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, [h.name for h in self.handles.values()])
        return f"Did you mean {' or '.join(near)}?" if near else "See all: kiban ls"

    @contextlib.contextmanager
    def taking(self, name: str) -> Iterator[None]:
        """Keep a name from everybody else while a machine of that name is made; Conflict when somebody has it."""
        self.check_free(name)
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)

    def check_free(self, name: str) -> None:
        """Conflict when a machine has that name already, or that id, by which it is found too."""
        if name in self.handles or name in self._names or any(h.name == name for h in self.handles.values()):
            raise Conflict(f"There is a machine {name} already.", "Choose another name.", code="name-taken")

    async def qemu(self) -> probe.Qemu:
        """This host's QEMU; HostLacks when there is none."""
        return await probe.qemu(self.paths.state / "qemu.json")

    def account(self) -> process.Account:
        """Who QEMU runs as."""
        return process.account()

    def disk_key(self) -> bytes:
        """What differencing disks that are made here are sealed with."""
        return seal.load_key(self.paths.disk_key)

    def qemu_host(self) -> QemuHost:
        """What the command line needs to know of this host."""
        return QemuHost(
            qemu=shutil.which(probe.BINARY) or probe.BINARY,
            accelerator="kvm" if self.acceleration.name == "kvm" else "tcg",
            legacy_pxe_rom=str(LEGACY_PXE_ROM) if IPXE.exists() else "",
            ipxe=str(IPXE),
        )

    def slowness(self) -> list[str]:
        """That machines run without KVM here, and why; once in the life of the service, for the first that starts."""
        if self._said_slow or self.acceleration.name == "kvm":
            return []
        self._said_slow = True
        return [f"Machines run without KVM here, several times slower: {self.acceleration.why}."]

    async def autostart(self) -> None:
        """Start the machines that want it, once in a boot of the host; one that cannot start holds up no others.

        A service that comes back must not start what somebody has turned off meanwhile.
        """
        from kiban.engine import life

        boot, mark = BOOT_ID.read_bytes(), self.paths.autostarted
        if mark.exists() and mark.read_bytes() == boot:
            return
        for handle in list(self.handles.values()):
            if handle.definition and handle.definition.autostart and handle.state in ("off", "saved"):
                try:
                    await life.start(self, handle)
                except KibanError as error:
                    log.warning("autostart of %s: %s", handle.name, error)
                    handle.tell("trouble", what="autostart", message=error.message)
        with contextlib.suppress(KibanError):  # a full disk: the next service starts them again
            replace_file(mark, boot)

    async def close(self) -> None:
        """End the service's life with its machines; they run on."""
        for task in self._upkeep:
            task.cancel()
        self.meters.close()
        await self.jobs.close()
        self.mounts.leave()
        for handle in self.handles.values():
            await supervision.leave(handle)


def _make_directories(paths: Paths) -> None:
    # under root QEMU and swtpm run as another user, who has to get through to what is theirs and sees nothing else
    mode = 0o711 if os.geteuid() == 0 else 0o700
    kept = (paths.state, paths.machines, paths.unfinished, paths.media)
    for directory in (*kept, paths.runtime, paths.of_machine(""), paths.mounts):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(mode)
        except OSError as error:
            raise HostLacks(
                f"Cannot keep machines in {directory}: {error.strerror}.",
                "Set KIBAN_STATE and KIBAN_RUNTIME to directories of your own.",
            ) from error
