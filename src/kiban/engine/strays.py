# SPDX-License-Identifier: GPL-2.0-or-later
"""Images in a machine's directory that no disk uses: kept, under names that no new disk will take."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from kiban.engine.handle import Handle
from kiban.model.contract import SUFFIX

OWN_IMAGE = re.compile(rf"disk\d+\.({'|'.join(SUFFIX.values())})")
log = logging.getLogger(__name__)


def aside(image: Path) -> Path:
    """Rename the image of a removed disk; returns its new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")  # to the microsecond: a rename replaces what is there
    return image.rename(image.with_name(f"removed-{stamp}-{image.name}"))


def put_away(handle: Handle) -> None:
    """Do that with each image that no disk names: a service was killed between making, or removing, one and saying so.

    It is not for Kiban to delete: whether a guest has written to it cannot be seen.
    """
    if handle.definition is None:
        return
    named = {disk.path for disk in handle.definition.disks}
    for file in sorted(handle.directory.glob("disk*.*")):
        if OWN_IMAGE.fullmatch(file.name) and file.name not in named:
            log.info("no disk of %s uses %s; it is now %s", handle.name, file, aside(file).name)
