# SPDX-License-Identifier: GPL-2.0-or-later
"""A client's socket for a conversation that waits without blocking: a generator that yields what it waits for.

One process without threads serves several clients this way; the cell allows it neither threads nor an event loop's
descriptors.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Generator
from typing import TypeVar

_T = TypeVar("_T")
Waiting = Generator[int, None, _T]
"""A conversation that yields select.POLLIN or POLLOUT where it has to wait for that, and ends in a value."""
_CHUNK = 1 << 16


class Gone(Exception):  # noqa: N818  # an outcome, as in kiban.errors
    """The client hung up, or said what cannot be gone on with."""


class Channel:
    """Whole pieces from and to one client. All methods raise Gone once it has hung up."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._read = bytearray()

    def receive(self, count: int) -> Waiting[bytes]:
        """Exactly `count` bytes."""
        while len(self._read) < count:
            try:
                part = self._client.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                yield select.POLLIN
                continue
            except OSError:
                part = b""
            if not part:
                raise Gone
            self._read += part
        data = bytes(self._read[:count])
        del self._read[:count]
        return data

    def skip(self, count: int) -> Waiting[None]:
        """Throw `count` bytes away."""
        while count:
            part = min(count, _CHUNK)
            yield from self.receive(part)
            count -= part

    def send(self, *pieces: bytes | memoryview) -> Waiting[None]:
        """All pieces, one after the other."""
        views = [memoryview(piece) for piece in pieces]
        while views:
            try:
                sent = self._client.sendmsg(views, (), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                yield select.POLLOUT
                continue
            except OSError:
                raise Gone from None
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]
