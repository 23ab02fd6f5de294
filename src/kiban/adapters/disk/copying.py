# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of an image's file as it is: by reflink where the file system has them, else in the kernel, without holes."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from kiban.adapters.disk.placing import begin_write_back, no_space
from kiban.adapters.disk.space import require_space
from kiban.errors import Failed

Done = Callable[[float], None]
"""Is told which fraction of the work is done, perhaps from another thread."""
_FICLONE = 0x40049409  # ioctl_ficlone(2)
_PIECE = 32 << 20
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_NO_CLONE = {*_NO_KERNEL_COPY, errno.ENOTTY, errno.EPERM, errno.ETXTBSY}


def nothing(fraction: float) -> None:
    """A Done for callers that do not care."""


async def copy_into(source: int, target: int, name: Path, done: Done = nothing) -> None:
    """Make the open file `target` a copy of the open file `source`; errors call it `name`. Ends soon when cancelled.

    Raises HostLacks (no-space) for a full disk, Failed when it cannot be read or written.
    """
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(_copy, source, target, name, done, stop))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})  # it uses descriptors that the caller closes
        raise


def _copy(source: int, target: int, name: Path, done: Done, stop: threading.Event) -> None:
    size = os.fstat(source).st_size
    try:
        os.ftruncate(target, 0)  # what a killed copy left
        if not _cloned(source, target):
            require_space(name, os.fstat(source).st_blocks * 512)
            os.ftruncate(target, size)
            for start, end in _data(source, size):
                _copy_range(source, target, (start, end), lambda at: done(at / size), stop)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_space(name) from None
        raise Failed(f"{name} could not be made: {error.strerror}.", "Look at the disks: dmesg") from error
    if not stop.is_set() and os.fstat(target).st_size != size:
        raise Failed(f"{name} did not become what it is a copy of.", "Try again when nobody writes to the source")


def _cloned(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in _NO_CLONE:
            raise
        return False
    return True


def _data(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file is no hole: start and end of each piece."""
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            raise
        at = os.lseek(source, start, os.SEEK_HOLE)
        yield start, min(at, size)


def _copy_range(
    source: int, target: int, piece: tuple[int, int], tell: Callable[[int], None], stop: threading.Event
) -> None:
    start, end = piece
    while start < end and not stop.is_set():
        try:
            moved = os.copy_file_range(source, target, min(_PIECE, end - start), start, start)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
            moved = os.pwrite(target, os.pread(source, min(_PIECE, end - start), start), start)
        if moved == 0:  # the source was cut off meanwhile; the sizes will differ
            os.ftruncate(target, start)
            return
        start += moved
        begin_write_back(target)
        tell(start)
