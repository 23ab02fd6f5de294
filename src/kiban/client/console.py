# SPDX-License-Identifier: GPL-2.0-or-later
"""A COM port over the service's WebSocket. Loaded when one is asked for: the library for it takes 60 ms to import.

The library (websockets) only makes and reads frames here; the connection is the client's own, dialed and pinned as all
of them. It is not left to a second thread, as the library would have it: TLS connections of Python are not to be used
by two.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import CONNECTING
from websockets.uri import parse_uri

from kiban.client.transport import ANSWER, Transport
from kiban.errors import KibanError, NoService, NotAllowed, TimedOut
from kiban.keepalive import notice_the_dead

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 16384
KEPT = 64 * 1024
"""Bytes that are heard, or typed, ahead."""
LAST_WORDS = 2.0
"""Seconds in which the service may take the last of what was typed."""
ENDED, STOPPED, REVOKED = 4000, (1001, 1012), 1008
"""Close codes: see `kiban.api.relay`, and RFC 6455, 7.4.1."""


class Console:
    """A COM port of a machine that runs, for one thread at a time.

    `read`, `write` and `close` are all that most need. A program that waits for more than one thing can `select` it,
    and then `pump`, `take` and `put`, which never wait.
    """

    def __init__(self, transport: Transport, path: str, *, start: bool = True) -> None:
        self._transport = transport
        self._heard, self._unsent = bytearray(), bytearray()
        self._over = False
        self._error: KibanError | None = None
        self._frames = ClientProtocol(parse_uri(f"ws://kiban{path}"), max_size=2**20)
        self._line = transport.dial(start=start)
        try:
            self._begin()
        except BaseException:
            self._line.close()
            raise

    def _begin(self) -> None:
        """Switch from HTTP; raises the refusal where that is the answer."""
        request = self._frames.connect()
        for name, value in self._transport.identity().items():
            request.headers.pop(name, None)
            request.headers[name] = value
        self._frames.send_request(request)
        try:
            self._line.settimeout(ANSWER)
            self._line.sendall(b"".join(self._frames.data_to_send()))
            while self._frames.state == CONNECTING and self._frames.handshake_exc is None:
                self._hear(self._line.recv(CHUNK))
        except (OSError, EOFError) as error:
            raise self._transport.lost(error) from error
        refused = self._frames.handshake_exc
        if isinstance(refused, InvalidStatus):
            raise self._transport.refusal(refused.response.status_code, bytes(refused.response.body or b""))
        if refused is not None:
            raise self._transport.lost(refused) from refused
        if self._line.family != socket.AF_UNIX:
            notice_the_dead(self._line)
        self._line.setblocking(False)

    # for those who wait for it alone

    def read(self, timeout: float | None = None) -> bytes:
        """What the guest says next; nothing once the machine has closed the port.

        TimedOut when that is nothing within `timeout` seconds; NoService when the connection breaks, NotAllowed when
        the token is revoked.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        self.pump()
        while not self._heard and not self._over:
            self._wait(limit)
        return self.take(KEPT)

    def write(self, data: bytes) -> None:
        """Type, as fast as the guest takes it; nothing happens once the machine has closed the port."""
        self.put(data)
        while len(self._unsent) > KEPT and not self._over:
            self._wait(None)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Leave; what was typed is passed on as far as the guest takes it at once."""
        limit = time.monotonic() + LAST_WORDS
        try:
            if not self._over:
                self._frames.send_close(1000)
                self._unsent += b"".join(self._frames.data_to_send())
            while not self._over:
                self._heard.clear()
                self._wait(limit)
        except KibanError:
            pass
        self._over = True
        self._line.close()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _wait(self, limit: float | None) -> None:
        """Wait until something could be sent or heard; TimedOut when that is nothing until `limit`."""
        poll = select.poll()
        poll.register(self._line, (select.POLLIN if self.hears else 0) | (select.POLLOUT if self._unsent else 0))
        left = None if limit is None else max(limit - time.monotonic(), 0) * 1000
        if not poll.poll(left):
            raise TimedOut("The guest said nothing in time.")
        self.pump()

    # for those who wait for more

    def fileno(self) -> int:
        """The connection's; readable when there may be something to hear, writable when there is room."""
        return self._line.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that were typed and are still here."""
        return len(self._unsent)

    @property
    def heard(self) -> int:
        """Bytes that can be taken."""
        return len(self._heard)

    @property
    def hears(self) -> bool:
        """Whether it listens, which it does not while KEPT bytes wait to be taken."""
        return not self._over and len(self._heard) < KEPT

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come than what can be taken."""
        return self._over

    def pump(self) -> None:
        """Send and hear what is possible now."""
        for work in (self._send_all, self._hear_all):
            try:
                work()
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                continue
            except OSError as error:
                self._break(error)

    def _send_all(self) -> None:
        while self._unsent and not self._over:
            del self._unsent[: self._line.send(self._unsent[:CHUNK])]

    def _hear_all(self) -> None:
        while self.hears:
            self._hear(self._line.recv(CHUNK))

    def take(self, most: int) -> bytes:
        """What was heard, `most` bytes of it; nothing when that is nothing, and once it is over the error, if any."""
        if not self._heard and self._error is not None:
            raise self._error
        data = bytes(self._heard[:most])
        del self._heard[:most]
        return data

    def put(self, data: bytes) -> None:
        """Have something typed."""
        if self._over:
            return
        for start in range(0, len(data), CHUNK):
            self._frames.send_binary(data[start : start + CHUNK])
        self._unsent += b"".join(self._frames.data_to_send())
        self.pump()

    def _hear(self, data: bytes) -> None:
        if not data:
            self._frames.receive_eof()
            self._break(ConnectionError("it hung up"))
            return
        self._frames.receive_data(data)
        for event in self._frames.events_received():
            if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                self._heard += event.data
        self._unsent += b"".join(self._frames.data_to_send())
        if (close := self._frames.close_rcvd) is not None:
            self._end(close.code, close.reason)
        elif self._frames.parser_exc is not None:
            self._break(self._frames.parser_exc)

    def _end(self, code: int, reason: str) -> None:
        self._over = True
        if code in STOPPED:
            self._error = NoService("The service has stopped.", "Machines run on; try again.", code="service-stopped")
        elif code == REVOKED:
            self._error = NotAllowed("The token has been revoked.", "Get another one.", code="wrong-token")
        elif code not in (ENDED, 1000):
            self._error = self._transport.lost(ConnectionError(reason or f"it was closed with {code}"))

    def _break(self, error: Exception) -> None:
        if not self._over:
            self._over = True
            self._error = self._transport.lost(error)
