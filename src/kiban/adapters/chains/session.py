# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client of the NBD server gets: reads, in structured replies or simple ones, and what is zero.

After NetworkBlockDevice's doc/proto.md. Zeros of a whole piece are told and not sent, where the client understands
that; data goes from the file into one buffer and from there to the socket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kiban.adapters.chains.channel import Channel, Gone, Waiting
from kiban.adapters.chains.disk import Disk
from kiban.adapters.chains.handshake import ALLOCATION_ID, MOST, Agreed, Handshake
from kiban.adapters.images.layers import Run
from kiban.errors import Damaged

PIECE = 1 << 20
"""Bytes that are read and sent at once."""
_EXTENTS_LIMIT = 2048  # of one answer; the client asks again for the rest

_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC = 0x25609513
_SIMPLE = struct.Struct(">IIQ")
_SIMPLE_MAGIC = 0x67446698
_CHUNK = struct.Struct(">IHHQI")
_CHUNK_MAGIC = 0x668E33EF
_READ, _WRITE, _DISCONNECT, _FLUSH, _BLOCK_STATUS = 0, 1, 2, 3, 7
_WHOLE, _ONE = 4, 8  # flags of a request: a read in one chunk, a single extent
_DONE = 1
_NONE, _DATA, _HOLE, _STATUS, _ERROR = 0, 1, 2, 5, 1 << 15 | 1
_EPERM, _EIO, _EINVAL = 1, 5, 22
_ZEROS = 3  # a hole that reads as zeros


class Session:
    """One client of one disk."""

    def __init__(self, channel: Channel, disk: Disk) -> None:
        self._channel = channel
        self._disk = disk
        self._agreed = Agreed()
        self._buffer = bytearray()

    def run(self) -> Waiting[None]:
        """Serve the client until it leaves; raises Gone then."""
        self._agreed = yield from Handshake(self._channel, self._disk.size).run()
        while True:
            request = yield from self._channel.receive(_REQUEST.size)
            magic, flags, command, cookie, offset, length = _REQUEST.unpack(request)
            if magic != _REQUEST_MAGIC or command == _DISCONNECT:
                raise Gone
            if command == _WRITE:
                if length > MOST:
                    raise Gone
                yield from self._channel.skip(length)
            try:
                yield from self._do(command, flags, cookie, offset, length)
            except Damaged:
                yield from self._fail(cookie, _EIO)

    def _do(self, command: int, flags: int, cookie: int, offset: int, length: int) -> Waiting[None]:
        inside = length > 0 and offset + length <= self._disk.size
        if command == _READ and inside and length <= MOST:
            if self._agreed.structured:
                yield from self._read(cookie, offset, length, length if flags & _WHOLE else PIECE)
            else:
                data = self._filled(list(self._disk.runs(offset, length)), length)
                yield from self._channel.send(_SIMPLE.pack(_SIMPLE_MAGIC, 0, cookie), data)
        elif command == _BLOCK_STATUS and inside and self._agreed.allocation:
            yield from self._tell_zeros(cookie, offset, length, 1 if flags & _ONE else _EXTENTS_LIMIT)
        elif command == _FLUSH:
            yield from self._done(cookie)
        else:
            yield from self._fail(cookie, _EPERM if command in (_WRITE, 4, 6) else _EINVAL)  # 4, 6: trim, zero

    def _read(self, cookie: int, offset: int, length: int, most: int) -> Waiting[None]:
        """A structured reply in chunks, each of them data or zeros."""
        end = offset + length
        while offset < end:
            count = min(most, end - offset)
            runs = list(self._disk.runs(offset, count))
            flags = _DONE if offset + count == end else 0
            if any(run.source for run in runs):
                data = self._filled(runs, count)
                head = _CHUNK.pack(_CHUNK_MAGIC, flags, _DATA, cookie, 8 + count)
                yield from self._channel.send(head + struct.pack(">Q", offset), data)
            else:
                head = _CHUNK.pack(_CHUNK_MAGIC, flags, _HOLE, cookie, 12)
                yield from self._channel.send(head + struct.pack(">QI", offset, count))
            offset += count

    def _filled(self, runs: Sequence[Run], length: int) -> memoryview:
        """The session's buffer with those runs in it; the next call overwrites it."""
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        view = memoryview(self._buffer)[:length]
        self._disk.fill(runs, view)
        return view

    def _tell_zeros(self, cookie: int, offset: int, length: int, most: int) -> Waiting[None]:
        extents = self._disk.extents(offset, length, most)
        body = struct.pack(">I", ALLOCATION_ID) + b"".join(
            struct.pack(">II", count, 0 if data else _ZEROS) for count, data in extents
        )
        yield from self._channel.send(_CHUNK.pack(_CHUNK_MAGIC, _DONE, _STATUS, cookie, len(body)) + body)

    def _done(self, cookie: int) -> Waiting[None]:
        if self._agreed.structured:
            yield from self._channel.send(_CHUNK.pack(_CHUNK_MAGIC, _DONE, _NONE, cookie, 0))
        else:
            yield from self._channel.send(_SIMPLE.pack(_SIMPLE_MAGIC, 0, cookie))

    def _fail(self, cookie: int, why: int) -> Waiting[None]:
        if self._agreed.structured:
            head = _CHUNK.pack(_CHUNK_MAGIC, _DONE, _ERROR, cookie, 6)
            yield from self._channel.send(head + struct.pack(">IH", why, 0))
        else:
            yield from self._channel.send(_SIMPLE.pack(_SIMPLE_MAGIC, why, cookie))
