# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's process: how it is started, found again and ended.

A machine's lock file is locked here and inherited by QEMU, so the lock lives exactly as long as that QEMU does, whoever
started it and whatever became of them. That makes the lock the one proof that a machine is running.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.qemu.cmdline import CommandLine, Mode
from kiban.errors import BadInput, Conflict, Failed, HostLacks, NotAllowed, NotFound

FLAGS: dict[Mode, int] = {
    "ro": os.O_RDONLY,
    "rw": os.O_RDWR,
    "append": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
}


@dataclass(frozen=True)
class Account:
    """The user that QEMU runs as."""

    name: str
    uid: int
    gid: int


def account(name: str = "kiban-qemu") -> Account:
    """The unprivileged user for QEMU: the system user `name` for root, else the caller itself."""
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise HostLacks(
            f"There is no user {name} for QEMU to run as.",
            f"Make it: useradd --system --no-create-home --shell /usr/sbin/nologin {name}",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a machine's lock; Conflict when a QEMU has it. Yields the descriptor for QEMU to inherit."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict("The machine is running already.", "See which one: kiban ls", code="is-running") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds a machine's lock. A machine without a lock file never ran."""
    try:
        with locked(path):
            return False
    except Conflict:
        return True


def holders(locks: Sequence[Path]) -> dict[Path, int]:
    """The process that holds each lock, by looking at who has the file open.

    Asked of the kernel instead of a pid file, which a hijacked QEMU could rewrite to have another process killed.
    """
    wanted = {(st.st_dev, st.st_ino): path for path in locks if (st := _stat(path))}
    found: dict[Path, int] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            for key in _open_files(directory / "fd"):
                if key in wanted:
                    found[wanted[key]] = int(directory.name)
    return found


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _open_files(directory: Path) -> Iterator[tuple[int, int]]:
    # processes end, and close files, while we look
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            with contextlib.suppress(OSError):
                st = entry.stat()
                yield st.st_dev, st.st_ino


def listen(path: Path, owner: Account) -> socket.socket:
    """A listening Unix socket for QEMU to inherit: whoever connects finds it there before QEMU has even started."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(str(path))
        path.chmod(0o600)
        os.chown(path, owner.uid, owner.gid)
        server.listen(8)
    except OSError as error:
        server.close()
        raise BadInput(f"Cannot listen on {path}: {error.strerror or error}.", "Choose another path.") from error
    return server


def open_file(path: Path, mode: Mode) -> int:
    """Open a file for QEMU; NotFound or NotAllowed with a sentence that names it."""
    try:
        return os.open(path, FLAGS[mode] | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist.", "Put the file back, or remove the device that uses it.") from None
    except PermissionError:
        what = "read" if mode == "ro" else "write"
        raise NotAllowed(f"You may not {what} {path}.", f"Look at its owner and mode: ls -l {path}") from None
    except OSError as error:
        raise Failed(f"Cannot open {path}: {error.strerror}.") from error


def spawn(line: CommandLine, *, inherit: Sequence[int], log: Path, owner: Account) -> subprocess.Popen[bytes]:
    """Start QEMU in a session of its own, so that it outlives whoever started it.

    Args:
        line: the command line, with the files it wants opened.
        inherit: descriptors that keep their numbers in QEMU: the lock and the listening sockets.
        log: file for QEMU's standard output and error, emptied first.
        owner: who QEMU runs as; only root may name somebody else.
    """
    argv = list(line.argv)
    with contextlib.ExitStack() as stack:
        descriptors = list(inherit)
        for file in line.files:
            descriptor = open_file(file.path, file.mode)
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
            argv[1:1] = ["-add-fd", f"fd={descriptor},set={file.number},opaque={file.path.name.replace(',', ',,')}"]
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, output)
        other = owner.uid != os.geteuid()
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=descriptors,
                cwd="/",
                start_new_session=True,
                user=owner.uid if other else None,
                group=owner.gid if other else None,
                extra_groups=[] if other else None,
            )
        except FileNotFoundError:
            raise HostLacks(f"{argv[0]} is not installed.", "apt install qemu-system-x86") from None


class Ended:
    """Waits for the end of a process, ours or adopted, by its pidfd: no polling, and no mistaking a reused pid."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self._child = child
        self._pidfd = os.pidfd_open(pid)
        self._event = asyncio.Event()
        self.status: int | None = None  # as of subprocess; None for a process that is not our child
        asyncio.get_running_loop().add_reader(self._pidfd, self._ready)

    def _ready(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        if self._child:
            self.status = self._child.wait()
        os.close(self._pidfd)
        self._pidfd = -1
        self._event.set()

    @property
    def over(self) -> bool:
        """Whether the process has ended."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Until the process has ended."""
        await self._event.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Stop waiting; the process goes on."""
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1


def last_words(log: Path, limit: int = 2000) -> str:
    """The end of what QEMU said, as one line without its time stamps; a guest can make QEMU say a lot."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - limit))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    text = lines[-1] if lines else ""
    return text.partition("qemu-system-x86_64: ")[2] or text
