# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks that are mounted on the host: kept while they are, found again by the next service, cleared away after it.

A mount is a folder in the runtime directory, with sockets, a lock that its processes inherit, and a note of what is
mounted where. Its processes outlive the service, as machines do:

    image ─► QEMU without a machine ─► NBD ─► the view, which mounts ─► DIRECTORY
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from kiban.adapters.files import replace_file
from kiban.adapters.mount import rawview, table
from kiban.adapters.qemu import process
from kiban.adapters.qemu.process import Ended
from kiban.adapters.whole import in_thread
from kiban.errors import Conflict, Failed, KibanError

if TYPE_CHECKING:
    from kiban.adapters.disk.chain import Key
    from kiban.engine.host import Host  # a host has its mounts

NOTE, LOCK = "mount.json", "lock"
END_SECONDS = 120.0  # for a view or a reader to write what it has and to end
KILL_SECONDS = 10.0
BUSY_SECONDS = 1.0  # that somebody may use a mount still when it is to end
LOOK_SECONDS = 5.0  # between looks whether it is mounted: without that, the view (QEMU 7.2) runs in circles for ever
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MountView:
    """A disk that is mounted: `disk` is the path of the image, `directory` where it is."""

    disk: str
    directory: str
    view: Literal["raw"]
    writable: bool


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the next service has to know of a mount; the processes are each a pid and when that began."""

    shown: MountView
    made: bool  # the directory, for the mount
    reads: tuple[Key, ...]
    writes: tuple[Key, ...]
    processes: tuple[tuple[int, float], ...] = ()  # of a mount that is whole: view, reader, server of a chain

    @property
    def place(self) -> Path:
        """Where the kernel has the mount."""
        return Path(self.shown.directory) / rawview.NAME


class Mount:
    """One of them. `stack` holds what lasts as long as it does: its claim on the disk."""

    def __init__(self, folder: Path, note: Note, stack: ExitStack) -> None:
        self.folder = folder
        self.note = note
        self.stack = stack
        self.ends: list[Ended] = []  # of its processes, in the order in which they are ended
        self.watch: asyncio.Task[None] | None = None
        self.lock = asyncio.Lock()  # of whoever ends it


class Mounts:
    """Those of one service."""

    def __init__(self) -> None:
        self.all: list[Mount] = []
        self._taken: set[Path] = set()

    @contextmanager
    def taking(self, directory: Path) -> Iterator[None]:
        """Keep a folder from everybody else while a disk is mounted there; Conflict (mount-there) when one is."""
        if self.at(directory) or directory in self._taken:
            raise Conflict(f"A disk is mounted at {directory}.", f"kiban disk unmount {directory}", code="mount-there")
        self._taken.add(directory)
        try:
            yield
        finally:
            self._taken.discard(directory)

    def at(self, directory: Path) -> Mount | None:
        """The one in that folder."""
        return next((one for one in self.all if one.note.shown.directory == str(directory)), None)

    def take(self, mount: Mount, ends: Iterable[Ended]) -> None:
        """Watch a mount that is whole, until it ends."""
        mount.ends = [*ends]
        mount.watch = asyncio.create_task(self._see_off(mount))
        self.all.append(mount)

    async def _see_off(self, mount: Mount) -> None:
        """When one of its processes ends by itself, or somebody else unmounts it, nothing of it is left."""
        waits = [asyncio.create_task(end.wait()) for end in mount.ends]
        try:
            while not (await asyncio.wait(waits, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED))[0]:
                if not await in_thread(table.is_mounted, mount.note.place):
                    break
        finally:
            for wait in waits:
                wait.cancel()
        async with mount.lock:
            if mount in self.all:
                log.warning("%s is not mounted any more", mount.note.shown.directory)
                await self.end(mount, lazy=True)

    async def end(self, mount: Mount, *, lazy: bool = False) -> None:
        """End a mount, with all that was written to it; its `lock` is held.

        Raises Conflict (mount-busy) when somebody uses it, unless `lazy`; Failed.
        """
        await _unmount(mount.note.place, lazy)
        for end in mount.ends:
            await _end(end)
        await in_thread(clear, mount.folder, mount.note)
        mount.stack.close()
        self.all.remove(mount)
        if mount.watch is not None and mount.watch is not asyncio.current_task():
            mount.watch.cancel()

    def leave(self) -> None:
        """Let go of them; they go on."""
        for mount in self.all:
            if mount.watch is not None:
                mount.watch.cancel()
            for end in mount.ends:
                end.close()


async def _unmount(place: Path, lazy: bool) -> None:
    """Whoever has just closed the file, or merely looks at it, is waited for; raises as `table.unmount` does."""
    limit = asyncio.get_running_loop().time() + BUSY_SECONDS
    while True:
        try:
            return await in_thread(table.unmount, place, lazy=lazy)
        except Conflict:
            if asyncio.get_running_loop().time() > limit:
                raise
        await asyncio.sleep(BUSY_SECONDS / 10)


async def _end(ended: Ended) -> None:
    """Ask a process to end, and wait until it has written what it has to write; one that hangs is killed."""
    for number, seconds in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        ended.signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
            return
    raise Failed(f"Process {ended.pid} does not end, not even by SIGKILL.", "The kernel holds it: look at dmesg.")


def write_note(folder: Path, note: Note) -> None:
    """Note what is mounted, or about to be."""
    replace_file(folder / NOTE, json.dumps(asdict(note)).encode())


def _read_note(folder: Path) -> Note:
    said = json.loads((folder / NOTE).read_bytes())
    keys = {name: tuple((key[0], key[1]) for key in said[name]) for name in ("reads", "writes")}
    processes = tuple((one[0], one[1]) for one in said["processes"])
    return Note(shown=MountView(**said["shown"]), made=said["made"], processes=processes, **keys)


def identity(pid: int) -> tuple[int, float]:
    """A process, so that another one of that pid is not taken for it; Failed when it has ended."""
    try:
        return pid, psutil.Process(pid).create_time()
    except psutil.Error:
        raise Failed("What shows the disk ended at once.", "See also: kiban doctor") from None


async def adopt(host: Host) -> None:
    """Take on the mounts of the service before, and clear away what was not whole or has ended."""
    for folder in sorted(host.paths.mounts.iterdir()):
        try:
            note = _read_note(folder)
        except (OSError, ValueError, LookupError, TypeError):
            await in_thread(clear, folder, None)  # it was killed before anything was mounted
            continue
        try:
            if not await _take_on(host, folder, note):
                log.info("%s was mounted, and is not whole any more", note.shown.directory)
                await in_thread(clear, folder, note)
        except KibanError as error:
            log.warning("what was mounted at %s is still there: %s", note.shown.directory, error)


async def _take_on(host: Host, folder: Path, note: Note) -> bool:
    lives = [pid for pid, began in note.processes if psutil.pid_exists(pid) and identity(pid) == (pid, began)]
    if not lives or len(lives) != len(note.processes) or not await in_thread(table.is_mounted, note.place):
        return False
    stack = ExitStack()
    stack.enter_context(host.claims.mounted(*refusal(note.shown), note.reads, note.writes))
    host.mounts.take(Mount(folder, note, stack), [Ended(pid) for pid in lives])
    return True


def refusal(shown: MountView) -> tuple[str, str]:
    """What those are told who want the disk meanwhile."""
    sentence = f"{shown.disk} is mounted at {shown.directory}{' for writing' if shown.writable else ''}."
    return sentence, f"kiban disk unmount {shown.directory}"


def clear(folder: Path, note: Note | None) -> None:
    """Remove what there is of a mount: the mount itself, processes that hold its lock, and files. It blocks."""
    if note is not None:
        table.unmount(note.place, lazy=True)
    lock = folder / LOCK
    for _ in range(100):  # each look finds one holder
        holder = process.holders([lock]).get(lock) if lock.exists() else None
        if holder is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
    if note is not None:
        directory = Path(note.shown.directory)
        rawview.tidy(directory)
        if note.made:
            with contextlib.suppress(OSError):  # somebody has put something into it
                directory.rmdir()
    shutil.rmtree(folder, ignore_errors=True)
