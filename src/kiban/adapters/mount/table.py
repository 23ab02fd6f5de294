# SPDX-License-Identifier: GPL-2.0-or-later
"""What is mounted on this host, and ending a mount. Nothing here looks into a mount: its server may hang."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path

import psutil

from kiban.errors import Conflict, Failed, HostLacks

_DETACH, _NOFOLLOW = 2, 8  # MNT_DETACH, UMOUNT_NOFOLLOW: umount(2)
_SECONDS = 30.0
FUSE = Path("/dev/fuse")


def check_fuse() -> None:
    """HostLacks where this user cannot mount by FUSE."""
    if not FUSE.exists():
        raise HostLacks("This host has no FUSE.", "Load its module: modprobe fuse", code="no-fuse")
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        raise HostLacks("Nobody but root can mount without fusermount3.", "apt install fuse3", code="no-fuse")


def is_mounted(place: Path) -> bool:
    """Whether something is mounted at exactly this path by FUSE."""
    return any(
        part.mountpoint == str(place) and part.fstype.startswith("fuse") for part in psutil.disk_partitions(all=True)
    )


def unmount(place: Path, *, lazy: bool = False) -> None:
    """End a mount; nothing where none is.

    Args:
        place: where it is.
        lazy: at once, even where somebody uses it, who gets errors from then on.

    Raises Conflict (mount-busy) when somebody uses it, Failed.
    """
    if os.geteuid() == 0:
        _by_root(place, lazy)
    elif is_mounted(place):
        _by_helper(place, lazy)


def _by_root(place: Path, lazy: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(place), _NOFOLLOW | (_DETACH if lazy else 0)) == 0:
        return
    reason = ctypes.get_errno()
    if reason == errno.EBUSY:
        raise _busy(place)
    if reason not in (errno.EINVAL, errno.ENOENT):  # no mount, no file: somebody else has unmounted it
        raise Failed(f"{place} cannot be unmounted: {os.strerror(reason)}.", "See what is mounted: findmnt")


def _by_helper(place: Path, lazy: bool) -> None:
    argv = ["fusermount3", "-u", *(["-z"] if lazy else []), "--", str(place)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if "busy" in done.stderr:
        raise _busy(place)
    if done.returncode:
        raise Failed(f"{place} cannot be unmounted: {done.stderr.strip()}.", "See what is mounted: findmnt")


def _busy(place: Path) -> Conflict:
    return Conflict(f"Somebody uses {place}.", f"See who: fuser -vm {place}; then do it again", code="mount-busy")
