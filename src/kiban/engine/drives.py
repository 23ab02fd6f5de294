# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU has counted of a machine's drives since it started."""

from __future__ import annotations

from kiban.engine.handle import Handle
from kiban.model.usage import Counters

_COUNTED = ("rd_bytes", "wr_bytes", "rd_operations", "wr_operations")


async def counters(handle: Handle) -> Counters:
    """Bytes read and written, reads and writes, by the id of the disk or DVD drive."""
    drives = {disk.id for disk in handle.machine.disks} | {dvd.id for dvd in handle.machine.dvds}
    blocks = await handle.live.run("query-blockstats")
    return {
        name: tuple(int(block["stats"][key]) for key in _COUNTED)
        for block in blocks
        if (name := str(block.get("qdev", "")).rpartition("/")[2]) in drives
    }
