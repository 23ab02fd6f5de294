# SPDX-License-Identifier: GPL-2.0-or-later
"""How an image comes to its place: made under a hidden name beside it, flushed, and renamed once it is whole.

Whatever happens before the rename, a kill or a full disk, what was there is there still.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from kiban.adapters.files import open_regular, sync_directory
from kiban.adapters.whole import finished, in_thread
from kiban.errors import BadInput, Conflict, Failed, HostLacks, NotAllowed, NotFound

_SYNC_FILE_RANGE_WRITE = 2
_WRITE_BACK_SECONDS = 0.1
_END_SECONDS = 2.0


def new_file(path: Path) -> Path:
    """The absolute path of a file to be; Conflict when there is something of that name."""
    target = path.absolute()  # an absolute path is never taken for a protocol ("nbd:...") by QEMU
    if target.exists() or target.is_symlink():
        raise Conflict(f"{target} exists already.", "Choose another name, or remove it", code="file-exists")
    return target


@contextmanager
def unfinished(target: Path) -> Iterator[tuple[Path, int]]:
    """The hidden file beside `target` in which it is made, locked, and removed in the end whatever happens.

    qemu-img inherits the lock, so that one which outlives a killed service still keeps others off the file.
    """
    part = _part(target)
    try:
        lock = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no folder {target.parent}.", f"mkdir -p {target.parent}", code="no-folder") from None
    except PermissionError:
        raise NotAllowed(f"{target.parent} may not be written to.", "Choose another folder", code="no-access") from None
    except OSError as error:
        raise BadInput(f"{target} cannot be made: {error.strerror}.", "Choose another name", code="bad-path") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{target} is being made already.", "Wait for that to end", code="file-busy") from None
        if not part.exists() or not part.samefile(f"/proc/self/fd/{lock}"):
            raise Conflict(f"{target} was made just now.", "Choose another name", code="file-exists")
        if os.fstat(lock).st_uid != os.geteuid():  # laid there in a shared folder by somebody who would keep reading it
            raise NotAllowed(f"{part} belongs to another user.", "Choose a folder of your own", code="foreign-file")
        try:
            yield part, lock
        finally:
            part.unlink(missing_ok=True)
    finally:
        os.close(lock)


@asynccontextmanager
async def written_back(descriptor: int) -> AsyncIterator[None]:
    """Let what is written to a file meanwhile go to the disk at once; `finish` would wait for all of it in the end."""

    async def go() -> None:
        while True:
            await asyncio.sleep(_WRITE_BACK_SECONDS)
            await in_thread(begin_write_back, descriptor)

    task = asyncio.create_task(go())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def begin_write_back(descriptor: int) -> None:
    """sync_file_range(2) over a whole file. It makes nothing durable; where it is not possible, nothing happens."""
    libc = ctypes.CDLL(None)
    libc.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def remove_part(target: Path) -> None:
    """Remove the hidden file that a killed process left beside `target`. Conflict while somebody works with it."""
    part = _part(target)
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        wait_for(descriptor, part)
        part.unlink()
    finally:
        os.close(descriptor)


def wait_for(descriptor: int, path: Path) -> None:
    """Lock an open file that a tool of a killed service had, which ends at once; Conflict when somebody else has it."""
    limit = time.monotonic() + _END_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                raise Conflict(
                    f"Somebody is working with {path}.", f"See who: fuser -v {path}", code="file-busy"
                ) from None
            time.sleep(0.02)
        else:
            return


async def finish(part: Path, target: Path) -> None:
    """Give the image its name, durably, and never in the place of a file that appeared meanwhile.

    Who is cancelled before it has its name leaves nothing; who is cancelled while it gets it hears of that afterwards.
    """
    await in_thread(_flush, part)
    await finished(asyncio.to_thread(_rename_noreplace, part, target))
    await finished(asyncio.to_thread(sync_directory, target.parent))


async def finish_over(part: Path, target: Path, old: os.stat_result) -> None:
    """Put a whole new image in the place of an old one, durably, with the old one's owner and mode; cancelled as above.

    Conflict when `target` is not the file `old` any more, or was written to since.
    """
    await in_thread(_flush, part, old)
    await finished(asyncio.to_thread(_rename_over, part, target, old))
    await finished(asyncio.to_thread(sync_directory, target.parent))


def _flush(part: Path, old: os.stat_result | None = None) -> None:
    with open_regular(part) as descriptor:
        if old is not None:
            _be_like(descriptor, old)
        os.fsync(descriptor)


def _be_like(descriptor: int, old: os.stat_result) -> None:
    os.fchmod(descriptor, old.st_mode & 0o7777)
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)


def _rename_over(part: Path, target: Path, old: os.stat_result) -> None:
    now = target.stat()
    if (now.st_dev, now.st_ino, now.st_mtime_ns) != (old.st_dev, old.st_ino, old.st_mtime_ns):
        raise Conflict(f"{target} was changed meanwhile.", "See who else uses it, then try again", code="file-busy")
    part.rename(target)


def _rename_noreplace(part: Path, target: Path) -> None:
    """renameat2(2) with RENAME_NOREPLACE. A hard link would do the same in two steps, and a process killed between
    them would leave two names of one disk, the hidden one to be overwritten by the next creation.
    """
    at_fdcwd, rename_noreplace = -100, 1
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_fdcwd, os.fsencode(part), at_fdcwd, os.fsencode(target), rename_noreplace) == 0:
        return
    reason = ctypes.get_errno()
    if reason == errno.EINVAL and not target.exists():  # a file system that cannot, such as NFS
        part.rename(target)
        return
    if reason in (errno.EEXIST, errno.EINVAL):
        raise Conflict(f"{target} exists already.", "Choose another name, or remove it", code="file-exists")
    raise Failed(f"{target} cannot be given its name: {os.strerror(reason)}.", "See the folder", code="create-failed")


def take_room(descriptor: int, target: Path) -> None:
    """Fill the holes: QEMU 7.2 makes even a fixed VHDX as a sparse file, which takes its room only when written to."""
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise Failed(f"{target} cannot be given its room: {error.strerror}.", "Make it without fixed") from error
        raise no_space(target) from None


def no_space(target: Path) -> HostLacks:
    """The error of a disk that became full."""
    return HostLacks(f"There is no space left for {target}.", "Free some, or choose another folder", code="no-space")
