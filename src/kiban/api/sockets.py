# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the service listens, and the lock that makes it the only one on its state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from kiban.errors import BadInput, Conflict, Failed, NotAllowed
from kiban.keepalive import notice_the_dead
from kiban.paths import Paths, private

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})")
_BACKLOG = 128


@contextmanager
def service_lock(paths: Paths) -> Iterator[None]:
    """Hold the state directory for this process; Conflict when another service has it.

    The kernel lets go of the lock when its holder dies, however that happens.
    """
    try:
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(paths.state / "service.lock", "ab+", buffering=0, opener=private)  # noqa: SIM115  # closed below
    except OSError as error:
        raise NotAllowed(
            f"Cannot write to {paths.state}: {error.strerror}.", "Set KIBAN_STATE to a directory of yours."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            pid = (lock.read(20) or b"").decode(errors="replace").strip() or "unknown"
            raise Conflict(
                f"A service is running on {paths.state} already (pid {pid}).",
                f"Use that one, or stop it: kill {pid}",
                code="service-is-running",
            ) from error
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same; only its holder is not named
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n".encode())
        yield


@contextmanager
def unix_socket(paths: Paths) -> Iterator[socket.socket]:
    """Listen on the service's Unix socket. The caller holds the service lock, so one that is there is a dead one's."""
    _own_directory(paths)
    path = paths.socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
    except OSError as error:
        listener.close()
        hint = "Set KIBAN_RUNTIME to a shorter path." if "too long" in str(error) else ""
        raise Failed(f"Cannot listen on {path}: {error.strerror or error}.", hint) from error
    with listener:
        listener.listen(_BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def tcp_socket(address: str) -> Iterator[socket.socket]:
    """Listen on `host:port` (`[host]:port` for IPv6); port 0 takes a free one."""
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise BadInput(f"{address[:80]!r} is no address to listen on.", "Say HOST:PORT, such as 0.0.0.0:7443.")
    host = match["six"] or match["host"]
    family = socket.AF_INET6 if match["six"] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(match["port"])))
        notice_the_dead(listener)
        listener.listen(_BACKLOG)  # refused where another, who is bound to it as well, has begun to listen meanwhile
    except OSError as error:
        listener.close()
        raise _cannot_listen(address, error) from error
    with listener:
        yield listener


def _cannot_listen(address: str, error: OSError) -> Exception:
    if isinstance(error, PermissionError):
        return NotAllowed(f"Only root may listen on {address}.", "Choose a port from 1024 up.")
    if isinstance(error, socket.gaierror):
        return BadInput(f"{address} is not an address of this host.", "Say an address of this host, or 0.0.0.0.")
    return Conflict(f"Cannot listen on {address}: {error.strerror}.", "Choose another port.", code="port-busy")


def _own_directory(paths: Paths) -> None:
    """Whoever may write to the directory could put a socket of his own there."""
    paths.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = paths.runtime.lstat()
    if info.st_uid != os.geteuid() or info.st_mode & 0o022:
        raise NotAllowed(
            f"{paths.runtime} can be written to by others than you.",
            "Remove it, or set KIBAN_RUNTIME to a directory of your own.",
        )
