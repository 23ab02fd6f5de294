# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP as far as this client needs it: one request on one connection, over a Unix socket or TLS.

It speaks HTTP/1.0, whose answers end with their Content-Length or with the connection, so there is nothing to
reassemble; http.client would take longer to import (40 ms) than a machine to start. A connection per request also
means that no request is ever sent twice because an idle connection had gone stale.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import struct
import time

from kiban.errors import BadInput, KibanError, NoService, NotAllowed
from kiban.problem import from_problem

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, BinaryIO

CONNECT = 10.0
ANSWER = 120.0
"""Seconds to wait for an answer, beyond those that the request itself asks to wait."""
_MAX_HEAD = 64 * 1024
_MAX_BODY = 256 * 1024**2
_PIECE = 256 * 1024
_CONTINUE = 100
_SLICE = 0.2
"""Seconds that Ctrl-C waits at most while an answer is awaited that must not be lost."""


class Answer:
    """The answer to one request: its status, its type, and what is left to read of it."""

    def __init__(self, connection: socket.socket, stream: BinaryIO | None = None) -> None:
        self._connection = connection
        self.stream: BinaryIO = stream or connection.makefile("rb")
        self.read_on()

    def read_on(self) -> None:
        """Read the head of an answer, also of the one that comes after `100 Continue`."""
        self.status, self.headers = _head(self.stream)

    def body(self) -> bytes:
        """All of it."""
        length = self.headers.get("content-length", "")
        data = self.stream.read(min(int(length), _MAX_BODY) if length.isdecimal() else _MAX_BODY)
        if length.isdecimal() and len(data) < int(length):
            raise ConnectionError("the answer is cut short")
        return data

    def close(self) -> None:
        """Hang up, also under the hands of a thread that reads."""
        self.stream.close()
        self._connection.close()


class Transport:
    """A way to a service.

    Args:
        connect: makes a connection to it; may raise NoService.
        where: what to call it in messages.
        token: who the caller is, over TLS.
        host: what the service is called in the address, over TLS.
        again: connects to it without starting it, where `connect` may do that.
    """

    def __init__(
        self,
        connect: Callable[[], socket.socket],
        where: str,
        token: str | None = None,
        again: Callable[[], socket.socket] | None = None,
        host: str = "kiban",
    ) -> None:
        self._connect = connect
        self._again = again or connect
        self._where = where
        self._token = token
        self._host = host

    def dial(self, *, start: bool = True) -> socket.socket:
        """A connection, on which nothing has been said; `start` as of `open`."""
        return self._connect() if start else self._again()

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        wait: float = 0,
        late: Callable[[Any], None] | None = None,
        headers: Mapping[str, str] | None = None,
        start: bool = True,
    ) -> Answer:
        """Send a request and return its answer, which is a success; the KibanError it tells about otherwise.

        Args:
            wait: seconds that the request itself asks to wait.
            late: is given what is answered after all when the caller is interrupted (Ctrl-C) while it waits.
            headers: more of them.
            start: start the service if there is none, where this is a way to a service that may be started.
        """
        try:
            connection = self.dial(start=start)
            connection.settimeout(ANSWER + wait)
            request = self._request(method, path, body, headers or {})
            if late is None:
                connection.sendall(request)
                answer = Answer(connection)
            else:
                answer = _ask(connection, request, late)
        except (OSError, ValueError) as error:
            raise self.lost(error) from error
        if answer.status >= 400:
            raise self.refusal(answer.status, self._read(answer))
        return answer

    def upload(self, path: str, file: BinaryIO, size: int, sent: Callable[[int], object]) -> Any:
        """PUT a file of `size` bytes, and return the JSON value that the service answers with.

        Nothing is sent before the service has said that it wants it (RFC 9110, 10.1.1). `sent` is called with how many
        bytes have gone. It ends, and the service keeps nothing, when `sent` raises.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        headers |= {"Expect": "100-continue", "Connection": "close"}
        connection = None
        try:
            connection = self._connect()
            connection.settimeout(ANSWER)
            head = self._request("PUT", path, None, headers)
            connection.sendall(head.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1))
            answer = Answer(connection)
            if answer.status == _CONTINUE:
                _pour(connection, file, size, sent)
                answer.read_on()
        except (OSError, ValueError) as error:
            raise self.lost(error) from error
        except BaseException:  # Ctrl-C: the service notices that nobody sends any more
            if connection is not None:
                connection.close()
            raise
        if answer.status >= 400:
            raise self.refusal(answer.status, self._read(answer))
        return json.loads(self._read(answer))

    def call(
        self, method: str, path: str, body: Any = None, *, wait: float = 0, late: Callable[[Any], None] | None = None
    ) -> Any:
        """The JSON value that the service answers with; bytes where it is not JSON, None where there is nothing."""
        answer = self.open(method, path, body, wait=wait, late=late)
        data = self._read(answer)
        if not data:
            return None
        return json.loads(data) if answer.headers.get("content-type") == "application/json" else data

    def _read(self, answer: Answer) -> bytes:
        try:
            return answer.body()
        except OSError as error:
            raise self.lost(error) from error
        finally:
            answer.close()

    def _request(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {path} HTTP/1.0", "Accept: application/json, */*"]
        lines += [f"{name}: {value}" for name, value in (self.identity() | dict(headers)).items()]
        data = b"" if body is None else json.dumps(body, default=_plain).encode()
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + data

    def identity(self) -> dict[str, str]:
        """The headers that say who is called, and by whom."""
        token = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        return {"Host": self._host, **token}

    def refusal(self, status: int, data: bytes) -> KibanError:
        """The error that an answer tells about."""
        try:
            return from_problem(json.loads(data))
        except (ValueError, AttributeError):
            return NoService(f"{self._where} answered with status {status} and no reason.", "Is it Kiban's service?")

    def lost(self, error: Exception) -> NoService:
        """What is raised when a connection breaks."""
        if isinstance(error, TimeoutError):
            return NoService(f"{self._where} did not answer in time.", "Look at its log, or restart it.")
        return NoService(
            f"The connection to {self._where} broke: {error}.", "Try again; the service's log may say why."
        )


def _pour(connection: socket.socket, file: BinaryIO, size: int, sent: Callable[[int], object]) -> None:
    """Send `size` bytes of a file. A service that hangs up meanwhile has answered, and its answer says why."""
    left = size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise ValueError("the file became shorter while it was read")
        try:
            connection.sendall(piece)
        except OSError:
            return
        left -= len(piece)
        sent(size - left)


def _ask(connection: socket.socket, request: bytes, late: Callable[[Any], None]) -> Answer:
    heard = bytearray()
    limit = connection.gettimeout() or ANSWER
    try:
        with _undisturbed():
            connection.sendall(request)
        _hear(connection, heard, limit)
    except Exception:
        raise
    except BaseException:  # Ctrl-C: the service has begun what it was asked for, and its answer says under which name
        _last(connection, heard, late)
        raise
    return Answer(connection, io.BytesIO(heard))


def _hear(connection: socket.socket, heard: bytearray, limit: float) -> None:
    """Take in all that is said within `limit` seconds. Ctrl-C loses nothing of it, at whatever moment it comes."""
    connection.settimeout(_SLICE)
    end, piece = time.monotonic() + limit, None
    while piece != b"":
        if piece is None and time.monotonic() > end:
            raise TimeoutError
        if len(heard) > _MAX_BODY:
            raise ValueError("that is too much")
        with _undisturbed():
            try:
                piece = connection.recv(_PIECE)
            except TimeoutError:
                piece = None
            heard += piece or b""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the end of this."""
    import signal  # only where something is begun

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _last(connection: socket.socket, heard: bytearray, late: Callable[[Any], None]) -> None:
    try:
        _hear(connection, heard, CONNECT)
        answer = Answer(connection, io.BytesIO(heard))
        if answer.status < 400:
            late(json.loads(answer.body()))
    except (OSError, ValueError):
        return  # the service is gone


def connect_unix(path: str) -> socket.socket:
    """Connect to a service's socket; OSError when nobody listens, NotAllowed when it belongs to another user.

    In a directory that everybody may write to, such as /tmp, somebody else could have put a socket of that name.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT)
        connection.connect(path)
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if uid not in (0, os.geteuid()):
            raise NotAllowed(f"The service at {path} belongs to user {uid}, not to you.", "Set KIBAN_RUNTIME.")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_tls(host: str, port: int, context: ssl.SSLContext, fingerprint: str) -> socket.socket:
    """Connect over TLS; with a fingerprint (SHA-256, hex), to the one server that has that certificate."""
    plain = socket.create_connection((host, port), timeout=CONNECT)
    try:
        connection = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    if fingerprint:
        import hashlib

        found = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
        if found != fingerprint:
            connection.close()
            raise NotAllowed(
                f"{host}:{port} has another certificate than the one that is pinned: {found}.",
                "If the service got a new certificate, pin that one (KIBAN_FINGERPRINT); else do not go on.",
                code="wrong-certificate",
            )
    return connection


def _head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    version, _, rest = _line(stream, _MAX_HEAD).partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise ValueError("that is not HTTP" if version else "it hung up")
    headers: dict[str, str] = {}
    left = _MAX_HEAD
    while line := _line(stream, left):
        left -= len(line)
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers


def _line(stream: BinaryIO, limit: int) -> str:
    return stream.readline(max(limit, 0)).decode("latin-1").rstrip("\r\n")


def _plain(value: Any) -> Any:
    """The model's requests (dataclasses) as JSON objects."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        raise BadInput(f"{type(value).__name__} cannot be sent to the service.")
    return {name: getattr(value, name) for name in fields}


def quote(text: str) -> str:
    """RFC 3986, for one segment of a path or one value of a query; urllib.parse takes 3 ms to import."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode(errors="replace"))
