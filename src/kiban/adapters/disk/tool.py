# SPDX-License-Identifier: GPL-2.0-or-later
"""Running qemu-img as a child on a short leash: limits on memory, time and output, killed when the caller gives up.

qemu-img parses foreign files here, so it is treated as if the file had already taken it over.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.disk.placing import no_space
from kiban.adapters.disk.space import free_bytes
from kiban.errors import Conflict, Failed, HostLacks, TimedOut

_FULL = 256 << 10  # free bytes: a disk that a tool has failed on with so little left was full for it
_OUTPUT_LIMIT = 1 << 20  # a hostile image can have 65,536 snapshots to tell about; nobody needs to hear all that

# prlimit (util-linux) sets them between fork and exec; a preexec_fn would run Python in the forked child of a
# program with threads. The address space is for qcow2's largest tables (32 MiB) and glibc's arenas, several times.
_LIMITS = ("--as=2147483648", "--core=0", "--nofile=256")

# it ends with a service that is killed: nobody would hear what it found, and what it makes would be left behind
_LEASH = ("setpriv", "--pdeathsig=KILL", "--")

_PERCENT = re.compile(rb"\((\d+\.\d+)/100%\)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child left: exit status (negative: killed by that signal) and its output as text."""

    status: int
    output: str
    complaint: str


async def qemu_img(
    *arguments: str,
    limits: Sequence[str] = (),
    timeout: float | None = None,  # seconds; None where only the caller can know, by cancelling
    keep: Sequence[int] = (),
    done: Callable[[float], None] | None = None,
) -> Outcome:
    """Run qemu-img to its end, whatever its exit status.

    Args:
        arguments: its own.
        limits: prlimit's options, beyond those that it gets always.
        timeout: seconds.
        keep: descriptors that it inherits.
        done: is told the fraction of its work that is done, from its option -p.

    Raises:
        HostLacks: qemu-img or a program of util-linux is not installed.
        TimedOut: it took longer than `timeout`.
        Failed: it said more than a sane one would.
    """
    for program, package in (("qemu-img", "qemu-utils"), ("prlimit", "util-linux"), ("setpriv", "util-linux")):
        if shutil.which(program) is None:
            raise HostLacks(f"The program {program} is missing.", f"apt install {package}", code="no-program")
    process = await asyncio.create_subprocess_exec(
        *_LEASH,
        "prlimit",
        *_LIMITS,
        *limits,
        "qemu-img",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},  # English, and no secrets of the service
        pass_fds=tuple(keep),
    )
    assert process.stdout is not None  # noqa: S101  (both are pipes, three lines up; this tells mypy)
    assert process.stderr is not None  # noqa: S101
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await asyncio.gather(_read(process.stdout, done), _read(process.stderr))
            status = await process.wait()
    except TimeoutError:
        raise TimedOut(f"qemu-img {arguments[0]} took over {timeout:g} s.", "Try again", code="timeout") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Outcome(status, output, complaint)


async def _read(stream: asyncio.StreamReader, done: Callable[[float], None] | None = None) -> str:
    data = bytearray()
    while chunk := await stream.read(64 << 10):
        if done is not None:
            for percent in _PERCENT.findall(chunk):
                done(float(percent) / 100)
            continue
        data += chunk
        if len(data) > _OUTPUT_LIMIT:
            raise Failed("qemu-img said more than can be true.", "Do not trust the image", code="too-much-output")
    return data.decode(errors="replace")


def last_line(complaint: str) -> str:
    """The reason out of qemu-img's "qemu-img: Could not open 'json:...': reason", without the name it was given."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    reason = lines[-1].rsplit("': ", 1)[-1] if lines else "it did not say why"
    return "".join(c for c in reason.removeprefix("qemu-img: ") if c.isprintable())[:300].rstrip(".")


def check_room(reason: str, target: Path) -> None:
    """HostLacks if qemu-img failed with `target` for want of room; not all of QEMU's formats say so."""
    if os.strerror(errno.ENOSPC) in reason or free_bytes(target) < _FULL:
        raise no_space(target)


def expect(outcome: Outcome, source: Path, target: Path) -> None:
    """Raise what qemu-img failed with, if it did."""
    if outcome.status == 0:
        return
    if "lock" in outcome.complaint and "Failed to get" in outcome.complaint:
        raise Conflict(f"{source} is in use by another program.", "See which: fuser -v FILE", code="disk-busy")
    reason = last_line(outcome.complaint)
    check_room(reason, target)
    raise Failed(f"qemu-img did not do it with {source}: {reason}.", "See kiban disk check", code="tool-failed")
