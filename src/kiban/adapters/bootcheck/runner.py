# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks the confined child what the firmware would load: opens the media, starts it, waits for it, ends it.

The child gets open files and never a path, no environment, and nothing of the service but the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from kiban.adapters.bootcheck import exchange
from kiban.adapters.bootcheck.exchange import Asked, Descriptor, Opened
from kiban.adapters.whole import in_thread
from kiban.errors import BadInput, Failed, HostLacks, NotAllowed, NotFound, TimedOut
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Trust

SECONDS = 20.0
"""How long a child may take; half a second is usual."""
NOBODY = 65534
MOST_MEDIA = 64
MOST_FILES = 200
"""Files of a network folder that the child is given, the boot file and its neighbours first."""
_MOST_LOOKED_AT = 5000
_ANSWER_LIMIT = 1 << 20
_WORDS_LIMIT = 4000
_CHUNK = 1 << 16
_log = logging.getLogger(__name__)

# `-I -S` keeps the environment, the working directory and everybody's site hooks out of the child; the service's own
# import path, which it needs instead, is its last argument.
_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); "
    "from kiban.adapters.bootcheck.child import main; main()"
)


async def explain(
    media: Sequence[Medium],
    trust: Trust,
    *,
    asked: Asked | None = None,
    uid: int = NOBODY,
    gid: int = NOBODY,
    seconds: float = SECONDS,
) -> Report:
    """What the firmware would load from `media`, tried in their order, and whether it may.

    Args:
        media: at most MOST_MEDIA are looked at.
        trust: what the firmware and shim trust.
        asked: what the hint is to name.
        uid, gid: who the child becomes when the service is root's.
        seconds: after which the child is ended.

    Raises:
        NotFound, NotAllowed, BadInput: a medium cannot be opened, or is no file, block device or folder.
        Damaged: the media cannot be looked at, in a sentence. Failed: the child ended without an answer.
        TimedOut: it took too long. HostLacks: there is no libseccomp or no seccomp.
    """
    with contextlib.ExitStack() as stack:
        opened = await in_thread(_open_all, stack, media[:MOST_MEDIA])
        return await _ask(opened, exchange.question(opened, trust, asked or Asked()), (uid, gid), seconds)


async def _ask(opened: Sequence[Opened], question: bytes, owner: tuple[int, int], seconds: float) -> Report:
    child = await _start([fd for medium in opened for fd, _ in medium.files.values()], owner)
    try:
        async with asyncio.timeout(seconds):
            _, text, words = await asyncio.gather(
                _write(child, question),
                _read(child.stdout, _ANSWER_LIMIT),
                _read(child.stderr, _WORDS_LIMIT),
            )
            status = await child.wait()
    except TimeoutError:
        raise TimedOut(
            f"Looking at {_named(opened)} took longer than {seconds:.0f} s and was stopped.",
            "The medium may be damaged, or made to take long; do not boot it.",
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # what is left in its pipes; asyncio sees no end of a process before theirs
    if status != 0 or not text:
        _log.warning("the check of boot media ended with %s: %s", status, words.decode(errors="replace"))
        raise Failed(
            f"Looking at {_named(opened)} ended without an answer ({_why(status)}).",
            "The medium may be damaged; the service's log has the details.",
        )
    return exchange.read_answer(text)


def _why(status: int) -> str:
    if status == -31:  # SIGSYS
        return "it tried what its sandbox forbids"
    return f"signal {-status}" if status < 0 else f"exit code {status}"


def _named(opened: Sequence[Opened]) -> str:
    return ", ".join(dict.fromkeys(medium.medium.device for medium in opened)) or "nothing"


async def _start(descriptors: Sequence[int], owner: tuple[int, int]) -> asyncio.subprocess.Process:
    package = str(Path(__file__).parents[3])
    path = json.dumps([package, *(entry for entry in sys.path if os.path.isabs(entry))])  # noqa: PTH117  # strings
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, *map(str, owner), path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=tuple(set(descriptors)),
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise HostLacks(
            f"No process can be started to look at media: {error.strerror}.", "See also: kiban doctor"
        ) from error


async def _write(child: asyncio.subprocess.Process, question: bytes) -> None:
    pipe = child.stdin
    assert pipe is not None  # noqa: S101  # it was asked for
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end says why
        pipe.write(question)
        await pipe.drain()
    pipe.close()


async def _read(pipe: asyncio.StreamReader | None, limit: int) -> bytes:
    """All that comes up to its end, of which no more than `limit` bytes are kept."""
    assert pipe is not None  # noqa: S101  # it was asked for
    text = b""
    while part := await pipe.read(_CHUNK):
        text += part[: limit - len(text)]
    return text


def _open_all(stack: contextlib.ExitStack, media: Sequence[Medium]) -> list[Opened]:
    known: dict[str, dict[str, Descriptor]] = {}
    found = []
    for medium in media:
        if medium.path not in known:
            known[medium.path] = _open(stack, medium)
        found.append(Opened(medium, known[medium.path]))
    return found


def _open(stack: contextlib.ExitStack, medium: Medium) -> dict[str, Descriptor]:
    if medium.kind == "none":
        return {}
    if medium.kind == "folder":
        return _open_folder(stack, Path(medium.path), medium.loader)
    parents = {exchange.parent_name(number): path for number, (path, _) in enumerate(medium.parents, start=1)}
    return {name: _open_file(stack, path) for name, path in {"": medium.path, **parents}.items()}


def _open_file(stack: contextlib.ExitStack, path: str) -> Descriptor:
    descriptor = open_medium(path)
    stack.callback(os.close, descriptor)
    return descriptor, os.lseek(descriptor, 0, os.SEEK_END)


def open_medium(path: str) -> int:
    """Open a regular file or block device for reading; NotFound, NotAllowed or BadInput in a sentence."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist.", f"ls -l {Path(path).parent}", code="no-medium") from None
    except PermissionError:
        raise NotAllowed(f"{path} cannot be read.", f"Look at its owner and mode: ls -l {path}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path} cannot be opened: {why}.") from None
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        os.close(descriptor)
        raise BadInput(f"{path} is neither a file nor a block device.", "Name an ISO, a disk image or a folder.")
    return descriptor


def _open_folder(stack: contextlib.ExitStack, folder: Path, first: str) -> dict[str, Descriptor]:
    try:
        root = folder.resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotFound(f"The network boot folder {folder} does not exist.", f"ls -ld {folder}") from None
    found: dict[str, Descriptor] = {}
    for name in _names(root, first):
        if len(found) >= MOST_FILES:
            break
        if name not in found and (descriptor := _open_inside(root, name)) is not None:
            stack.callback(os.close, descriptor)
            found[name] = descriptor, os.fstat(descriptor).st_size
    return found


def _names(root: Path, first: str) -> Iterator[str]:
    """Names of files below a folder: the boot file, what lies beside and below it, and then the others."""
    start = PurePosixPath(first.replace("\\", "/").strip("/"))
    yield str(start)
    looked_at = 0
    for top in dict.fromkeys([root if ".." in start.parts else (root / start).parent, root]):
        for directory, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                yield str((Path(directory) / name).relative_to(root))
            looked_at += len(files) + len(folders)
            if looked_at > _MOST_LOOKED_AT:
                return


def _open_inside(root: Path, name: str) -> int | None:
    """A regular file of the folder; links may lead about in it, but not out of it, not even when they change now."""
    try:
        descriptor = os.open(root / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):
        return None
    real = Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  # not a link to follow, a name to read
    if stat.S_ISREG(os.fstat(descriptor).st_mode) and real.is_relative_to(root):
        return descriptor
    os.close(descriptor)
    return None
