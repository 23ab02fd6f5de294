# SPDX-License-Identifier: GPL-2.0-or-later
"""Room on the file system that will hold a file: asked before something large is written, not found out half way."""

from __future__ import annotations

import os
from pathlib import Path

from kiban.errors import HostLacks
from kiban.model.units import format_size


def free_bytes(path: Path) -> int:
    """Bytes that a user may still write where `path` is or will be; the nearest existing parent answers for it."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    state = os.statvfs(place)
    return state.f_bavail * state.f_frsize


def require_space(path: Path, needed: int) -> None:
    """HostLacks unless `needed` bytes are free where `path` is or will be."""
    free = free_bytes(path)
    if free < needed:
        raise HostLacks(
            f"{path} needs {format_size(needed)}, but only {format_size(free)} are free there.",
            "Free some space, choose a smaller size, or another folder",
            code="no-space",
        )
