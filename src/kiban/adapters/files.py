# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening files that somebody else made, without being led astray, and replacing our own as a whole.

A path from a person may name a directory, a device or a pipe; opening those can block for ever or read the host's own
disk. Everything in the adapters that reads a foreign file starts here.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kiban.errors import BadInput, HostLacks, NotAllowed, NotFound

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


@contextmanager
def open_regular(path: Path) -> Iterator[int]:
    """A read-only descriptor of a regular file, symbolic links followed.

    Raises:
        NotFound: there is no such file.
        NotAllowed: it may not be read.
        BadInput: it is not a regular file.
    """
    try:
        # O_NONBLOCK: a pipe without a writer would block the open itself
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file {path}.", "Check the path", code="no-file") from None
    except PermissionError:
        raise NotAllowed(f"{path} may not be read.", f"See who owns it: ls -l {path}", code="unreadable-file") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened: {error}.", "Name a regular file", code="not-a-file") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for test, name in _KINDS if test(mode)), "something else")
            raise BadInput(f"{path} is not a file but {kind}.", "Name a regular file", code="not-a-file")
        yield descriptor
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file as a whole: the old content or the new is there at any moment, even after a power cut.

    It is written beside it under a hidden name (`.NAME.*`; what a kill leaves of that is swept away at the next start
    of the service), flushed, and renamed. An existing file's owner and mode are kept; a new one is for its owner only.

    Raises NotAllowed when the folder may not be written or the file belongs to a user we may not hand it to, HostLacks
    when the disk is full.
    """
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(data)
            _take_after(file.fileno(), path)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
        sync_directory(path.parent)
    except PermissionError as error:
        raise NotAllowed(
            f"{path} may not be replaced.", f"See whose it and its folder are: ls -la {path.parent}"
        ) from error
    except OSError as error:
        raise HostLacks(f"Cannot write {path}: {error.strerror}.", "Look at the free space: df -h") from error
    finally:
        if temporary is not None:
            with suppress(OSError):  # what is told is why it could not be written
                temporary.unlink()


def sweep_replaced(path: Path) -> None:
    """Remove what a killed `replace_file` of that file left beside it."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError):
            left.unlink()


def _take_after(descriptor: int, path: Path) -> None:
    """Give an open file the owner and the mode that the file at `path` has, if there is one."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)


def sync_directory(directory: Path) -> None:
    """Make a rename in `directory` last."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
