# SPDX-License-Identifier: GPL-2.0-or-later
"""Notes of the images that are being worked on, so that a service can tidy up after one that was killed.

A new image is made under a hidden name beside its place, which may be any folder; and a child that is being merged
accepts any state of its parent. Both end with the work, but not if the service is killed. A note is a file that holds
the path of the image. None of them is needed for a disk to be right: who cannot write one works without.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kiban.adapters.disk import merging, placing
from kiban.errors import KibanError
from kiban.paths import Paths

_END = b"\n"  # of a note that is whole
log = logging.getLogger(__name__)


@contextmanager
def noted(paths: Paths, image: Path) -> Iterator[None]:
    """Keep a note of `image` while it is worked on."""
    note = paths.unfinished / secrets.token_hex(8)
    with suppress(OSError):
        note.write_bytes(os.fsencode(image.absolute()) + _END)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


async def sweep(paths: Paths, key: bytes) -> None:
    """Tidy up after a service that was killed, before anybody works with disks.

    What cannot be tidied up is left for the next service: a folder that is not there now, say.
    """
    for note in sorted(paths.unfinished.iterdir()):
        try:
            await _tidy(note.read_bytes(), key)
            note.unlink()
        except (KibanError, OSError) as error:
            log.warning("what a killed service left is still there: %s", error)


async def _tidy(text: bytes, key: bytes) -> None:
    image = Path(os.fsdecode(text.removesuffix(_END)))
    if text.endswith(_END) and image.is_absolute():
        await asyncio.to_thread(placing.remove_part, image)
        await merging.settle(image, key)
