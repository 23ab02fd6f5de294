# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts the user's own service when none runs: through systemd where its unit is enabled.

Clients that come at the same time queue at a lock; the first starts the service and waits for the byte that it writes
once it is up, or for its end. The others then find it running.
"""

from __future__ import annotations

import os
import socket

from kiban.client.transport import connect_unix
from kiban.errors import NoService, NotAllowed
from kiban.paths import Paths, default_socket, private

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0
"""Seconds a service may take to start in: it first takes on all machines that run."""
_LOG_LIMIT = 1024**2
_SHOWN = 5


def connect_local(*, start: bool) -> socket.socket:
    """A connection to this user's own service; NoService when there is none and none may or can be started."""
    path = default_socket()
    try:
        return connect_unix(path)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        if not start:
            raise NoService("No service is running.", "Start one: kiban serve") from error
    except OSError as error:
        hint = "Set KIBAN_RUNTIME to a shorter path." if "too long" in str(error) else ""
        raise NoService(f"Cannot reach the service at {path}: {error.strerror or error}.", hint) from error
    return _start(Paths.default())


def _start(paths: Paths) -> socket.socket:
    import fcntl

    from kiban.client import unit

    try:
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(paths.state / "start.lock", "w", opener=private)  # noqa: SIM115  # closed below
    except OSError as error:
        raise NotAllowed(f"Cannot write to {paths.state}: {error.strerror}.", "Set KIBAN_STATE.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever holds it lets go after PATIENCE at the latest
        try:
            return connect_unix(str(paths.socket))
        except (FileNotFoundError, ConnectionRefusedError):
            if not unit.start(paths, PATIENCE):
                _spawn(paths)
        return _reach(paths)


def _reach(paths: Paths) -> socket.socket:
    try:
        return connect_unix(str(paths.socket))
    except OSError as error:
        raise NoService(
            f"A service holds {paths.state}, but nobody listens on {paths.socket}.",
            "Wait until it is up, or stop it; its process id is in service.lock there.",
        ) from error


def _spawn(paths: Paths) -> None:
    import select
    import subprocess
    import sys
    import threading

    log = _log(paths.log)
    before = log.stat().st_size
    reader, writer = os.pipe()
    own = {"KIBAN_READY_FD": str(writer), "KIBAN_STATE": str(paths.state), "KIBAN_RUNTIME": str(paths.runtime)}
    with log.open("ab") as output, open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
        service = subprocess.Popen(
            [sys.executable, "-m", "kiban.api"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | own,
            start_new_session=True,
            pass_fds=(writer,),
        )
        os.close(writer)
        told = bool(select.select([pipe], [], [], PATIENCE)[0])
        if not told or pipe.read(1) != b"1":
            # without a word it has ended, which the kernel says a moment later than that its end of the pipe is closed
            if told and service.wait() == 4:  # Conflict: somebody else's `kiban serve` was faster
                return
            raise NoService(f"The service did not start; its log is {log}.", _tail(log, before))
    # it outlives this process; but while this one lives, it is the parent, and has to take note of the service's end
    threading.Thread(target=service.wait, daemon=True).start()


def _log(path: Path) -> Path:
    """The log, without growing for ever: one old one is kept."""
    path.touch(mode=0o600)
    if path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
        path.touch(mode=0o600)
    return path


def _tail(path: Path, start: int) -> str:
    with path.open("rb") as log:
        log.seek(max(start, path.stat().st_size - 8192))
        lines = log.read(8192).decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-_SHOWN:]) or "It wrote nothing to its log."
