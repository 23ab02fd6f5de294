# SPDX-License-Identifier: GPL-2.0-or-later
"""The log of a VHDX whose writer was killed: replayed, so that the image can be read and written again.

QEMU replays a log when it opens the image for writing, and refuses to open it for reading until then. One of which
nothing was whole yet it ignores, but leaves its id in the header, and from then on it cannot write a new block any more
(ENOTSUP, seen with 7.2). So that id is taken out, by a header as [MS-VHDX] 2.2.2 has it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from kiban.adapters.disk.chain import Link, name_of, node
from kiban.adapters.disk.facts import VHDX_HEADERS, read_facts
from kiban.adapters.disk.tool import expect, qemu_img
from kiban.adapters.images.crc32c import crc32c
from kiban.adapters.whole import in_thread

_HEADER_BYTES = 4096
_LOG_ID = slice(48, 64)


async def replay(image: Link) -> None:
    """Make a VHDX fit for use that was not closed; nothing for any other image. Nobody may be writing to it.

    Raises Conflict (disk-busy) when another program has it open, HostLacks (no-space), Failed.
    """
    if image.form.name == "vhdx" and read_facts(image.descriptor, image.path, image.form).dirty:
        check = ("check", "-q", "-r", "all", name_of(node([image], writable=True)))
        expect(await qemu_img(*check, keep=(image.descriptor,)), image.path, image.path)
        await in_thread(_end_log, image)


def _end_log(image: Link) -> None:
    with Path(f"/proc/self/fd/{image.descriptor}").open("r+b", buffering=0) as file:
        headers = {at: os.pread(file.fileno(), _HEADER_BYTES, at) for at in VHDX_HEADERS}
        whole = {at: head for at, head in headers.items() if _is_whole(head)}
        newest = max(whole, key=lambda at: _number(whole[at]), default=0)
        if not newest or not any(whole[newest][_LOG_ID]):
            return
        head = bytearray(whole[newest])
        head[_LOG_ID] = bytes(16)
        struct.pack_into("<IQ", head, 4, 0, _number(head) + 1)
        struct.pack_into("<I", head, 4, crc32c(bytes(head)))
        [other] = {*VHDX_HEADERS} - {newest}  # so that one is whole at any moment
        os.pwrite(file.fileno(), head, other)
        os.fsync(file.fileno())


def _is_whole(head: bytes) -> bool:
    said = int.from_bytes(head[4:8], "little")
    return len(head) == _HEADER_BYTES and head[:4] == b"head" and crc32c(head[:4] + bytes(4) + head[8:]) == said


def _number(head: bytes | bytearray) -> int:
    """Of two headers that of the higher number counts."""
    return int(struct.unpack_from("<Q", head, 8)[0])
