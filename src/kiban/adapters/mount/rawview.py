# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk as one raw file, for tools that look into disks by themselves: qemu-storage-daemon's FUSE export.

It reads no image: what it shows comes over NBD from the confined process that does. As root it mounts by itself, and so
that only root may open the file; any other user needs fusermount3.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from kiban.errors import Failed, HostLacks, TimedOut

NAME = "disk.raw"
"""Of the file in the folder that a disk is mounted at."""
PROGRAM = "qemu-storage-daemon"
_SECONDS = 60.0


def show(folder: Path, nbd: Path, export: str, *, writable: bool, lock: int, notes: Path) -> int:
    """Show what is served at a socket as a file in `folder`; returns the process that does. It blocks.

    Args:
        folder: an empty one.
        nbd: the socket, and `export` the name.
        writable: let the file be written to.
        lock: a descriptor that the process keeps open as long as it lives.
        notes: a folder for its pid.

    Raises HostLacks (no-program), Failed, TimedOut.
    """
    if shutil.which(PROGRAM) is None:
        raise HostLacks(f"The program {PROGRAM} is missing.", "apt install qemu-system-x86", code="no-program")
    server = {"type": "unix", "path": str(nbd)}
    node = {"driver": "nbd", "node-name": "disk", "server": server, "export": export, "read-only": not writable}
    place, pid = folder / NAME, notes / "view.pid"
    place.touch(0o600)
    fuse = {"type": "fuse", "id": "file", "node-name": "disk", "mountpoint": str(place), "writable": writable}
    # it goes to the background once the file is there
    argv = [PROGRAM, "--daemonize", "--pidfile", str(pid)]
    argv += ["--blockdev", json.dumps(node), "--export", json.dumps(fuse)]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_SECONDS, check=False, pass_fds=(lock,), cwd="/"
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{PROGRAM} did not show the disk within {_SECONDS:.0f} s.", "Try again") from None
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or ["it did not say why"]
        raise Failed(f"The disk cannot be shown as a file: {why[0][:300]}.", "See also: kiban doctor")
    return int(pid.read_text())


def tidy(folder: Path) -> None:
    """Remove the empty file that was under the mount, and nothing else."""
    place = folder / NAME
    try:
        if place.is_file() and not place.is_symlink() and place.stat().st_size == 0:
            place.unlink()
    except OSError:
        return  # somebody else has removed it, or made something of it
