# SPDX-License-Identifier: GPL-2.0-or-later
"""What an image's own header says about it: sizes, sectors, marks, and its parent.

The header has passed `headers.check_header`; all reads are bounded, and nothing that it refers to is opened. Sources
are those of `headers`; the extensions of a qcow2 header are in the same docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kiban.adapters.disk import headers
from kiban.adapters.disk.formats import ImageFormat
from kiban.errors import BadInput
from kiban.model.units import format_size

Kind = Literal["fixed", "dynamic", "differencing"]

RECORD = 0x4B49424E
""""KIBN": the qcow2 header extension in which Kiban notes which state of its parent a child was made on."""
_BACKING_FORMAT = 0xE2792ACA
_MOST_EXTENSIONS = 64
_DISK_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_LOGICAL_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le
_PHYSICAL_SECTOR = uuid.UUID("cda348c7-445d-4471-9cc9-e9885251c556").bytes_le
_SECTORS = (512, 4096)
VHDX_HEADERS = (64 << 10, 128 << 10)
"""Where the two headers of a VHDX are ([MS-VHDX] 2.2)."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one image. Sizes in bytes.

    `identity` stands for the state of its contents: equal means unchanged. `record` is what Kiban noted in a child
    about its parent (see `seal`); `parent` and `parent_format` are as its header has them, "" for none.
    """

    virtual_size: int
    kind: Kind
    logical_sector: int = 512
    physical_sector: int = 512
    dirty: bool = False
    snapshots: int = 0
    parent: str = ""
    parent_format: str = ""
    record: tuple[str, ...] = ()
    identity: str = ""


def read_facts(descriptor: int, path: Path, form: ImageFormat) -> Facts:
    """The facts of an opened image; BadInput when it is not what it is said to be (see `headers.check_header`)."""
    headers.check_header(descriptor, path, form, child=True)
    status = os.fstat(descriptor)
    readers = {"raw": _raw, "qcow2": _qcow2, "vhd": _vhd, "vhdx": _vhdx}
    found = readers[form.name](descriptor, path) if form.name in readers else _strange(descriptor, path, form)
    if not 0 < found.virtual_size <= form.largest:
        raise BadInput(
            f"{path} claims to be a disk of {format_size(found.virtual_size)}, which no {form.name} disk may be.",
            f"The largest is {format_size(form.largest)}",
            code="damaged-image",
        )
    # a format without a mark of its own for each change: any write moves the time of the file
    return found if found.identity else replace(found, identity=f"file:{status.st_size}:{status.st_mtime_ns}")


def _strange(descriptor: int, path: Path, form: ImageFormat) -> Facts:
    return Facts(virtual_size=headers.strange_size(descriptor, path, form), kind="dynamic")


def _raw(descriptor: int, path: Path) -> Facts:
    status = os.fstat(descriptor)
    full = status.st_blocks * 512 >= status.st_size
    return Facts(virtual_size=status.st_size // 512 * 512, kind="fixed" if full else "dynamic")


def _qcow2(descriptor: int, path: Path) -> Facts:
    head = os.pread(descriptor, 112, 0).ljust(112, b"\0")
    version, backing_offset, backing_size = struct.unpack_from(">IQI", head, 4)
    (size,), (snapshots,) = struct.unpack_from(">Q", head, 24), struct.unpack_from(">I", head, 60)
    (marks,) = struct.unpack_from(">Q", head, 72) if version == 3 else (0,)
    said = {kind: data for kind, data, _ in extensions(descriptor)}
    name = b""
    if backing_offset:
        name = os.pread(descriptor, min(backing_size, 1023), min(backing_offset, 1 << 62))
    return Facts(
        virtual_size=size,
        kind="differencing" if backing_offset else "dynamic",
        dirty=bool(marks & 1),
        snapshots=snapshots,
        parent=_text(name),
        parent_format=_text(said.get(_BACKING_FORMAT, b"")),
        record=tuple(_text(said.get(RECORD, b"")).split()),
    )


def extensions(descriptor: int) -> Iterator[tuple[int, bytes, int]]:
    """The extensions of a qcow2 header: type, data (4 KiB at most), and where each begins in the file.

    The end mark comes last, as type 0 without data; nothing comes for it where the header has none.
    """
    head = os.pread(descriptor, 104, 0).ljust(104, b"\0")
    (version,), (length,) = struct.unpack_from(">I", head, 4), struct.unpack_from(">I", head, 100)
    at = 72 if version == 2 else length
    for _ in range(_MOST_EXTENSIONS):
        mark = os.pread(descriptor, 8, at)
        if len(mark) < 8:
            return
        kind, size = struct.unpack(">II", mark)
        yield kind, os.pread(descriptor, min(size, 4096), at + 8) if kind else b"", at
        if kind == 0:
            return
        at += 8 + (size + 7) // 8 * 8


def _text(raw: bytes) -> str:
    """Not shortened: it is compared, and used as a name, before it is shown."""
    return raw.split(b"\0", 1)[0].decode("utf-8", errors="surrogateescape")


def _vhd(descriptor: int, path: Path) -> Facts:
    footer = os.pread(descriptor, 512, os.fstat(descriptor).st_size - 512)
    if not footer.startswith(b"conectix"):  # see headers
        footer = os.pread(descriptor, 512, 0)
    (data_offset,), (size,) = struct.unpack_from(">Q", footer, 16), struct.unpack_from(">Q", footer, 48)
    (kind,) = struct.unpack_from(">I", footer, 60)
    kinds: dict[int, Kind] = {2: "fixed", 3: "dynamic", 4: "differencing"}
    parent = headers.vhd_parent(descriptor, data_offset) if kind == 4 else ""
    return Facts(virtual_size=size, kind=kinds[kind], parent=parent, parent_format="vhd" if parent else "")


def _vhdx(descriptor: int, path: Path) -> Facts:
    region, items = next(headers.vhdx_metadata(descriptor))
    sizes = {name: _item(descriptor, region, items, name) for name in (_DISK_SIZE, _LOGICAL_SECTOR, _PHYSICAL_SECTOR)}
    logical, physical = sizes[_LOGICAL_SECTOR] & 0xFFFFFFFF, sizes[_PHYSICAL_SECTOR] & 0xFFFFFFFF
    if logical not in _SECTORS or physical not in _SECTORS:
        raise BadInput(f"{path} is damaged: its sectors have no size.", "Take it from its source", code="damaged-image")
    flags = _item(descriptor, region, items, headers.FILE_PARAMETERS) >> 32
    written, dirty = _vhdx_header(descriptor)
    return Facts(
        virtual_size=sizes[_DISK_SIZE],
        kind="differencing" if flags & 2 else "fixed" if flags & 1 else "dynamic",
        logical_sector=logical,
        physical_sector=physical,
        dirty=dirty,
        parent=headers.vhdx_parent(descriptor, region, items) if flags & 2 else "",
        parent_format="vhdx" if flags & 2 else "",
        identity=f"vhdx:{written}:{sizes[_DISK_SIZE]}" if written else "",
    )


def _item(descriptor: int, region: int, items: dict[bytes, int], name: bytes) -> int:
    data = os.pread(descriptor, 8, region + items[name]) if name in items else b""
    return int.from_bytes(data, "little")


def _vhdx_header(descriptor: int) -> tuple[str, bool]:
    """DataWriteGuid, which changes with the contents, and whether the log has something to replay ([MS-VHDX] 2.2.2)."""
    newest, written, dirty = -1, "", False
    for at in VHDX_HEADERS:
        head = os.pread(descriptor, 80, at)
        if len(head) == 80 and head[:4] == b"head":
            (sequence,) = struct.unpack_from("<Q", head, 8)
            if sequence > newest:
                newest, written, dirty = sequence, str(uuid.UUID(bytes_le=head[32:48])), any(head[48:64])
    return written, dirty
