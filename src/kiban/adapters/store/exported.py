# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder of an exported machine: made whole or not at all, and read as what it is, a stranger's.

<folder>/kiban-export.json    size and SHA-256 of each of the others
         vm.json, nvram.fd …  as in a machine's directory (see kiban.adapters.store.directory), all side by side
<beside>/.<folder>.part/      being made; nobody's any more once the service that made it is gone
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kiban.adapters.files import replace_file, sync_directory
from kiban.errors import BadInput, Conflict, Failed, HostLacks, NotAllowed, NotFound
from kiban.model.export import MANIFEST, ExportedFile

VERSION = 1
"""Of the manifest; another one is refused."""
_MOST_BYTES = 1 << 20  # of a manifest, which has a line for each of some hundred disks at most
_CHUNK = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_files: TypeAdapter[tuple[ExportedFile, ...]] = TypeAdapter(tuple[ExportedFile, ...])


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` to make its content in; it gets its name in the end, or is removed.

    Raises:
        Conflict: there is something at `path` (folder-exists), or it is being made already (file-busy).
        NotFound, NotAllowed, HostLacks: the folder around it is not there, or cannot be written to.
    """
    target = path.absolute()
    _check_free(target)
    part = target.with_name(f".{target.name}.part")
    lock = _begin(part)
    try:
        yield part
        _finish(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _check_free(target: Path) -> None:
    try:
        taken = target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir())))
    except PermissionError:
        raise NotAllowed(f"{target} may not be looked at.", "Choose another folder.", code="no-access") from None
    except OSError as error:
        raise BadInput(f"{target} cannot be made: {error.strerror}.", "Choose another name.", code="bad-path") from None
    if taken or not target.name:
        raise Conflict(f"{target} exists already.", "Name a folder that is not there yet.", code="folder-exists")
    if target.is_mount():
        raise Conflict(
            f"{target} is a file system of its own.", f"Name a folder in it: {target}/web", code="is-a-mount"
        )


def _begin(part: Path) -> int:
    """Make the hidden folder, or take over what a killed service left of it; returns a locked descriptor of it."""
    try:
        part.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileExistsError:
        raise Conflict(f"{part} is in the way.", "Remove it.", code="folder-exists") from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no folder {part.parent}.", f"mkdir -p {part.parent}", code="no-folder") from None
    except PermissionError:
        raise NotAllowed(f"{part.parent} may not be written to.", "Choose another folder.", code="no-access") from None
    except OSError as error:
        raise HostLacks(f"{part} cannot be made: {error.strerror}.", "Choose another folder.") from error
    try:
        if os.fstat(lock).st_uid != os.geteuid():  # laid there by somebody who would keep reading it
            raise NotAllowed(f"{part} belongs to another user.", "Choose a folder of your own.", code="foreign-file")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not part.exists() or not part.samefile(f"/proc/self/fd/{lock}"):
            raise Conflict(f"{part} has just got its name.", "Choose another folder.", code="folder-exists")
        os.fchmod(lock, 0o700)
        for left in part.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    except BlockingIOError:
        os.close(lock)
        raise Conflict(f"{part} is being made already.", "Wait for that to end: kiban jobs", code="file-busy") from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _finish(part: Path, target: Path) -> None:
    sync_directory(part)
    try:
        part.rename(target)  # onto nothing, or onto an empty folder; the kernel refuses anything else
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise Conflict(f"{target} exists by now.", "Choose another folder.", code="folder-exists") from None
        raise Failed(f"{target} cannot be given its name: {error.strerror}.", "Choose another folder.") from error
    sync_directory(target.parent)


def write_manifest(folder: Path, files: tuple[ExportedFile, ...]) -> None:
    """Write down what is in the folder; raises as `replace_file`."""
    content = {"version": VERSION, "files": _files.dump_python(files, mode="json")}
    replace_file(folder / MANIFEST, json.dumps(content, indent=1).encode() + b"\n")


def write_sums(folder: Path, files: tuple[ExportedFile, ...]) -> None:
    """Write down what is in the folder as sha256sum does, for others; raises as `replace_file`."""
    lines = (f"{file.sha256}  {file.name}\n" for file in files)
    replace_file(folder / "SHA256SUMS", "".join(lines).encode())


def write_ovf_manifest(folder: Path, files: tuple[ExportedFile, ...]) -> None:
    """Write the manifest of an OVF package, as DSP0243 has it; raises as `replace_file`."""
    [name] = [file.name for file in files if file.name.endswith(".ovf")]
    lines = (f"SHA256({file.name})= {file.sha256}\n" for file in files)
    replace_file(folder / f"{name.removesuffix('.ovf')}.mf", "".join(lines).encode())


def read_manifest(folder: Path) -> dict[str, ExportedFile]:
    """What a folder says that it holds, by name, with each file there and of that size; no content is looked at yet.

    Raises:
        NotFound, NotAllowed: a file is missing, or may not be read.
        BadInput: it is not a manifest, of another version, or a file is of another size or no regular file.
    """
    path = folder / MANIFEST
    with opened(path) as descriptor:
        text = os.pread(descriptor, _MOST_BYTES + 1, 0)
    files = _parsed(path, text)
    for file in files.values():
        with opened(folder / file.name) as descriptor:
            size = os.fstat(descriptor).st_size
        if size != file.size:
            raise BadInput(
                f"{folder / file.name} has {size} bytes, not {file.size} as when it was exported.",
                "Copy the folder again.",
                code="wrong-size",
            )
    return files


def _parsed(path: Path, text: bytes) -> dict[str, ExportedFile]:
    try:
        content = json.loads(text) if len(text) <= _MOST_BYTES else None
        version = content.get("version") if isinstance(content, dict) else None
        if isinstance(version, int) and version != VERSION:
            raise BadInput(
                f"{path} is of version {version}; this Kiban reads version {VERSION}.",
                "Use the Kiban that made it, or a newer one.",
                code="other-version",
            )
        files = _files.validate_python(content["files"] if content else None)
    except (ValueError, ValidationError, RecursionError, TypeError, KeyError, AttributeError):
        raise _damaged(path, "it is not what an export writes") from None
    for file in files:
        if not _NAME.fullmatch(file.name) or not _SHA256.fullmatch(file.sha256) or file.name == MANIFEST:
            raise _damaged(path, f"{file.name[:60]!a} is no file of an export")
    if len({file.name for file in files}) != len(files):
        raise _damaged(path, "it names a file twice")
    return {file.name: file for file in files}


def _damaged(path: Path, what: str) -> BadInput:
    return BadInput(f"{path} is damaged: {what}.", "Copy the folder again.", code="damaged-export")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a regular file in a stranger's folder; symbolic links are refused. Raises as `open_regular`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"{path} is missing.", "Copy the folder again.", code="no-file") from None
    except PermissionError:
        raise NotAllowed(f"{path} may not be read.", f"See who owns it: ls -l {path}", code="unreadable-file") from None
    except OSError as error:
        raise BadInput(
            f"{path} is not a file: {error.strerror}.", "Copy the folder again.", code="not-a-file"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadInput(f"{path} is not a file.", "Copy the folder again.", code="not-a-file")
        yield descriptor
    finally:
        os.close(descriptor)


def small(folder: Path, file: ExportedFile, limit: int) -> bytes:
    """The content of a small file, which is what the manifest says; BadInput otherwise, or beyond `limit` bytes."""
    with opened(folder / file.name) as descriptor:
        data = os.pread(descriptor, limit + 1, 0)
    if len(data) > limit:
        raise _damaged(folder / file.name, f"it has more than {limit} bytes")
    check_sum(folder / file.name, file, hashlib.sha256(data).hexdigest())
    return data


def check_sum(path: Path, file: ExportedFile, sha256: str) -> None:
    """BadInput (wrong-checksum) unless a file has the content that it was exported with."""
    if sha256 != file.sha256:
        raise BadInput(
            f"{path} is not what was exported: its SHA-256 is another one.",
            "Copy the folder again.",
            code="wrong-checksum",
        )


async def look(path: Path, done: Callable[[float], None]) -> ExportedFile:
    """A file with its size and SHA-256; `done` is told the fraction. Ends soon when cancelled."""
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(_look, path, done, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        raise


def _look(path: Path, done: Callable[[float], None], stop: threading.Event) -> ExportedFile:
    running, at = hashlib.sha256(), 0
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        while not stop.is_set() and (part := os.pread(descriptor, _CHUNK, at)):
            running.update(part)
            at += len(part)
            done(min(at / size, 1.0))
    return ExportedFile(name=path.name, size=at, sha256=running.hexdigest())
