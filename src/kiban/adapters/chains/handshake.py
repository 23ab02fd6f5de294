# SPDX-License-Identifier: GPL-2.0-or-later
"""How an NBD client and this server agree: the fixed newstyle negotiation of NetworkBlockDevice's doc/proto.md.

There is one export, read-only. A client may ask for structured replies and, with them, for base:allocation, by which it
learns what need not be read because it is zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kiban.adapters.chains.channel import Channel, Gone, Waiting

EXPORT = "disk"
"""The export's name; the empty name means it too."""
MOST = 32 << 20
"""Bytes of one request, which a client may assume that did not ask."""
ALLOCATION_ID = 1
_BLOCK_SIZES = (512, 4096, MOST)  # smallest, preferred, largest
_ALLOCATION = b"base:allocation"
_OPTION_LIMIT = 8192  # bytes of an option; names are of 4096 at most

_OPTION_MAGIC = 0x49484156454F5054  # "IHAVEOPT"
_REPLY_MAGIC = 0x0003E889045565A9
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_FLAGS = 1 | 2 | 4 | 128 | 256  # has flags, read-only, flush, do not fragment, several connections see the same

_EXPORT_NAME, _ABORT, _LIST, _INFO, _GO, _STRUCTURED, _LIST_CONTEXTS, _SET_CONTEXTS = 1, 2, 3, 6, 7, 8, 9, 10
_ACK, _SERVER, _TOLD, _CONTEXT = 1, 2, 3, 4
_UNSUPPORTED, _INVALID, _UNKNOWN, _TOO_BIG = (1 << 31 | number for number in (1, 3, 6, 9))
_ABOUT_EXPORT, _ABOUT_BLOCKS = 0, 3


@dataclass(slots=True)
class Agreed:
    """What the client asked for: structured replies, and knowing what is zero."""

    structured: bool = False
    allocation: bool = False


class Handshake:
    """One client's negotiation for a disk of `size` bytes."""

    def __init__(self, channel: Channel, size: int) -> None:
        self._channel = channel
        self._size = size
        self._agreed = Agreed()
        self._pads = True

    def run(self) -> Waiting[Agreed]:
        """Negotiate until the client wants to read. Raises Gone when it wants to leave, or breaks the protocol."""
        yield from self._channel.send(struct.pack(">8sQH", b"NBDMAGIC", _OPTION_MAGIC, _FIXED_NEWSTYLE | _NO_ZEROES))
        (flags,) = struct.unpack(">I", (yield from self._channel.receive(4)))
        if flags & ~(_FIXED_NEWSTYLE | _NO_ZEROES):
            raise Gone
        self._pads = not flags & _NO_ZEROES
        while True:
            magic, option, length = struct.unpack(">QII", (yield from self._channel.receive(16)))
            if magic != _OPTION_MAGIC:
                raise Gone
            if length > _OPTION_LIMIT:
                yield from self._channel.skip(min(length, MOST))
                yield from self._reply(option, _TOO_BIG)
            elif (yield from self._answer(option, (yield from self._channel.receive(length)))):
                return self._agreed

    def _answer(self, option: int, data: bytes) -> Waiting[bool]:
        """Answer one option; whether the client goes on to read."""
        if option == _EXPORT_NAME:
            if data.decode(errors="replace") not in ("", EXPORT):
                raise Gone  # this option knows no errors
            yield from self._channel.send(struct.pack(">QH", self._size, _FLAGS), bytes(124 if self._pads else 0))
            return True
        if option == _ABORT:
            yield from self._reply(option, _ACK)
            raise Gone
        if option in (_INFO, _GO):
            return (yield from self._tell(option, data)) and option == _GO
        if option in (_LIST_CONTEXTS, _SET_CONTEXTS):
            yield from self._contexts(option, data)
        elif option == _LIST and not data:
            yield from self._reply(option, _SERVER, struct.pack(">I", len(EXPORT)) + EXPORT.encode())
            yield from self._reply(option, _ACK)
        elif option == _STRUCTURED and not data:
            self._agreed.structured = True
            yield from self._reply(option, _ACK)
        else:
            yield from self._reply(option, _INVALID if option in (_LIST, _STRUCTURED) else _UNSUPPORTED)
        return False

    def _tell(self, option: int, data: bytes) -> Waiting[bool]:
        """All about the export that the client named; False when it named another one, or wrongly."""
        try:
            name, rest = _counted(data)
            (count,) = struct.unpack_from(">H", rest)
            struct.unpack(f">H{count}H", rest)
        except (struct.error, ValueError):
            yield from self._reply(option, _INVALID)
            return False
        if name.decode(errors="replace") not in ("", EXPORT):
            yield from self._reply(option, _UNKNOWN)
            return False
        yield from self._reply(option, _TOLD, struct.pack(">HQH", _ABOUT_EXPORT, self._size, _FLAGS))
        yield from self._reply(option, _TOLD, struct.pack(">H3I", _ABOUT_BLOCKS, *_BLOCK_SIZES))
        yield from self._reply(option, _ACK)
        return True

    def _contexts(self, option: int, data: bytes) -> Waiting[None]:
        try:
            name, rest = _counted(data)
            queries = _queries(rest)
        except (struct.error, ValueError):
            queries, name = [], b"?"
        if name.decode(errors="replace") not in ("", EXPORT) or not self._agreed.structured:
            yield from self._reply(option, _UNKNOWN if self._agreed.structured else _INVALID)
            return
        listing = option == _LIST_CONTEXTS
        wanted = _ALLOCATION in queries or (listing and (not queries or b"base:" in queries))
        if wanted:
            number = 0 if listing else ALLOCATION_ID
            yield from self._reply(option, _CONTEXT, struct.pack(">I", number) + _ALLOCATION)
        if not listing:
            self._agreed.allocation = wanted
        yield from self._reply(option, _ACK)

    def _reply(self, option: int, kind: int, data: bytes = b"") -> Waiting[None]:
        yield from self._channel.send(struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data)


def _counted(data: bytes) -> tuple[bytes, bytes]:
    """A string behind its length, and what follows; ValueError or struct.error when it is not whole."""
    (length,) = struct.unpack_from(">I", data)
    if length > len(data) - 4:
        raise ValueError
    return data[4 : 4 + length], data[4 + length :]


def _queries(data: bytes) -> list[bytes]:
    (count,) = struct.unpack_from(">I", data)
    rest, found = data[4:], []
    for _ in range(count):  # each takes four bytes at least, so a wrong count ends soon
        query, rest = _counted(rest)
        found.append(query)
    return found
