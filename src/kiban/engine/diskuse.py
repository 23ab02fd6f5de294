# SPDX-License-Identifier: GPL-2.0-or-later
"""Who uses which disk, so that none is written by two, and no parent under the feet of its children.

Machines use their disks and all that those are made on, as their definitions and the images' headers say it now; there
are no books that could be wrong. What commands are doing with disks is noted in memory, for as long as they do it.
QEMU's own locks on image files come on top, for programs that Kiban does not know of.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiban.adapters.disk import chain, seal, vhdxlog
from kiban.adapters.disk.chain import Key, Link
from kiban.adapters.disk.formats import image_format
from kiban.adapters.qemu.cmdline import Parent
from kiban.adapters.whole import in_thread
from kiban.engine.handle import Handle
from kiban.errors import BadInput, Conflict, KibanError
from kiban.model.machine import Disk, DiskFormat
from kiban.model.states import ALIVE, State

if TYPE_CHECKING:
    from kiban.engine.host import Host  # a host has the claims


Parents = Mapping[str, Sequence[Parent]]
"""What differencing disks are made on, by their ids."""
FORMATS: dict[str, DiskFormat] = {"qcow2": "qcow2", "vhdx": "vhdx", "vhd": "vhd", "raw": "raw"}


@dataclass(frozen=True)
class _Claim:
    refusal: tuple[str, str, str]  # what others are told: a sentence, a hint, a code
    reads: frozenset[Key]
    writes: frozenset[Key]


class Claims:
    """The disks that commands are working on, and those that are mounted on the host."""

    def __init__(self) -> None:
        self._held: list[_Claim] = []

    @contextmanager
    def taken(self, what: str, reads: Iterable[Key], writes: Iterable[Key]) -> Iterator[None]:
        """Hold files, read by many or written by one; Conflict (disk-busy) when that does not go together.

        `what` is done with them, in words: `Converting a.vhdx`.
        """
        refusal = f"{what} is going on, which needs that disk.", "See kiban jobs", "disk-busy"
        with self._held_by(_Claim(refusal, frozenset(reads), frozenset(writes))):
            yield

    @contextmanager
    def mounted(self, what: str, unmount: str, reads: Iterable[Key], writes: Iterable[Key]) -> Iterator[None]:
        """The same of a disk that is mounted; `what` is a sentence that says so, `unmount` the command that ends it."""
        with self._held_by(_Claim((what, unmount, "disk-mounted"), frozenset(reads), frozenset(writes))):
            yield

    @contextmanager
    def _held_by(self, claim: _Claim) -> Iterator[None]:
        self.check(claim.reads, claim.writes)
        self._held.append(claim)
        try:
            yield
        finally:
            self._held.remove(claim)

    def check(self, reads: Collection[Key], writes: Collection[Key]) -> None:
        """Conflict (disk-busy, disk-mounted) when something that goes on keeps others from using files like that."""
        for claim in self._held:
            if claim.writes & {*reads, *writes} or claim.reads & {*writes}:
                sentence, hint, code = claim.refusal
                raise Conflict(sentence, hint, code=code)


@dataclass(frozen=True, kw_only=True)
class Chained:
    """A machine's disk with all that it is made on, the disk itself first. The links are closed.

    `path` is where the definition has it, also where nothing is.
    """

    machine: str
    disk: str
    path: Path
    state: State
    links: tuple[Link, ...]
    problem: str  # why the chain cannot be followed to its end

    @property
    def own(self) -> str:
        """The disk in words."""
        return f"{self.disk} of {self.machine}"


def chains(host: Host, *, children_only: bool = False) -> list[Chained]:
    """The disks of all machines. It blocks.

    Args:
        host: where.
        children_only: leave out disks that are made on nothing, which a look at their first bytes tells.
    """
    found = []
    for handle in list(host.handles.values()):
        for disk in handle.definition.disks if handle.definition else ():
            if not children_only or has_parent(handle.directory / disk.path, disk):
                found.append((handle, disk))
    key = host.disk_key() if found else b""
    return [_chained(handle, disk, key) for handle, disk in found]


def has_parent(path: Path, disk: Disk) -> bool:
    """Whether a disk of a machine, at `path`, is made on another one here; a look at its first bytes tells."""
    if disk.format != "qcow2" or disk.rest is not None:
        return False
    try:
        with path.open("rb", buffering=0) as file:
            return any(file.read(16)[8:])  # the offset of its name
    except OSError:
        return False


def _chained(handle: Handle, disk: Disk, key: bytes) -> Chained:
    links: list[Link] = []
    problem = ""
    path = handle.directory / disk.path
    with ExitStack() as stack:
        try:
            chain.follow(stack, path, image_format(disk.format), key, links)
        except KibanError as error:
            problem = "its rest is still being copied" if disk.rest else error.message
    state = handle.state
    return Chained(machine=handle.name, disk=disk.id, path=path, state=state, links=tuple(links), problem=problem)


@asynccontextmanager
async def working(
    host: Host, what: str, links: Sequence[Link], *, writes: Sequence[Link] = (), child: Key | None = None
) -> AsyncIterator[list[Chained]]:
    """Keep a chain to oneself while something is done with it; the chains of all machines are given.

    Args:
        host: where.
        what: the work in words, for others who want the disk.
        links: what is read.
        writes: what is written to.
        child: the one disk that may be made on what is written to.

    Raises Conflict (disk-busy, has-children, file-busy).
    """
    with host.claims.taken(what, {link.key for link in links}, {link.key for link in writes}):
        known = await in_thread(chains, host)
        check_machines(known, {link.key for link in links}, {link.key: link for link in writes}, child)
        check_unchanged(links)
        yield known


def check_machines(
    known: Sequence[Chained], reads: Collection[Key], writes: Mapping[Key, Link], child: Key | None = None
) -> None:
    """Conflict (disk-busy, has-children) when machines keep anybody from using files like that."""
    for one in known:
        keys = [link.key for link in one.links]
        if one.state in ALIVE and keys and keys[0] in reads:
            raise Conflict(f"It is {one.own}, which is {one.state}.", f"kiban stop {one.machine}", code="disk-busy")
        for above, key in zip([None, *keys], keys, strict=False):
            if key not in writes:
                continue
            if one.state != "off":
                raise Conflict(
                    f"{writes[key].path} is used by {one.own}, which is {one.state}.",
                    f"kiban stop {one.machine}; of a saved machine: kiban discard {one.machine}",
                    code="disk-busy",
                )
            if above not in (None, child):
                raise has_children(writes[key].path, one)


def has_children(path: Path, child: Chained) -> Conflict:
    """The refusal to change what another disk is made on."""
    return Conflict(
        f"{path} is the parent of {child.own}, whose content would be lost by that.",
        f"Merge that one first, or make it whole: kiban disk info {path}",
        code="has-children",
    )


def check_unchanged(links: Sequence[Link]) -> None:
    """Conflict (file-busy): files were opened before they were claimed, and somebody was faster."""
    for link in links:
        now = os.fstat(link.descriptor)
        if (now.st_mtime_ns, now.st_size) != (link.status.st_mtime_ns, link.status.st_size) or not now.st_nlink:
            raise Conflict(f"{link.path} was changed just now.", "Try again", code="file-busy")


async def check_no_children(host: Host, keys: Collection[Key]) -> None:
    """Conflict (has-children) when a machine's disk is made on one of these files."""
    for one in await in_thread(chains, host, children_only=True):
        for link in one.links[1:]:
            if link.key in keys:
                raise has_children(link.path, one)


async def open_parents(stack: ExitStack, host: Host, handle: Handle) -> Parents:
    """What the disks of a machine are made on, seen to be right and open as long as `stack` is, before it starts.

    Raises as `chain.opened` does, and Conflict when it must not write to its disks now: a command needs one, or
    another machine's disk is made on it.
    """
    found = {disk.id: _open(stack, handle, disk) for disk in handle.machine.disks}
    tops = [key for disk in handle.machine.disks if (key := key_of(handle.directory / disk.path))]
    host.claims.check({link.key for links in found.values() for link in links}, tops)
    await check_no_children(host, tops)
    for disk in handle.machine.disks:
        await _replay(handle, disk)
    return {disk: _parents(links) for disk, links in found.items() if links}


async def _replay(handle: Handle, disk: Disk) -> None:
    """Make a VHDX fit for use whose QEMU was killed. What else may be wrong with it is QEMU's to say."""
    if disk.format == "vhdx":
        with ExitStack() as stack, suppress(BadInput):
            await vhdxlog.replay(chain.open_link(stack, handle.directory / disk.path, image_format(disk.format)))


def open_own_parents(stack: ExitStack, host: Host, handle: Handle, disk: Disk) -> Sequence[Parent]:
    """The same of one disk that is plugged into a machine."""
    links = _open(stack, handle, disk)
    key = key_of(handle.directory / disk.path)
    host.claims.check({link.key for link in links}, {key} if key else ())
    return _parents(links)


def _open(stack: ExitStack, handle: Handle, disk: Disk) -> list[Link]:
    """A disk's parents."""
    links: list[Link] = []
    path = handle.directory / disk.path
    if has_parent(path, disk):
        chain.follow(stack, path, image_format(disk.format), seal.load_key(handle.disk_key), links, strict=True)
    return links[1:]


def parents_of(handle: Handle, disk: Disk) -> tuple[tuple[str, str], ...]:
    """Path and format of a disk's parents, for looking only; none where they cannot be followed. It blocks."""
    with ExitStack() as stack, suppress(KibanError):
        return tuple((str(link.real), link.form.name) for link in _open(stack, handle, disk))
    return ()


def _parents(links: Sequence[Link]) -> Sequence[Parent]:
    return [Parent(format=FORMATS[link.form.name], path=link.path, descriptor=link.descriptor) for link in links]


def key_of(path: Path) -> Key | None:
    """Which file a path leads to; None where it leads to nothing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
