# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of formats that are only read: VMware's VMDK (one sparse file) and VirtualBox' VDI.

Both can refer to other files: a VMDK by its text descriptor, a VDI by its parent's UUID. Those are refused here, before
QEMU is let near them. Sources: VMware's "Virtual Disk Format 5.0", QEMU's block/vmdk.c and block/vdi.c for what it
makes of them.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from kiban.errors import BadInput

_MOST_TEXT = 64 << 10
_PARENT = re.compile(rb"^\s*parentCID\s*=\s*\"?([0-9A-Fa-f]{1,8})", re.MULTILINE)
_HINT = "make it one whole file where it comes from: qemu-img convert -O qcow2 IMAGE WHOLE"


@dataclass(frozen=True, slots=True)
class Outline:
    """The size of the disk in bytes, and whether its file has all its room from the start."""

    size: int
    fixed: bool


def read_vmdk(descriptor: int, path: Path) -> Outline:
    """A monolithic sparse VMDK, also a compressed one as OVAs have it.

    Raises BadInput: needs-parent, has-data-file (its data lies in other files), damaged-image.
    """
    head = os.pread(descriptor, 79, 0).ljust(79, b"\0")
    if head[:4] != b"KDMV":
        raise BadInput(f"{path} only describes a disk whose data is in other files.", _HINT, code="has-data-file")
    capacity, _, text_at, text_size = struct.unpack_from("<QQQQ", head, 12)
    if capacity == 0:  # QEMU would take the description for a list of files then, and open them
        raise BadInput(f"{path} keeps its data in other files.", _HINT, code="has-data-file")
    if max(text_at, text_size) < 1 << 40:
        text = os.pread(descriptor, min(text_size * 512, _MOST_TEXT), text_at * 512)
        if any(int(parent, 16) != 0xFFFFFFFF for parent in _PARENT.findall(text)):
            raise BadInput(f"{path} is only the changes to another disk.", _HINT, code="needs-parent")
    return Outline(capacity * 512, fixed=False)


def read_vdi(descriptor: int, path: Path) -> Outline:
    """A VDI of version 1.1.

    Raises BadInput: needs-parent, damaged-image.
    """
    head = os.pread(descriptor, 512, 0).ljust(512, b"\0")
    (version,), (kind,), (size,) = (
        struct.unpack_from(code, head, at) for code, at in (("<I", 68), ("<I", 76), ("<Q", 368))
    )
    if version != 0x00010001 or kind not in (1, 2, 3, 4):
        raise BadInput(f"{path} is no VDI of version 1.1.", "take it from its source again", code="damaged-image")
    if kind in (3, 4) or any(head[424:456]):  # the UUIDs of the disk that it continues
        raise BadInput(f"{path} is only the changes to another disk.", _HINT, code="needs-parent")
    return Outline(size, fixed=kind == 2)
