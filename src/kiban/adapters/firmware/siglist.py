# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of Secure Boot signatures: the bytes of PK, KEK, db, dbx and of shim's own lists, read and written.

The one parser of EFI_SIGNATURE_LIST (UEFI specification 2.10, 32.4.1). Entries of kinds that nobody here has heard of
go through unchanged, so that rewriting a list loses nothing of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from kiban.errors import Damaged
from kiban.model.trust import SignatureKind

X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
SHA256 = UUID("c1c41626-504c-4092-aca9-41f936934328")

KINDS: dict[UUID, SignatureKind] = {
    X509: "x509",
    SHA256: "sha256",
    UUID("ff3e5307-9fd0-48c9-85f1-8ad56c701e01"): "sha384",
    UUID("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"): "sha512",
    UUID("3bd2a492-96c0-4079-b420-fcf98ef103ed"): "x509-sha256",
    UUID("7076876e-80c2-4ee6-aad2-28b349a6865b"): "x509-sha384",
    UUID("446dbf63-2502-4cda-bcfa-2465d2b0fe9d"): "x509-sha512",
}

# Type, size of the list, of its header, of one signature; each signature starts with its owner.
_LIST = struct.Struct("<16sLLL")
_OWNER = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One signature: its type, who put it there, and a DER certificate or a hash. `header` is its list's."""

    type: UUID
    owner: UUID
    data: bytes
    header: bytes = b""

    @property
    def kind(self) -> SignatureKind:
        """The type as a word."""
        return KINDS.get(self.type, "other")

    @property
    def key(self) -> tuple[UUID, bytes]:
        """What makes two entries the same to the firmware: it never looks at the owner."""
        return self.type, self.data


def parse(data: bytes) -> list[Entry]:
    """All signatures, in their order. Raises Damaged."""
    return [entry for entries in _lists(data) for entry in entries]


def parse_whole(data: bytes) -> list[Entry]:
    """The signatures of all lists before the first damaged one: so shim reads what any boot loader may have written."""
    found: list[Entry] = []
    lists = _lists(data)
    while True:
        try:
            found += next(lists)
        except (StopIteration, Damaged):
            return found


def build(entries: Iterable[Entry]) -> bytes:
    """The signatures as bytes, in their order; hashes in a row share a list, each certificate has its own.

    One list per certificate is what the specification wants for certificates of different sizes, and what all do.
    """
    result = b""
    for (kind, header, size), group in groupby(entries, key=lambda e: (e.type, e.header, len(e.data))):
        items = [entry.owner.bytes_le + entry.data for entry in group]
        for chunk in [[item] for item in items] if kind == X509 else [items]:
            body = header + b"".join(chunk)
            result += _LIST.pack(kind.bytes_le, _LIST.size + len(body), len(header), _OWNER + size) + body
    return result


def missing(wanted: Iterable[Entry], present: Iterable[Entry]) -> list[Entry]:
    """Those of `wanted` that are not `present`, each once."""
    seen = {entry.key for entry in present}
    found = []
    for entry in wanted:
        if entry.key not in seen:
            seen.add(entry.key)
            found.append(entry)
    return found


def _lists(data: bytes) -> Iterator[list[Entry]]:
    position = 0
    while position < len(data):
        if len(data) - position < _LIST.size:
            raise Damaged("A list of Secure Boot signatures is cut short.")
        kind, size, header, each = _LIST.unpack_from(data, position)
        start, end = position + _LIST.size + header, position + size
        if each <= _OWNER or end > len(data) or start > end or (end - start) % each:
            raise Damaged("A list of Secure Boot signatures does not hold a whole number of them.")
        head, type_ = data[position + _LIST.size : start], UUID(bytes_le=kind)
        yield [
            Entry(type_, UUID(bytes_le=data[at : at + _OWNER]), data[at + _OWNER : at + each], head)
            for at in range(start, end, each)
        ]
        position = end
