# SPDX-License-Identifier: GPL-2.0-or-later
"""VMDK and VDI, which Kiban reads and never writes: their headers, looked at before QEMU is let near them.

Whatever names another file is refused: a VMDK may be a text that names any files as its extents, and VMDK and VDI may
have parents. Sources: VMware's "Virtual Disk Format 5.0" and QEMU's block/vdi.c. All reads are bounded.
"""

from __future__ import annotations

import os
import re
import struct

from kiban.errors import BadInput
from kiban.model.foreign import Extent

SECTOR = 512
LARGEST = 64 << 40
_DESCRIPTOR_LIMIT = 1 << 20  # bytes of the text inside a VMDK
_WHOLE = ("monolithicsparse", "streamoptimized")
_AGAIN = "Export it again as one file: with ovftool, or qemu-img convert where it comes from."


def vmdk_size(descriptor: int, extent: Extent) -> int:
    """Bytes of the disk in a VMDK that is one file (monolithicSparse, streamOptimized).

    Raises BadInput: no such VMDK, one that is in several files or has a parent (vmdk-files), damage, or a size beyond
    64 TiB.
    """
    head = _read(descriptor, extent, 0, 80)
    if head.startswith(b"# Disk DescriptorFile"):
        raise BadInput(
            f"{extent.path} is the description of a VMDK whose data is in other files.", _AGAIN, code="vmdk-files"
        )
    if len(head) < 80 or head[:4] != b"KDMV":
        raise BadInput(f"{extent.path} is no VMDK of one file.", _AGAIN, code="wrong-format")
    version, _, capacity, _, text_at, text_size = struct.unpack_from("<IIQQQQ", head, 4)
    if not 1 <= version <= 3 or not 0 < capacity * SECTOR <= LARGEST:
        # a capacity of 0 makes QEMU look for further files in the text
        raise _damaged(extent)
    if not 0 < text_size * SECTOR <= _DESCRIPTOR_LIMIT:
        raise _damaged(extent)
    _check_text(_read(descriptor, extent, text_at * SECTOR, text_size * SECTOR), extent)
    return int(capacity) * SECTOR


def _check_text(data: bytes, extent: Extent) -> None:
    text = data.split(b"\0", 1)[0].decode("latin-1")
    said = {key.lower(): value for key, value in re.findall(r"^\s*(\w+)\s*=\s*\"?([^\"\r\n]*)", text, re.MULTILINE)}
    if said.get("createtype", "").lower() not in _WHOLE:
        raise BadInput(f"{extent.path} is a VMDK of several files, or of none.", _AGAIN, code="vmdk-files")
    if said.get("parentcid", "ffffffff").lower() != "ffffffff" or "parentfilenamehint" in said:
        raise BadInput(f"{extent.path} needs a parent disk.", _AGAIN, code="vmdk-files")


def vdi_size(descriptor: int, extent: Extent) -> int:
    """Bytes of the disk in a VDI that stands on its own; BadInput for any other, and for sizes beyond 64 TiB."""
    head = _read(descriptor, extent, 0, SECTOR)
    if len(head) < SECTOR or struct.unpack_from("<II", head, 64) != (0xBEDA107F, 0x00010001):
        raise BadInput(f"{extent.path} is no VDI 1.1.", "Name the format that it has: --format", code="wrong-format")
    (kind,), (size,) = struct.unpack_from("<I", head, 76), struct.unpack_from("<Q", head, 368)
    if kind not in (1, 2) or any(head[424:456]):  # dynamic, fixed; ids of a parent
        raise BadInput(f"{extent.path} needs a parent disk.", "Merge its snapshots in VirtualBox.", code="vdi-parent")
    if not 0 < size <= LARGEST:
        raise _damaged(extent)
    return int(size)


def _read(descriptor: int, extent: Extent, at: int, size: int) -> bytes:
    if at < 0 or at + size > extent.size:
        size = max(0, extent.size - at)
    return os.pread(descriptor, size, extent.offset + at) if at >= 0 else b""


def _damaged(extent: Extent) -> BadInput:
    return BadInput(f"{extent.path} is damaged.", "Take the disk from its source again.", code="damaged-image")
