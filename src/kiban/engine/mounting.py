# SPDX-License-Identifier: GPL-2.0-or-later
"""Mounting a disk on the host, and unmounting it.

Nobody writes to a disk that is mounted, and one that is mounted for writing is used by nobody else: a mount claims its
disk as a command does (`kiban.engine.diskuse`), for as long as it lasts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiban.adapters import unixsocket
from kiban.adapters.chains import runner
from kiban.adapters.chains.runner import Served
from kiban.adapters.disk import vhdxlog
from kiban.adapters.disk.chain import Key, Link, node
from kiban.adapters.disk.facts import read_facts
from kiban.adapters.disk.formats import ImageFormat
from kiban.adapters.files import open_regular
from kiban.adapters.mount import rawview, table
from kiban.adapters.qemu import imageserver, process
from kiban.adapters.qemu.cmdline import CommandLine
from kiban.adapters.qemu.process import Account, Ended
from kiban.adapters.whole import finished, in_thread, whole
from kiban.engine import diskforeign, disks, diskuse, mounts
from kiban.engine.mounts import LOCK, Mount, MountView, Note
from kiban.engine.progress import Progress, quiet
from kiban.errors import BadInput, Conflict, Failed, KibanError, NotAllowed, NotFound
from kiban.model.requests import MountRequest

if TYPE_CHECKING:
    from kiban.engine.host import Host  # which has the mounts


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A disk that can be mounted: which files are read and written, and its links, or the server of its chain."""

    path: Path
    reads: frozenset[Key]
    writes: Mapping[Key, Link]
    links: tuple[Link, ...] = ()
    server: Served | None = None


def listed(host: Host) -> list[MountView]:
    """What is mounted, by directory."""
    return sorted((mount.note.shown for mount in host.mounts.all), key=lambda shown: shown.directory)


async def mount(host: Host, wanted: MountRequest, progress: Progress = quiet) -> MountView:
    """Show a disk in a folder, which is made or empty.

    Raises:
        NotFound, NotAllowed, BadInput: the disk, the folder; a disk that is only read here (read-only-format).
        Conflict: somebody uses the disk or the folder (disk-busy, disk-mounted, mount-there, folder-taken).
        HostLacks, Failed, TimedOut: FUSE, and the programs that show it.
    """
    table.check_fuse()
    disks.find(host, wanted.disk)
    directory = Path(wanted.directory).resolve()
    with host.mounts.taking(directory):
        made = await in_thread(_is_new, directory)
        name = f"{wanted.disk.machine}:{wanted.disk.disk}" if wanted.disk.machine else wanted.disk.path
        shown = MountView(disk=name, directory=str(directory), view="raw", writable=wanted.writable)
        note = Note(shown=shown, made=made, reads=(), writes=())
        folder, claim = host.paths.mounts / secrets.token_hex(4), ExitStack()
        try:
            folder.mkdir(mode=0o711)
            mounts.write_note(folder, note)  # first, so that the next service knows of all that comes
            if made:
                directory.mkdir(mode=0o700)
            progress(0.1, "opening it")
            await _mount(host, wanted, folder, note, claim)
        except BaseException:
            await whole(_undo(folder, note, claim))
            raise
    return shown


async def unmount(host: Host, directory: str) -> None:
    """End a mount; when this returns, everything that was written to it is in the image.

    Raises NotFound (not-mounted), Conflict (mount-busy) when somebody uses it, Failed.
    """
    place = Path(directory).resolve()
    found = host.mounts.at(place)
    if found is None:
        raise NotFound(f"No disk is mounted at {place}.", "See all: kiban disk mounts", code="not-mounted")
    async with found.lock:
        if found in host.mounts.all:
            await finished(host.mounts.end(found))


def _is_new(place: Path) -> bool:
    """Whether a folder has to be made; what an earlier mount has left in one that is there is removed."""
    try:
        rawview.tidy(place)
        if not place.exists():
            if os.access(place.parent, os.W_OK | os.X_OK):
                return True
            raise (NotAllowed if place.parent.is_dir() else NotFound)(
                f"{place} cannot be made.", f"Look at the folder: ls -ld {place.parent}", code="no-folder"
            )
        if any(place.iterdir()):
            raise Conflict(f"There is something in {place}.", "Name a new or an empty folder.", code="folder-taken")
    except OSError as error:
        raise BadInput(f"{place} cannot be used: {error.strerror}.", "Name a folder.", code="no-folder") from error
    return False


async def _mount(host: Host, wanted: MountRequest, folder: Path, note: Note, claim: ExitStack) -> None:
    async with _source(host, wanted, folder, claim) as source:
        writes = tuple(source.writes)
        claim.enter_context(host.claims.mounted(*mounts.refusal(note.shown), source.reads, writes))
        diskuse.check_machines(await in_thread(diskuse.chains, host), source.reads, source.writes)
        diskuse.check_unchanged(source.links)
        for link in source.writes.values():
            await vhdxlog.replay(link)
        note = replace(note, reads=tuple(source.reads), writes=writes)
        mounts.write_note(folder, note)
        view, reader = await _show(host, source, folder, note)
    ends = [Ended(view), reader, *([Ended(source.server.pid, source.server.process)] if source.server else [])]
    note = replace(note, processes=tuple(mounts.identity(end.pid) for end in ends))
    mounts.write_note(folder, note)
    host.mounts.take(Mount(folder, note, claim), ends)


async def _undo(folder: Path, note: Note, claim: ExitStack) -> None:
    await in_thread(mounts.clear, folder, note)
    claim.close()


@asynccontextmanager
async def _source(host: Host, wanted: MountRequest, folder: Path, claim: ExitStack) -> AsyncIterator[_Source]:
    path, form = disks.find(host, wanted.disk)
    if not await in_thread(_needs_our_reader, path, form, wanted.writable):
        async with disks.opened(host, wanted.disk) as links:
            if wanted.writable:
                disks.check_kept(links)
            writes = {link.key: link for link in links[:1] if wanted.writable}
            yield _Source(path=path, reads=frozenset(link.key for link in links), writes=writes, links=tuple(links))
        return
    if wanted.writable:
        raise BadInput(
            f"{path} is only read here.", "Make a disk of its own of it: kiban disk convert", code="read-only-format"
        )
    owner, at = host.account(), folder / "chain"
    places = [Path(place) for place in wanted.folders]
    served = await in_thread(runner.serve, path, form.name, at, places, client=(owner.uid, owner.gid))
    claim.callback(served.end)
    reads = frozenset(key for link in served.chain.links if (key := diskuse.key_of(link.path)))
    yield _Source(path=path, reads=reads, writes={}, server=served)


def _needs_our_reader(path: Path, form: ImageFormat, writable: bool) -> bool:
    """Whether QEMU does not open an image: one of Hyper-V's (diskforeign), or a VHDX whose log it would have to replay.

    To be written to, that log is replayed before.
    """
    if diskforeign.is_foreign(path, form):
        return True
    with open_regular(path) as descriptor:
        return form.name == "vhdx" and not writable and read_facts(descriptor, path, form).dirty


async def _show(host: Host, source: _Source, folder: Path, note: Note) -> tuple[int, Ended]:
    """The processes of a mount, once it is there: the view's pid, and the reader."""
    owner, writable = host.account(), bool(source.writes)
    qmp, nbd = folder / "qmp", folder / "nbd"
    with ExitStack() as stack:
        lock = stack.enter_context(process.locked(folder / LOCK))
        monitor, listener = (stack.enter_context(unixsocket.listen(at, owner.uid, owner.gid)) for at in (qmp, nbd))
        line = imageserver.begin(host.qemu_host().qemu, monitor.fileno())
        imageserver.serve_node(line, _node(stack, line, source))
        reader = _start(line, [lock, monitor.fileno()], folder, owner)
        try:
            await imageserver.export(qmp, listener, writable=writable)
        except KibanError as error:
            raise _refusal(source.path, process.last_words(folder / "reader.log"), error) from None
        directory = Path(note.shown.directory)
        view = await in_thread(
            rawview.show, directory, nbd, imageserver.EXPORT, writable=writable, lock=lock, notes=folder
        )
    return view, reader


def _start(line: CommandLine, inherit: list[int], folder: Path, owner: Account) -> Ended:
    child = process.spawn(line, inherit=inherit, log=folder / "reader.log", owner=owner)
    return Ended(child.pid, child)


def _node(stack: ExitStack, line: CommandLine, source: _Source) -> dict[str, Any]:
    """The disk as a node of the QEMU that is started by `line`."""
    if source.server is not None:
        return diskforeign.node(source.server.socket)

    def name(link: Link) -> str:
        if link.key not in source.writes:
            return line.file(link.path, "ro", link.descriptor)
        descriptor = _for_writing(link)
        stack.callback(os.close, descriptor)
        return line.file(link.path, "rw", descriptor)

    return node(list(source.links), writable=bool(source.writes), name=name)


def _for_writing(link: Link) -> int:
    """The very file that was looked at, open for writing too."""
    try:
        return os.open(f"/proc/self/fd/{link.descriptor}", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        why = f"You may not write {link.path}: {error.strerror}."
        raise NotAllowed(why, f"Look at it: ls -l {link.path}") from error


def _refusal(path: Path, words: str, error: KibanError) -> KibanError:
    """Why QEMU did not open an image, out of its last words."""
    if "Failed to get" in words and "lock" in words:
        return Conflict(f"{path} is in use by another program.", "See which: fuser -v FILE", code="disk-busy")
    if not words:
        return error
    return Failed(f"{path} cannot be opened: {words}", "Look at it: kiban disk check", code="damaged-image")
