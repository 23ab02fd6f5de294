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
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.qemu.cmdline import CommandLine, Mode
from kiban.errors import Conflict, Failed, HostLacks, NotAllowed, NotFound

MAX_LOG, KEPT_LOG = 1024**2, 64 * 1024
"""Bytes that QEMU's log may have, and those of its end that stay when it has more."""
CUT = b"(what was said before is gone: there was too much of it)\n"
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
    descriptor = _open_lock(path, os.O_CREAT)
    try:
        if not _lock(descriptor):
            raise Conflict("The machine is running already.", "See which one: kiban ls", code="is-running")
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds a machine's lock. A machine without a lock file never ran."""
    try:
        descriptor = _open_lock(path, 0)
    except NotFound:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist.", "Somebody removed the machine's directory: kiban ls") from None
    except OSError as error:
        raise HostLacks(
            f"Cannot open {path}: {error.strerror}.", f"Look at its folder: ls -la {path.parent}"
        ) from error


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, order=True)
class Holder:
    """A process that holds a lock: one that inherited it, as QEMU does, or one that took it to start a QEMU."""

    inherited: bool
    pid: int


def holders(locks: Sequence[Path]) -> dict[Path, Holder]:
    """The process that holds each lock, by looking at who has the locked file open; who inherited it comes first.

    Asked of the kernel instead of a pid file, which a hijacked QEMU could rewrite to have another process killed. Who
    merely has the file open, a backup for example, does not hold the lock and must not be taken for the machine.
    """
    wanted = {(st.st_dev, st.st_ino): path for path in locks if (st := _stat(path))}
    found: dict[Path, Holder] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            for key, descriptor in _open_files(directory / "fd"):
                if key in wanted and (info := _lock_info(directory / "fdinfo" / descriptor)):
                    holder = Holder(not _closed_on_exec(info), int(directory.name))
                    found[wanted[key]] = max(holder, found.get(wanted[key], holder))
    return found


def _lock_info(fdinfo: Path) -> str:
    """What the kernel says of an open file that holds a lock; nothing of one that holds none."""
    # proc_pid_fdinfo(5): a "lock:" line for each lock that this open file, wherever it was inherited, holds
    try:
        info = fdinfo.read_text()
    except OSError:
        return ""
    return info if any(line.startswith("lock:") and "FLOCK" in line for line in info.splitlines()) else ""


def _closed_on_exec(info: str) -> bool:
    # the same page: O_CLOEXEC is shown among the flags, in octal, although it belongs to the descriptor
    return any(line.startswith("flags:") and int(line.split()[1], 8) & os.O_CLOEXEC for line in info.splitlines())


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _open_files(directory: Path) -> Iterator[tuple[tuple[int, int], str]]:
    # processes end, and close files, while we look
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            with contextlib.suppress(OSError):
                st = entry.stat()
                yield (st.st_dev, st.st_ino), entry.name


def open_file(path: Path, mode: Mode) -> int:
    """Open a file for QEMU; NotFound or NotAllowed with a sentence that names it."""
    try:
        return os.open(path, FLAGS[mode] | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist.", "Put the file back, or remove the device that uses it.") from None
    except PermissionError:
        what = "read" if mode == "ro" else "write"
        raise NotAllowed(f"You may not {what} {path}.", f"Look at its owner and mode: ls -l {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise Failed(f"Cannot open {path}: {why}.", f"Look at it: ls -ld {path}") from error


def spawn(line: CommandLine, *, inherit: Sequence[int], log: Path, owner: Account) -> subprocess.Popen[bytes]:
    """Start QEMU in a session of its own, so that it outlives whoever started it.

    Args:
        line: the command line, with the files it wants opened.
        inherit: descriptors that keep their numbers in QEMU: the lock and the listening sockets.
        log: file for QEMU's standard output and error; the one of the start before becomes NAME.1.
        owner: who QEMU runs as; only root may name somebody else.
    """
    argv = list(line.argv)
    with contextlib.ExitStack() as stack:
        descriptors = list(inherit)
        for file in line.files:
            descriptor = file.descriptor
            if descriptor is None:
                descriptor = open_file(file.path, file.mode)
                stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
            argv[1:1] = ["-add-fd", f"fd={descriptor},set={file.number},opaque={file.path.name.replace(',', ',,')}"]
        output = _open_log(log)
        stack.callback(os.close, output)
        if not shutil.which(argv[0]):
            raise HostLacks(f"{argv[0]} is not installed.", "apt install qemu-system-x86")
        try:
            return subprocess.Popen(
                [*_as_user(owner), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=descriptors,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Failed(f"{argv[0]} cannot be run as {owner.name}: {error}.", "See also: kiban doctor") from error


def _as_user(owner: Account) -> list[str]:
    """What turns this process into `owner` before it becomes QEMU; nothing for its own user.

    Popen's own `user=` would have the whole service forked, page tables and all, which takes longer than this program:
    a process that only executes another one shares the memory of its parent until then (vfork).
    """
    if owner.uid == os.geteuid():
        return []
    # the groups of that account only: kvm, for one, whose device its members may open
    groups = ",".join(str(group) for group in os.getgrouplist(owner.name, owner.gid))
    return ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", f"--groups={groups}", "--no-new-privs", "--"]


def _open_log(path: Path) -> int:
    """A new log; the one of the start before is kept beside it."""
    try:
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name(f"{path.name}.1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostLacks(f"Cannot write {path}: {error.strerror}.", "Look at the free space: df -h") from error


def shorten_log(path: Path) -> bool:
    """Keep the end of a log that has become too long, under the hands of the QEMU that writes it; whether it was.

    QEMU appends (O_APPEND), so after the file was emptied its next line is the next line of the file. What it says
    between the reading and the emptying is lost. No pipe with a reader could do this: QEMU outlives the service.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= MAX_LOG:
                return False
            file.seek(-KEPT_LOG, os.SEEK_END)
            end = file.read(KEPT_LOG).partition(b"\n")[2]
            file.truncate(0)
        with path.open("ab", buffering=0) as file:
            file.write(CUT + end)
    except OSError:
        return False  # the machine was removed, or the disk is full: there is always the next time
    return True


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
    # what a guest made QEMU say must not steer the terminal that shows it
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text.partition("qemu-system-x86_64: ")[2] or text
