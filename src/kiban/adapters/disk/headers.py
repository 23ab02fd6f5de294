# SPDX-License-Identifier: GPL-2.0-or-later
"""What an image's header says, read by us before QEMU is let near it.

The point is to refuse, without following them, all references to other files (backing file, data file, parent disk):
in a foreign image they name files of the host. All reads are bounded and at checked offsets. Sources: QEMU's
docs/interop/qcow2.txt, Microsoft's "Virtual Hard Disk Image Format Specification" and [MS-VHDX].
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from kiban.adapters.disk.formats import ImageFormat, looks_like
from kiban.adapters.disk.strange import vdi_size, vmdk_size
from kiban.errors import BadInput
from kiban.model.foreign import Extent

_VHD_BLOCKS = 1 << 22  # 2040 GiB in blocks of 512 KiB
_NAME_LIMIT = 1023  # qcow2's own limit for a backing file name; enough for a hint about a parent as well

_CHAIN_HINT = "Merge it with its parent into one file first, for instance with Hyper-V's Convert-VHD"
_DAMAGED_HINT = "Take the image from its source again"
_STRANGE: dict[str, Callable[[int, Extent], int]] = {"vmdk": vmdk_size, "vdi": vdi_size}


def check_header(descriptor: int, path: Path, form: ImageFormat, *, child: bool = False) -> None:
    """Refuse a file that is not of that format, is damaged, encrypted, or refers to another file.

    Args:
        descriptor: the file, opened for reading; its position is not used.
        path: its name for the errors; it is not opened.
        child: let a differencing disk pass; the caller sees to its parent. A data file is refused all the same.

    Raises:
        BadInput: with the code wrong-format, damaged-image, encrypted-image, has-backing-file, has-data-file or
            needs-parent.
    """
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 512, 0)
    tail = os.pread(descriptor, 512, max(0, size - 512))
    if size == 0:
        raise BadInput(f"{path} is empty.", _DAMAGED_HINT, code="damaged-image")
    seems = looks_like(head, tail)
    # a raw disk has no mark of its own, so anything that bears another format's mark was named wrongly
    expected = "" if form.name == "raw" else form.name
    if seems != expected:
        known = f"it seems to be {seems}" if seems else "it does not begin like one"
        hint = f"Name the format that it has: format={seems}" if seems else "A disk without a header is format=raw"
        raise BadInput(f"{path} is not a {form.name} image: {known}.", hint, code="wrong-format")
    if form.name == "qcow2":
        _check_qcow2(descriptor, path, head, child)
    elif form.name == "vhd":
        _check_vhd(descriptor, path, head, tail, child)
    elif form.name == "vhdx":
        _check_vhdx(descriptor, path, child)
    elif form.name in _STRANGE:
        strange_size(descriptor, path, form)


def strange_size(descriptor: int, path: Path, form: ImageFormat) -> int:
    """Bytes of the disk in a VMDK or VDI; raises as `kiban.adapters.disk.strange` does."""
    return _STRANGE[form.name](descriptor, Extent(path=str(path), offset=0, size=os.fstat(descriptor).st_size))


def _damaged(path: Path, what: str) -> BadInput:
    return BadInput(f"{path} is damaged: {what}.", _DAMAGED_HINT, code="damaged-image")


def _shown(raw: bytes, encoding: str) -> str:
    """A file name from a hostile header, made fit for a terminal; "" if there is none."""
    text = raw.decode(encoding, errors="replace").split("\0", 1)[0]
    return "".join(c for c in text if c.isprintable())[:255]


def _check_qcow2(descriptor: int, path: Path, head: bytes, child: bool) -> None:
    if len(head) < 72:
        raise _damaged(path, "its header is cut off")
    version, backing_offset, backing_size, cluster_bits = struct.unpack_from(">IQII", head, 4)
    (crypt,) = struct.unpack_from(">I", head, 32)
    if version not in (2, 3) or (version == 3 and len(head) < 104):
        raise _damaged(path, f"there is no qcow2 of version {version} with such a header")
    if not 9 <= cluster_bits <= 21:
        raise _damaged(path, f"clusters of 2^{cluster_bits} bytes do not exist")
    (incompatible,) = struct.unpack_from(">Q", head, 72) if version == 3 else (0,)
    if backing_offset and not child:
        name = _shown(os.pread(descriptor, min(backing_size, _NAME_LIMIT), min(backing_offset, 1 << 62)), "utf-8")
        raise BadInput(
            f"{path} is only the changes to another image, '{name}'.",
            "Make it whole where its backing file is: qemu-img convert -O qcow2 IMAGE WHOLE",
            code="has-backing-file",
        )
    if incompatible & 4:
        raise BadInput(
            f"{path} keeps its data in another file.",
            "Make it whole where its data file is: qemu-img convert -O qcow2 IMAGE WHOLE",
            code="has-data-file",
        )
    if crypt:
        raise BadInput(f"{path} is encrypted.", "Decrypt it into a new image: qemu-img convert", code="encrypted-image")
    _check_qcow2_tables(descriptor, path, head)
    if incompatible & 2:
        raise BadInput(f"{path} is marked corrupt.", "Repair a copy: qemu-img check -r all COPY", code="damaged-image")


def _check_qcow2_tables(descriptor: int, path: Path, head: bytes) -> None:
    """QEMU reads zeros past the end of a file, so an image that was cut off would open, and be empty."""
    cluster_bits, entries = struct.unpack_from(">I", head, 20)[0], struct.unpack_from(">I", head, 36)[0]
    mappings, refcounts, clusters = struct.unpack_from(">QQI", head, 40)
    end = max(mappings + entries * 8, refcounts + (clusters << cluster_bits))
    if end > os.fstat(descriptor).st_size:
        raise _damaged(path, "its tables lie beyond its end")


def _check_vhd(descriptor: int, path: Path, head: bytes, tail: bytes, child: bool) -> None:
    """The footer stands at the end, in dynamic images with a copy at the start; QEMU may use either, so both count."""
    footers = [footer for footer in (head, tail) if footer.startswith(b"conectix")]
    for footer in footers:
        if len(footer) < 512:
            raise _damaged(path, "its footer is cut off")
        data_offset, kind, checksum = struct.unpack_from(">Q", footer, 16)[0], *struct.unpack_from(">II", footer, 60)
        if kind == 4 and not child:
            raise _needs_parent(path, vhd_parent(descriptor, data_offset))
        if kind not in (2, 3, 4):
            raise _damaged(path, f"there is no VHD of type {kind}")
        if checksum != ~(sum(footer[:64]) + sum(footer[68:512])) & 0xFFFFFFFF:
            raise _damaged(path, "the checksum of its footer is wrong")
    if not tail.startswith(b"conectix") and not _has_all_blocks(descriptor, head):
        raise _damaged(path, "its footer is missing, so the end of the file was lost")


def _has_all_blocks(descriptor: int, footer: bytes) -> bool:
    """Whether nothing but the footer is missing at the end of a dynamic VHD whose first copy of it is `footer`.

    A writer puts a new block over the footer, and the footer behind it; one that is killed in between leaves none.
    """
    at = struct.unpack_from(">Q", footer, 16)[0]
    head = os.pread(descriptor, 1024, at) if at < 1 << 62 else b""
    if len(head) < 1024 or head[:8] != b"cxsparse":
        return False
    table_at, (entries, block) = struct.unpack_from(">Q", head, 16)[0], struct.unpack_from(">II", head, 28)
    if entries > _VHD_BLOCKS or table_at >= 1 << 62:
        return False
    table = os.pread(descriptor, entries * 4, table_at)
    used = [sector for (sector,) in struct.iter_unpack(">I", table[: len(table) // 4 * 4]) if sector != 0xFFFFFFFF]
    bitmap = -(-block // (512 * 8 * 512)) * 512
    end = max(table_at + entries * 4, max(used, default=0) * 512 + bitmap + block)
    return len(table) == entries * 4 and bool(end <= os.fstat(descriptor).st_size)


def vhd_parent(descriptor: int, data_offset: int) -> str:
    """The parent's name: UTF-16, big endian, at 64 of the dynamic header, which is at `data_offset`."""
    return _shown(os.pread(descriptor, 512, min(data_offset, 1 << 62) + 64), "utf-16-be")


def _needs_parent(path: Path, name: str) -> BadInput:
    if name:
        sentence = f"{path} is a differencing disk and needs its parent, '{name}'."
    else:
        sentence = f"{path} is a differencing disk and needs its parent."
    return BadInput(sentence, _CHAIN_HINT, code="needs-parent")


_METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le


def _check_vhdx(descriptor: int, path: Path, child: bool) -> None:
    """HasParent is bit 1 of the file parameters, an item of the metadata region ([MS-VHDX] 2.2.3, 2.6.2.1).

    Both copies of the region table are read: QEMU and we might otherwise trust different ones.
    """
    metadata = list(vhdx_metadata(descriptor))
    for region, items in metadata:
        parameters = os.pread(descriptor, 8, region + items[FILE_PARAMETERS])
        if not child and len(parameters) == 8 and struct.unpack_from("<I", parameters, 4)[0] & 2:
            raise _needs_parent(path, vhdx_parent(descriptor, region, items))
    if not metadata:
        raise _damaged(path, "its metadata cannot be found")


def vhdx_metadata(descriptor: int) -> Iterator[tuple[int, dict[bytes, int]]]:
    """Each metadata region that has file parameters: its offset in the file, and its items by their offset in it."""
    for table_offset in (192 << 10, 256 << 10):
        for region in _region_offsets(os.pread(descriptor, 64 << 10, table_offset)):
            items = _metadata_items(os.pread(descriptor, 64 << 10, region))
            if FILE_PARAMETERS in items:
                yield region, items


def _region_offsets(table: bytes) -> list[int]:
    """File offsets of the metadata regions that a region table names; none if it is not one."""
    if len(table) < 16 or table[:4] != b"regi":
        return []
    count = min(struct.unpack_from("<I", table, 8)[0], 2047, (len(table) - 16) // 32)
    entries = (struct.unpack_from("<16sQ", table, 16 + 32 * i) for i in range(count))
    return [offset for guid, offset in entries if guid == _METADATA_REGION and offset < 1 << 62]


def _metadata_items(table: bytes) -> dict[bytes, int]:
    """Item id to offset within the metadata region; empty if it is not a metadata table."""
    if len(table) < 32 or table[:8] != b"metadata":
        return {}
    count = min(struct.unpack_from("<H", table, 10)[0], 2047, (len(table) - 32) // 32)
    return dict(struct.unpack_from("<16sI", table, 32 + 32 * i) for i in range(count))


def vhdx_parent(descriptor: int, region: int, items: dict[bytes, int]) -> str:
    """The parent's name out of the parent locator's key-value table ([MS-VHDX] 2.6.2.6), "" if it names none."""
    if _PARENT_LOCATOR not in items:
        return ""
    table = os.pread(descriptor, 64 << 10, region + items[_PARENT_LOCATOR])
    if len(table) < 20:
        return ""
    count = min(struct.unpack_from("<H", table, 18)[0], 64, (len(table) - 20) // 12)
    names: dict[str, str] = {}
    for i in range(count):
        key_at, value_at, key_size, value_size = struct.unpack_from("<IIHH", table, 20 + 12 * i)
        key = _shown(table[key_at : key_at + key_size], "utf-16-le")
        names[key] = _shown(table[value_at : value_at + value_size], "utf-16-le")
    return names.get("relative_path") or names.get("absolute_win32_path") or ""
