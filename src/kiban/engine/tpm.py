# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's TPM: its state, made with the machine, and its process, which lives as long as QEMU does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from kiban.adapters.files import replace_file
from kiban.adapters.firmware.tpm import create_tpm, start_swtpm
from kiban.adapters.qemu import process
from kiban.adapters.qemu.process import Account
from kiban.adapters.whole import in_thread
from kiban.engine.handle import Handle
from kiban.model.export import TPM_STATE

DIRECTORY = "tpm"
LOCK = "tpm.lock"


async def make(directory: Path, owner: Account) -> None:
    """Make the TPM of a machine in its directory."""
    await in_thread(create_tpm, directory / DIRECTORY, **_identity(owner))


def put(directory: Path, content: bytes, owner: Account) -> None:
    """Give a machine the TPM whose state is known, as another machine's directory had it."""
    folder = directory / DIRECTORY
    folder.mkdir(mode=0o700)
    replace_file(folder / TPM_STATE, content)
    if owner.uid != os.geteuid():
        for path in (folder / TPM_STATE, folder):
            os.chown(path, owner.uid, owner.gid)


def start(handle: Handle, owner: Account) -> tuple[Path, subprocess.Popen[bytes]]:
    """Start a machine's TPM; returns the socket for QEMU, and the process to end should QEMU not come to be."""
    place = handle.runtime / "tpm.sock"
    state = handle.directory / DIRECTORY
    with process.locked(handle.directory / LOCK) as lock:
        return place, start_swtpm(state, place, state / "swtpm.log", keep=(lock,), **_identity(owner))


def state(directory: Path) -> tuple[float, int]:
    """When a machine's TPM was made (seconds since the epoch; 0: there is none) and the size of its state in bytes.

    swtpm writes its state anew whenever that changes; the oldest file in the folder is the one swtpm_setup left.
    """
    found = []
    for entry in (directory / DIRECTORY).glob("*"):
        if entry.name != "swtpm.log":
            with contextlib.suppress(FileNotFoundError):  # swtpm replaces its files by others
                found.append(entry.stat())
    return min((entry.st_mtime for entry in found), default=0.0), sum(entry.st_size for entry in found)


def runs(handle: Handle) -> bool:
    """Whether the machine's swtpm is there: it holds the lock that it inherited."""
    return process.is_locked(handle.directory / LOCK)


async def end_left(handle: Handle) -> None:
    """End a TPM whose QEMU never came to be, because the service was killed in between; it would wait for ever.

    It is known by the lock that it inherited, as QEMU is by its own.
    """
    for holder in process.holders([handle.directory / LOCK]).values():
        with contextlib.suppress(ProcessLookupError):
            ended = process.Ended(holder.pid)
            ended.signal(signal.SIGKILL)  # nobody has spoken with it, so it has nothing to write
            await ended.wait()


def _identity(owner: Account) -> dict[str, Any]:
    other = owner.uid != os.geteuid()
    return {"uid": owner.uid if other else None, "gid": owner.gid if other else None}
