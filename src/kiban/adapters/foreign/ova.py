# SPDX-License-Identifier: GPL-2.0-or-later
"""OVA packages: a tar file with an .ovf, its manifest and its disks, which are read where they lie.

Nothing is extracted. The reader is small on purpose: it takes plain files only (POSIX ustar, with GNU's and pax's long
names and sizes), so links, devices, sparse files and folders are refused, not interpreted. Source: POSIX.1-2017, pax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.foreign import names
from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.names import shown
from kiban.errors import BadInput

_BLOCK = 512
_MEMBERS_LIMIT = 4096
_LONG_LIMIT = 64 << 10  # bytes of a pax header or of a long name
_LONG_NAME, _PAX, _PAX_GLOBAL = b"L", b"x", b"g"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the package, and where its bytes are in the tar."""

    name: str
    offset: int
    size: int


def members(blob: Blob) -> dict[str, Member]:
    """The files of a package by name.

    Raises:
        BadInput: it is no tar file, has anything else than plain files in it, two of one name, a name that leads
            elsewhere, or a size that goes behind the end.
    """
    found: dict[str, Member] = {}
    for member in _walk(blob):
        if member.name in found:
            raise damaged(blob.name, f"there are two files {shown(member.name)} in it")
        if len(found) == _MEMBERS_LIMIT:
            raise damaged(blob.name, f"there are more than {_MEMBERS_LIMIT} files in it")
        found[member.name] = member
    if not found:
        raise damaged(blob.name, "there is nothing in it")
    return found


def _walk(blob: Blob) -> Iterator[Member]:
    at, long_name, long_size = 0, "", None
    headers = 0
    while at + _BLOCK <= blob.size:
        header = blob.read(at, _BLOCK)
        if not header.strip(b"\0"):
            return
        headers += 1
        if headers > 4 * _MEMBERS_LIMIT:
            raise damaged(blob.name, "there are too many headers in it")
        _check_sum(header, blob.name)
        size, kind = _number(header[124:136], blob.name), header[156:157]
        at += _BLOCK
        if kind in (_LONG_NAME, _PAX, _PAX_GLOBAL):
            name, pax_size = _extension(kind, _extra(blob, at, size), blob.name)
            long_name, long_size = name or long_name, pax_size if pax_size is not None else long_size
        else:
            size = size if long_size is None else long_size
            member = Member(_name(header, long_name, kind, blob.name), at, size)
            if at + size > blob.size:
                raise damaged(blob.name, f"the file {shown(member.name)} in it is longer than the rest of it")
            yield member
            long_name, long_size = "", None
        at += -(-size // _BLOCK) * _BLOCK


def _check_sum(header: bytes, name: str) -> None:
    written = _number(header[148:156], name)
    if written != sum(header[:148]) + sum(header[156:]) + 8 * 0x20:
        raise BadInput(
            f"{name} is no OVA: it is not a tar file, or damaged.", "Download or export it again.", code="not-an-ova"
        )


def _number(field: bytes, name: str) -> int:
    """Octal digits, or GNU's binary form, whose first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]{0,12}", text):
        raise BadInput(
            f"{name} is no OVA: it is not a tar file, or damaged.", "Download or export it again.", code="not-an-ova"
        )
    return int(text or b"0", 8)


def _extra(blob: Blob, at: int, size: int) -> bytes:
    if size > _LONG_LIMIT:
        raise damaged(blob.name, f"a header in it has {size} bytes")
    return blob.read(at, size)


def _extension(kind: bytes, data: bytes, name: str) -> tuple[str, int | None]:
    """The name and the size that an extended header gives the file after it."""
    if kind == _LONG_NAME:
        return _text(data.split(b"\0")[0], name), None
    long_name, size = "", None
    while data and kind == _PAX:
        found = re.match(rb"(\d{1,6}) ([^=\n]{1,100})=", data)
        length = int(found[1]) if found else 0
        if found is None or not found.end() < length <= len(data):
            raise damaged(name, "an extended header in it is not valid")
        value, data = data[found.end() : length - 1], data[length:]
        if found[2] == b"path":
            long_name = _text(value, name)
        elif found[2] == b"size":
            size = _decimal(value, name)
        elif found[2].startswith((b"GNU.sparse", b"linkpath")):
            raise damaged(name, "it has sparse files or links in it")
    return long_name, size


def _decimal(value: bytes, name: str) -> int:
    if not re.fullmatch(rb"[0-9]{1,20}", value):
        raise damaged(name, "an extended header in it gives a size that is no number")
    return int(value)


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise damaged(name, "a file in it has a name that is not UTF-8") from None


def _name(header: bytes, long_name: str, kind: bytes, package: str) -> str:
    plain = long_name or _text(header[:100].split(b"\0")[0], package)
    if not long_name and header[257:263] == b"ustar\0":
        prefix = _text(header[345:500].split(b"\0")[0], package)
        plain = f"{prefix}/{plain}" if prefix else plain
    plain = plain.removeprefix("./")
    if kind not in (b"0", b"\0"):
        raise BadInput(
            f"{package} has {shown(plain)!r} in it, which is no plain file.",
            "An OVA holds plain files only: do not trust this one.",
            code="ova-not-plain",
        )
    if not plain or names.file_name(plain) != plain:
        raise BadInput(
            f"{package} has a file {shown(plain)!r} in it, whose name leads to another folder.",
            "An OVA holds its files side by side: do not trust this one.",
            code="ova-path",
        )
    return plain
