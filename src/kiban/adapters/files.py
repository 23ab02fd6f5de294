# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening files that somebody else made, without being led astray.

A path from a person may name a directory, a device or a pipe; opening those can block for ever or read the host's own
disk. Everything in the adapters that reads a foreign file starts here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiban.errors import BadInput, NotAllowed, NotFound

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
        raise NotFound(f"There is no file {path}.", "check the path", code="no-file") from None
    except PermissionError:
        raise NotAllowed(f"{path} may not be read.", f"see who owns it: ls -l {path}", code="unreadable-file") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened: {error}.", "name a regular file", code="not-a-file") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for test, name in _KINDS if test(mode)), "something else")
            raise BadInput(f"{path} is not a file but {kind}.", "name a regular file", code="not-a-file")
        yield descriptor
    finally:
        os.close(descriptor)
