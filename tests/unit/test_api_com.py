# SPDX-License-Identifier: GPL-2.0-or-later
"""A COM port through the API: the real client and service, at a port that answers as a guest may or may not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import FakePort, Service
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import kiban
from kiban import errors
from kiban.client.console import KEPT, Console
from kiban.engine.tokens import Tokens

WAIT = 60.0
"""Seconds, as a limit."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path, listen="127.0.0.1:0") as service:
        yield service


@pytest.fixture(params=["socket", "tls"])
def client(service: Service, request: pytest.FixtureRequest) -> kiban.Client:
    if request.param == "socket":
        return kiban.connect(service.url)
    return kiban.connect(service.where.url, token(service), fingerprint=service.where.fingerprint)


def token(service: Service) -> str:
    return Tokens(service.paths.state).create("me", "operator")


def hear(com: Console, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        data = com.read(WAIT)
        assert data, said
        said += data
    return said


def until(service: Service, what: str) -> None:
    """Wait until the port has something that counts as true."""

    async def wait() -> None:
        while not getattr(FakePort.last, what):
            await asyncio.sleep(0.01)

    asyncio.run_coroutine_threadsafe(wait(), service.loop).result(WAIT)


def test_what_is_said_and_typed_goes_through_and_the_end_is_told(service: Service, client: kiban.Client) -> None:
    with client.console("web", 2) as com:
        assert hear(com, b"\n") == b"ready\r\n"
        com.write(b"\x00\xff")
        assert hear(com, b"\xff\x00\xff") == b"\x00\xff" * 2
        with pytest.raises(errors.TimedOut):
            com.read(0.01)
        com.write(b"bye\x04")
        assert hear(com, b"bye") == b"byebye"
        assert com.read(WAIT) == b""
        com.write(b"late")
        assert com.read(WAIT) == b""
    until(service, "closed")


def test_who_leaves_has_typed_what_he_typed(service: Service, client: kiban.Client) -> None:
    big = bytes(range(32, 256)) * 2048
    with client.console("web") as com:
        com.write(big)
    until(service, "closed")
    twice = b""
    while not FakePort.last.said.empty():
        twice += FakePort.last.said.get_nowait()
    assert big[-1000:] in twice


def test_a_guest_that_takes_nothing_holds_up_who_types_and_nobody_else(service: Service, client: kiban.Client) -> None:
    with client.console("web") as com:
        hear(com, b"\n")
        service.call(FakePort.last.listens.clear)
        for _ in range(100):
            com.put(b"y" * 65536)
        assert com.unsent > KEPT, "more than all buffers on the way hold"
        service.call(FakePort.last.said.put_nowait, b"still heard")
        assert hear(com, b"heard") == b"still heard"
        service.call(FakePort.last.listens.set)
        com.write(b"!")
        hear(com, b"!!")


def test_who_does_not_read_is_not_waited_for_in_memory(service: Service, client: kiban.Client) -> None:
    with client.console("web") as com:
        hear(com, b"\n")
        service.call(setattr, FakePort.last, "flood", True)
        service.call(FakePort.last.said.put_nowait, b"!")

        async def settled() -> int:
            before = -1
            while before != FakePort.last.taken:
                before = FakePort.last.taken
                await asyncio.sleep(0.2)
            return before

        taken = asyncio.run_coroutine_threadsafe(settled(), service.loop).result(WAIT)
        assert taken < 16 * 1024**2
        assert com.read(WAIT)


def test_a_revoked_token_ends_it(service: Service) -> None:
    client = kiban.connect(service.where.url, token(service), fingerprint=service.where.fingerprint)
    with client.console("web") as com:
        hear(com, b"\n")
        Tokens(service.paths.state).revoke("me")
        with pytest.raises(errors.NotAllowed, match="revoked"):
            com.read(WAIT)
    until(service, "closed")


def test_a_service_that_stops_says_so(service: Service, client: kiban.Client) -> None:
    with client.console("web") as com:
        hear(com, b"\n")
        service.stop()
        with pytest.raises(errors.NoService, match="has stopped") as stopped:
            com.read(WAIT)
        assert stopped.value.reason == "service-stopped"
        with pytest.raises(errors.NoService):
            com.write(b"x")


def test_a_connection_that_breaks_is_no_end(service: Service, client: kiban.Client) -> None:
    com = client.console("web")
    hear(com, b"\n")
    com._line.shutdown(socket.SHUT_RDWR)
    with pytest.raises(errors.NoService, match="broke"):
        com.read(WAIT)
    com.close()
    until(service, "closed")


def test_refusals_are_the_errors_of_other_calls(service: Service, client: kiban.Client) -> None:
    service.host.failure = errors.Conflict("COM1 of web goes into a file.", "tail -f /x", code="a-file")
    with pytest.raises(errors.Conflict, match="goes into a file") as refused:
        client.console("web")
    assert (refused.value.hint, refused.value.reason) == ("tail -f /x", "a-file")
    with pytest.raises(errors.BadInput, match="number"):
        client.console("web", 3)
    with pytest.raises(errors.BadInput, match="WebSocket") as plain:
        client._transport.call("GET", "/v1/machines/web/com/1")
    assert plain.value.reason == "upgrade-required"


# who speaks WebSocket otherwise


def plain(service: Service, *, tls: bool = False, **headers: str) -> ClientConnection:
    """A WebSocket as any program has it."""
    client = (
        kiban.connect(service.where.url, fingerprint=service.where.fingerprint) if tls else kiban.connect(service.url)
    )
    line = client._transport.dial()
    return connect(
        "ws://kiban/v1/machines/web/com/1", sock=line, additional_headers=headers, proxy=None, open_timeout=WAIT
    )


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_no_page_gets_a_port_whatever_it_brings(service: Service, origin: str, tls: bool) -> None:
    service.host.calls.clear()
    with pytest.raises(InvalidStatus, match="403") as refused:
        plain(service, tls=tls, Origin=origin, Authorization=f"Bearer {token(service)}", Cookie="kiban-1=x")
    assert b"wrong-origin" in bytes(refused.value.response.body or b"")
    assert service.host.calls == []


@pytest.mark.parametrize("headers", [{}, {"Cookie": "kiban-1=x"}, {"Authorization": "Bearer wrong"}])
def test_over_tls_a_token_lets_in_and_nothing_else(service: Service, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus, match="401"):
        plain(service, tls=True, **headers)
    assert service.host.calls == []
    with plain(service, tls=True, Authorization=f"Bearer {token(service)}") as line:
        assert line.recv(WAIT) == b"ready\r\n"


@pytest.mark.parametrize("said", ["text", b"x" * 2**21])
def test_text_and_too_much_at_once_end_it(service: Service, said: str | bytes) -> None:
    with plain(service) as line, pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # while sending, or later
        line.send(said)
        while True:
            assert line.recv(WAIT) == b"ready\r\n"
    until(service, "closed")
    assert said != "text" or "for bytes" in str(closed.value)


def test_a_ping_is_answered_and_other_addresses_are_none(service: Service) -> None:
    with plain(service) as line:
        assert line.ping().wait(WAIT)
    with pytest.raises(InvalidStatus, match="403"):
        connect(
            "ws://kiban/v1/machines", sock=kiban.connect(service.url)._transport.dial(), proxy=None, open_timeout=WAIT
        )
