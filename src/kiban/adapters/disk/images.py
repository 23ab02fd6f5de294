# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images: made whole or not at all, and looked at without trusting them.

A format is always named by the caller and handed to QEMU by name, since a guest can write any format's mark into the
first sector of its raw disk. References to other files are refused, never followed.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.disk.formats import ImageFormat, check_size, image_format
from kiban.adapters.disk.headers import check_header
from kiban.adapters.disk.space import require_space
from kiban.adapters.disk.tool import Outcome, qemu_img
from kiban.adapters.files import open_regular, sync_directory
from kiban.errors import BadInput, Conflict, Failed, HostLacks, NotAllowed, NotFound
from kiban.model.units import format_size

_INSPECT_SECONDS = 30.0
_INSPECT_LIMITS = ("--cpu=10", "--fsize=0")  # it has nothing to write

# what an image takes beyond its contents when it is made with all its room: tables and logs, generously
_OVERHEAD = 1.002
_OVERHEAD_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that stands on its own: sizes in bytes, `actual_size` being what its file takes on the host's disk."""

    path: Path
    format: str
    virtual_size: int
    actual_size: int


async def create(path: Path, format: str, size_bytes: int, *, fixed: bool = False) -> None:
    """Make a new, empty disk image of exactly `size_bytes`, for its owner's eyes only (mode 0600).

    `fixed` takes all the room at once (Hyper-V's fixed disk); otherwise the file grows, or is sparse (raw). Nothing of
    that name is there before the image is whole; a hidden ".NAME.part" that a killed process left is used again.

    Raises:
        BadInput: an unknown format, or a size that it cannot have.
        Conflict: something of that name exists, or is being made.
        NotFound, NotAllowed: the folder.
        HostLacks: no qemu-img, or not enough space.
        Failed: qemu-img did not do it.
    """
    form = image_format(format)
    check_size(form, size_bytes)
    target = _new_file(path)
    if fixed:
        await asyncio.to_thread(require_space, target, int(size_bytes * _OVERHEAD) + _OVERHEAD_BYTES)
    with _unfinished(target) as (part, lock):
        arguments = ["create", "-q", "-f", form.driver, *_options(form, fixed), str(part), str(size_bytes)]
        _check_created(target, await qemu_img(*arguments, keep=(lock,)))
        if fixed:
            await asyncio.to_thread(_take_room, lock, target)
        await asyncio.to_thread(_finish, part, target)


def _new_file(path: Path) -> Path:
    target = path.absolute()  # an absolute path is never taken for a protocol ("nbd:...") by QEMU
    if target.exists() or target.is_symlink():
        raise Conflict(f"{target} exists already.", "choose another name, or remove it", code="file-exists")
    return target


def _options(form: ImageFormat, fixed: bool) -> list[str]:
    subformat = f"subformat={'fixed' if fixed else 'dynamic'}"
    options = {
        "qcow2": ["preallocation=metadata"] if fixed else [],
        "raw": [],
        "vhdx": [subformat],
        "vhd": [subformat, "force_size=on"],  # without it QEMU rounds the size up to a cylinder
    }[form.name]
    return [word for option in options for word in ("-o", option)]


def _take_room(descriptor: int, target: Path) -> None:
    """Fill the holes: QEMU 7.2 makes even a fixed VHDX as a sparse file, which takes its room only when written to."""
    try:
        os.posix_fallocate(descriptor, 0, os.fstat(descriptor).st_size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise Failed(f"{target} cannot be given its room: {error.strerror}.", "make it without fixed") from error
        raise _no_space(target) from None


def _no_space(target: Path) -> HostLacks:
    return HostLacks(f"There is no space left for {target}.", "free some, or choose another folder", code="no-space")


@contextmanager
def _unfinished(target: Path) -> Iterator[tuple[Path, int]]:
    """The hidden file beside `target` in which it is made, locked, and removed in the end whatever happens.

    qemu-img inherits the lock, so that one which outlives a killed service still keeps others off the file.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        lock = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no folder {target.parent}.", f"mkdir -p {target.parent}", code="no-folder") from None
    except PermissionError:
        raise NotAllowed(f"{target.parent} may not be written to.", "choose another folder", code="no-access") from None
    except OSError as error:
        raise BadInput(f"{target} cannot be made: {error.strerror}.", "choose another name", code="bad-path") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{target} is being made already.", "wait for that to end", code="file-busy") from None
        if not part.exists() or not part.samefile(f"/proc/self/fd/{lock}"):
            raise Conflict(f"{target} was made just now.", "choose another name", code="file-exists")
        if os.fstat(lock).st_uid != os.geteuid():  # laid there in a shared folder by somebody who would keep reading it
            raise NotAllowed(f"{part} belongs to another user.", "choose a folder of your own", code="foreign-file")
        try:
            yield part, lock
        finally:
            part.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _finish(part: Path, target: Path) -> None:
    """Give the image its name, durably, and never in the place of a file that appeared meanwhile."""
    with open_regular(part) as descriptor:
        os.fsync(descriptor)
    _rename_noreplace(part, target)
    sync_directory(target.parent)


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
        raise Conflict(f"{target} exists already.", "choose another name, or remove it", code="file-exists")
    raise Failed(f"{target} cannot be given its name: {os.strerror(reason)}.", "see the folder", code="create-failed")


def _check_created(target: Path, outcome: Outcome) -> None:
    if outcome.status == 0:
        return
    reason = _last_line(outcome.complaint)
    if os.strerror(errno.ENOSPC) in reason:
        raise _no_space(target)
    raise Failed(f"qemu-img could not make {target}: {reason}.", "see kiban doctor", code="create-failed")


async def inspect(path: Path, format: str) -> ImageInfo:
    """What an image is, opened as the named format and nothing else.

    For the moment at which a disk is given to a machine, not for each start: a guest may write another format's mark
    on its raw disk, which would then be refused.

    Raises:
        NotFound, NotAllowed: the file.
        BadInput: not a regular file, not of that format, damaged, encrypted, or a part of a chain; the code says which.
        HostLacks, TimedOut, Failed: about qemu-img.
    """
    form = image_format(format)
    with open_regular(path) as descriptor:
        await asyncio.to_thread(check_header, descriptor, path, form)
        # by descriptor: what was checked is what is opened, even if the name is given to another file meanwhile
        outcome = await qemu_img(
            "info", "--output=json", _file_of(form, descriptor), limits=_INSPECT_LIMITS, timeout=_INSPECT_SECONDS,
            keep=(descriptor,),
        )  # fmt: skip
        actual = os.fstat(descriptor).st_blocks * 512
    if outcome.status != 0:
        raise BadInput(
            f"{path} cannot be opened as {form.name}: {_last_line(outcome.complaint)}.",
            "take the image from its source again; a VHDX that was not closed must be opened by Hyper-V once",
            code="damaged-image",
        )
    return ImageInfo(path, form.name, _virtual_size(path, form, outcome.output), actual)


def _file_of(form: ImageFormat, descriptor: int) -> str:
    """QEMU's pseudo-protocol json:, in which a name can mean nothing but itself and no other file is opened.

    Locking is off since a running machine holds its own lock, and reading a header cannot harm it.
    """
    file = {"driver": "file", "filename": f"/proc/self/fd/{descriptor}", "locking": "off"}
    node: dict[str, object] = {"driver": form.driver, "read-only": True, "file": file}
    if form.name == "qcow2":
        node["backing"] = None
    return "json:" + json.dumps(node)


def _virtual_size(path: Path, form: ImageFormat, output: str) -> int:
    try:
        size = json.loads(output)["virtual-size"]
    except (ValueError, TypeError, KeyError):
        raise Failed("qemu-img info said nothing intelligible.", "see kiban doctor", code="bad-tool") from None
    if not isinstance(size, int) or not 0 < size <= form.largest:
        shown = format_size(size) if isinstance(size, int) else "no size"
        raise BadInput(
            f"{path} claims to be a disk of {shown}, which no {form.name} disk may be.",
            f"the largest is {format_size(form.largest)}",
            code="damaged-image",
        )
    return size


def _last_line(complaint: str) -> str:
    """The reason out of qemu-img's "qemu-img: Could not open 'json:...': reason", without the name it was given."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    reason = lines[-1].rsplit("': ", 1)[-1] if lines else "it did not say why"
    return "".join(c for c in reason.removeprefix("qemu-img: ") if c.isprintable())[:300].rstrip(".")
