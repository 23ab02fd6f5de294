# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the parent of a differencing disk may be, and opening it without being led elsewhere.

What an image says about its parent's path was written by a stranger. It only chooses among the files of folders that
somebody of this host has named; which of them is the parent, its id decides.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from kiban.errors import BadInput, NotFound

SUFFIXES = {"vhd": (".vhd", ".avhd"), "vhdx": (".vhdx", ".avhdx")}
MOST_CANDIDATES = 256
"""Files that are looked at for one parent."""
_MOST_ENTRIES = 10_000  # of a folder
_MOST_PARTS = 64  # of a relative path


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be the parent; `named` when the child names it so."""

    path: Path
    named: bool


def real_folders(child: Path, told: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that parents may lie in or below: the child's and those told, without links. NotFound, BadInput."""
    found = [child.parent]
    for folder in told:
        try:
            real = folder.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise NotFound(f"There is no folder {folder}.", f"ls -ld {folder}", code="no-folder") from None
        if not real.is_dir():
            raise BadInput(f"{folder} is no folder.", "Name the folder that the parent disks are in.")
        found.append(real)
    return tuple(dict.fromkeys(found))


def candidates(
    child: Path, relative: str, names: Sequence[str], folders: Sequence[Path], form: str
) -> Iterator[Candidate]:
    """Where to look, in this order: the relative path, beside the child, the other folders, then by extension alone.

    Args:
        child: the differencing disk's real path.
        relative, names: what it says; Windows' paths.
        folders: of `real_folders`.
        form: vhd or vhdx.
    """
    seen: set[Path] = set()
    for candidate in _all(child, relative, names, folders, form):
        if candidate.path not in seen:
            seen.add(candidate.path)
            yield candidate
        if len(seen) >= MOST_CANDIDATES:
            return


def _all(child: Path, relative: str, names: Sequence[str], folders: Sequence[Path], form: str) -> Iterator[Candidate]:
    where = list(dict.fromkeys((child.parent, *folders)))
    if relative:
        yield Candidate(_below(child.parent, PureWindowsPath(relative)), named=True)
    for folder in where:
        for name in dict.fromkeys(PureWindowsPath(path).name for path in (relative, *names)):
            if name not in ("", ".."):
                yield Candidate(_spelled(folder, name), named=True)
    for folder in where:
        for name in _entries(folder):
            if name.lower().endswith(SUFFIXES[form]):
                yield Candidate(folder / name, named=False)


def _below(folder: Path, relative: PureWindowsPath) -> Path:
    """That path seen from the folder, as it is spelled here; a drive in it is left out."""
    for part in [part for part in relative.parts if part != relative.anchor][:_MOST_PARTS]:
        folder = folder.parent if part == ".." else _spelled(folder, part)
    return folder


def _spelled(folder: Path, name: str) -> Path:
    """The entry of that name, or else one that Windows would take for it: there, case does not matter."""
    path = folder / name.replace("\0", "?").replace("/", "?")
    if not os.path.lexists(path):
        wanted = name.casefold()
        return next((folder / entry for entry in _entries(folder) if entry.casefold() == wanted), path)
    return path


def _entries(folder: Path) -> list[str]:
    """Names in the folder, in order; none where it may not be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for entry, _ in zip(found, range(_MOST_ENTRIES), strict=False))
    except (OSError, ValueError):
        return []


def open_inside(path: Path, folders: Sequence[Path]) -> int | str:
    """A descriptor of a regular file that lies in or below one of the folders; else why not, for a list.

    Links are not followed at the end of the path, and what one leads to before it must be inside too, however it
    changes meanwhile: the kernel is asked where the opened file is.
    """
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        if not stat.S_ISREG(path.lstat().st_mode):  # asked before opening, which alone can make a device do something
            return "not a file"
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return "not there"
    except PermissionError:
        return "may not be read"
    except (OSError, ValueError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or "cannot be opened"
    real = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  # not a link to follow, a name to read
    inside = any(real.is_relative_to(folder) for folder in folders)
    if inside and stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return "not a file" if inside else "outside of the folders that were named"
