# SPDX-License-Identifier: GPL-2.0-or-later
"""A running guest's memory, read from outside in bounded pieces.

QEMU writes a piece to a file in the machine's runtime directory. The file is made and kept open here before QEMU is
told its name, so nothing that QEMU's user does to that name afterwards changes what is read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiban.adapters.firmware.memorylog import CHUNK, Read
from kiban.engine.handle import Handle
from kiban.errors import Failed
from kiban.model.machine import Machine

MAX_PIECE = CHUNK + 4096
_LEGACY_END = 1 << 20  # below it memory and devices alternate


def low_memory(machine: Machine) -> int:
    """Where a generation 2 machine's memory below 4 GiB ends, in bytes.

    Source: QEMU's hw/i386/pc_q35.c, which splits memory at 2 GiB once it does not fit below 2.75 GiB.
    """
    return machine.memory if machine.memory < 0xB0000000 else 0x80000000


@asynccontextmanager
async def reader(handle: Handle) -> AsyncIterator[Read]:
    """A function that reads the guest's memory: physical address and length in bytes, MAX_PIECE at most.

    It reads memory only, never a device; what lies elsewhere, or is too long, comes as zeros. Each piece stops the
    guest for some milliseconds. Raises Conflict when the machine is off, Failed.
    """
    place = handle.runtime / f"memory-{secrets.token_hex(8)}"
    top = low_memory(handle.machine)
    owner = handle.runtime.stat()
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    async def read(address: int, size: int) -> bytes:
        if not _LEGACY_END <= address <= top - size or not 0 < size <= MAX_PIECE:
            return bytes(max(0, min(size, MAX_PIECE)))
        await handle.live.run("pmemsave", {"val": address, "size": size, "filename": str(place)})
        data = os.pread(descriptor, size, 0)
        if len(data) != size:
            raise Failed(f"QEMU did not write the memory of {handle.name} where it was asked to.")
        return data

    try:
        if owner.st_uid != os.geteuid():
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        yield read
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # gone with the machine
            place.unlink()
