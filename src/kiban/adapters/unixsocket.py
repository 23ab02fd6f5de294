# SPDX-License-Identifier: GPL-2.0-or-later
"""Unix sockets that are bound here and inherited by QEMU or swtpm, already listening.

Whoever connects finds the socket before the program has even started, so nobody has to wait for it by polling. It may
lie in a directory that another user owns, so nothing but a dead socket is ever removed, and no link is followed.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from kiban.errors import BadInput, Conflict, NotAllowed

LONGEST_PATH = 107  # sockaddr_un's sun_path (unix(7)), less its final NUL
BACKLOG = 8


def listen(path: Path, uid: int, gid: int) -> socket.socket:
    """A listening socket at `path`, for `uid` and `gid` only (mode 0600).

    Raises:
        BadInput: the path is too long, or no socket can be there.
        Conflict: something else is there, or somebody listens there.
        NotAllowed: this user may not make it.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise BadInput(f"The socket path {path} is longer than {LONGEST_PATH} bytes.", "Use a shorter folder.")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        os.fchmod(server.fileno(), 0o600)  # bind gives the file this mode; afterwards somebody could have swapped it
        server.bind(os.fspath(path))
        if uid != os.geteuid():
            os.chown(path, uid, gid, follow_symlinks=False)
        server.listen(BACKLOG)
    except PermissionError as error:
        server.close()
        raise NotAllowed(f"The socket {path} may not be made.", "Choose another path.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        server.close()
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"Cannot listen on {path}: {why}.", "Choose another path.") from error
    except BaseException:
        server.close()
        raise
    return server


def answers(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(str(path)) == 0


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on any more; Conflict for anything else, which is not ours to remove."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(f"{path} exists and is not a socket.", "Choose another path.", code="path-taken")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        answer = probe.connect_ex(str(path))
    if answer != errno.ECONNREFUSED:
        raise Conflict(f"Somebody listens on {path} already.", "Choose another path.", code="path-taken")
    path.unlink()
