# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts a chain together: opens the child, finds each parent by its id, and has the disk served read-only over NBD.

Files are only opened here; what is in them is looked at by the confined process alone, which says what it misses.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters import unixsocket
from kiban.adapters.chains import locate
from kiban.adapters.chains.cell import Cell, Told
from kiban.adapters.chains.child import MOST_LINKS
from kiban.adapters.chains.handshake import EXPORT
from kiban.adapters.files import open_regular
from kiban.errors import BadInput, Conflict, KibanError, NotFound
from kiban.model.machine import Sectors

SECONDS = 20.0
"""How long putting a chain together may take; a tenth of a second for each file is usual."""
LINGER = 60.0
"""Seconds that a server waits for its first client, and for the next one after the last has gone."""
NOBODY = 65534
_LISTED = 12  # places that an error names


@dataclass(frozen=True, slots=True)
class Link:
    """A file of a chain: its real path, the size of its disk in bytes, the id that children know it by, its sectors."""

    path: Path
    size: int
    id: str
    sectors: Sectors


@dataclass(frozen=True, slots=True)
class Chain:
    """The files of a disk, the child first."""

    form: str
    links: tuple[Link, ...]

    @property
    def size(self) -> int:
        """Bytes of the disk."""
        return self.links[0].size


@dataclass(frozen=True, slots=True)
class Served:
    """A disk that is served: raw, read-only, under the name `export` on the Unix socket `socket`, by `process`."""

    chain: Chain
    socket: Path
    process: subprocess.Popen[bytes]
    export: str = EXPORT

    @property
    def pid(self) -> int:
        """The server's process."""
        return self.process.pid

    def end(self) -> None:
        """End the server, which would linger else."""
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)


def describe(
    path: Path,
    form: str,
    folders: Sequence[Path] = (),
    *,
    uid: int = NOBODY,
    gid: int = NOBODY,
    seconds: float = SECONDS,
) -> Chain:
    """The chain that a VHD or VHDX is the child of; one of a single link where it has no parent. It blocks.

    Args:
        path: the child.
        form: vhd or vhdx, for all files of the chain.
        folders: where parents may lie, besides the child's own folder; in both, below it too.
        uid, gid: who the process that reads becomes when the service is root's.
        seconds: for all of it.

    Raises:
        NotFound: no such file or folder; a parent that is nowhere (missing-parent).
        Conflict: a parent that was changed after its child was made, or is another disk (changed-parent).
        BadInput: no regular file; a chain that comes back to itself (parent-loop) or is longer than MOST_LINKS
            (chain-too-long); another format's name, an unknown feature.
        NotAllowed, Damaged, HostLacks, TimedOut, Failed.
    """
    cell = _cell(form, uid, gid, seconds)
    try:
        return _put_together(cell, path, form, folders)
    finally:
        cell.close()


def serve(
    path: Path,
    form: str,
    at: Path,
    folders: Sequence[Path] = (),
    *,
    uid: int = NOBODY,
    gid: int = NOBODY,
    client: tuple[int, int] | None = None,
    linger: float = LINGER,
    seconds: float = SECONDS,
) -> Served:
    """Serve the merged disk of a chain at a Unix socket, until nobody was connected for `linger` seconds. It blocks.

    The socket is made here, for the user and group `client` only (those of the server's process where none is given);
    it is there and listening when this returns, and stays behind when the server ends, for the next one to replace.
    The server outlives its caller. Arguments and errors are those of `describe`, and of `unixsocket.listen` for `at`.
    """
    if linger <= 0:
        raise BadInput("A server must wait for some seconds.", "Give a positive number.")
    cell = _cell(form, uid, gid, seconds)
    try:
        chain = _put_together(cell, path, form, folders)
        owner = (client or (uid, gid)) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        with unixsocket.listen(at, *owner) as listener:
            _serve(cell, listener, linger, path)
    except BaseException:
        cell.close()
        raise
    return Served(chain, at, cell.process)


def _serve(cell: Cell, listener: socket.socket, linger: float, path: Path) -> None:
    try:
        cell.serve(listener, linger, path)
    except BaseException:
        Path(listener.getsockname()).unlink(missing_ok=True)
        raise


def _cell(form: str, uid: int, gid: int, seconds: float) -> Cell:
    if form not in locate.SUFFIXES:
        raise BadInput(f"'{form[:40]}' is no format that has parents like these.", "Use vhd or vhdx.")
    return Cell(form, uid, gid, seconds)


def _put_together(cell: Cell, path: Path, form: str, folders: Sequence[Path]) -> Chain:
    links: list[Link] = []
    with open_regular(path) as descriptor:
        real = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  # not a link to follow, a name to read
        inside = locate.real_folders(real, folders)
        seen = {_identity(descriptor)}
        told = cell.ask(descriptor, path)
    if isinstance(told, str):
        raise BadInput(f"{path}: {told}")
    links.append(Link(real, told.size, told.id, told.sectors))
    while told.needs_parent:
        if len(links) == MOST_LINKS:
            raise BadInput(f"{path} has more than {MOST_LINKS} files.", "Merge it in Hyper-V.", code="chain-too-long")
        real, identity, told = _parent(cell, real, told, inside, form)
        if identity in seen:
            raise BadInput(f"{real} is a parent of itself.", "The chain has no beginning.", code="parent-loop")
        seen.add(identity)
        links.append(Link(real, told.size, told.id, told.sectors))
    return Chain(form, tuple(links))


def _identity(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def _parent(
    cell: Cell, child: Path, needed: Told, folders: Sequence[Path], form: str
) -> tuple[Path, tuple[int, int], Told]:
    """Real path, identity and nature of the child's parent."""
    looked: list[tuple[locate.Candidate, str]] = []
    for candidate in locate.candidates(child, needed.relative, needed.names, folders, form):
        descriptor = locate.open_inside(candidate.path, folders)
        if isinstance(descriptor, str):
            looked.append((candidate, descriptor))
            continue
        try:
            told = cell.ask(descriptor, candidate.path)
            if not isinstance(told, str):
                real = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  # a name to read
                return real, _identity(descriptor), told
        finally:
            os.close(descriptor)
        looked.append((candidate, told))
    raise _not_found(child, needed, looked)


def _not_found(child: Path, needed: Told, looked: Sequence[tuple[locate.Candidate, str]]) -> KibanError:
    changed = next((each for each in looked if each[1] == "time"), None)
    other = next((each for each in looked if each[0].named and each[1].startswith("id ")), None)
    if changed:
        return Conflict(
            f"{_shown(str(changed[0].path))} was written after {child} was made of it, or was copied without its time.",
            "Copy it anew with its time (cp -p, rsync -t, robocopy); what was written to it cannot be undone.",
            code="changed-parent",
        )
    if other:
        return Conflict(
            f"{_shown(str(other[0].path))} is not what {child} was made of: it was changed since, or is another disk "
            f"({other[1]} instead of {', '.join(needed.parent_ids)}).",
            "Restore it as it was, or name the folder that the right one is in.",
            code="changed-parent",
        )
    name = next((path for path in (needed.relative, *needed.names) if path), needed.parent_ids[0])
    places = "; ".join(f"{_shown(str(candidate.path))} ({why})" for candidate, why in looked[:_LISTED])
    return NotFound(
        f"{child} needs its parent {_shown(name)}, which was not found. Looked at: {places or child.parent}.",
        f"Copy it beside {child.name}, or name the folder that it is in; its id is {', '.join(needed.parent_ids)}.",
        code="missing-parent",
    )


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:255])
