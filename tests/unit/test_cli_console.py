# SPDX-License-Identifier: GPL-2.0-or-later
"""The console's copying, over real sockets and pipes, and its refusals."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from cli_fakes import view

from kiban.cli import console
from kiban.errors import Conflict, NotFound

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def line() -> Iterator[Ends]:
    """The console's end of the port, and the guest's."""
    mine, guest = socket.socketpair()
    with mine, guest:
        guest.settimeout(30)
        yield mine, guest


@pytest.fixture
def pipes() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Keyboard and screen, each as (reading end, writing end)."""
    keyboard, screen = os.pipe(), os.pipe()
    yield keyboard, screen
    for end in (*keyboard, *screen):
        with contextlib.suppress(OSError):  # closed by the test
            os.close(end)


Pipes = tuple[tuple[int, int], tuple[int, int]]


def test_escape_leaves_after_sending_what_stood_before_it(line: Ends, pipes: Pipes) -> None:
    (keys, typing), (_, screen) = pipes
    os.write(typing, b"ls\r\x03\x1dlost")
    assert console.copy(line[0], keys, screen, escape=console.ESCAPE) is False
    assert line[1].recv(100) == b"ls\r\x03"


def test_the_end_of_the_line_ends_it_and_all_is_shown(line: Ends, pipes: Pipes) -> None:
    (keys, _), (reading, screen) = pipes
    line[1].sendall(b"login: ")
    line[1].shutdown(socket.SHUT_WR)
    assert console.copy(line[0], keys, screen, escape=console.ESCAPE) is True
    assert os.read(reading, 100) == b"login: "


def test_without_a_terminal_the_end_of_the_input_does_not_end_it(line: Ends, pipes: Pipes) -> None:
    (keys, typing), (reading, screen) = pipes
    os.write(typing, b"a\x1db")
    os.close(typing)
    line[1].sendall(b"said")
    line[1].shutdown(socket.SHUT_WR)
    assert console.copy(line[0], keys, screen, escape=b"") is True
    assert os.read(reading, 100) == b"said"


def test_where_a_port_leads() -> None:
    com = SimpleNamespace(number=1, kind="socket", path="/run/com1.sock")
    assert console.socket_path(view("web", state="running", coms=[com]), 1) == "/run/com1.sock"
    com.path = ""
    assert console.socket_path(view("web", state="running", coms=[com]), 1) == "/run/kiban/m/id-of-web/com1.sock"
    with pytest.raises(NotFound, match="no COM2") as missing:
        console.socket_path(view("web", state="running", coms=[com]), 2)
    assert missing.value.hint == "kiban set web --com2 socket"
    with pytest.raises(Conflict, match="is off"):
        console.socket_path(view("web", coms=[com]), 1)
    com.kind = "file"
    with pytest.raises(Conflict, match="into a file"):
        console.socket_path(view("web", state="running", coms=[com]), 1)
