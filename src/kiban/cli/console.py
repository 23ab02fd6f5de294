# SPDX-License-Identifier: GPL-2.0-or-later
"""console: a machine's COM port in the terminal, over the Unix socket that QEMU holds open.

The terminal is in raw mode meanwhile, so that every key (Ctrl-C too) goes to the guest; Ctrl-] leaves.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from kiban.cli.arguments import Name
from kiban.cli.output import warn
from kiban.cli.session import connect
from kiban.errors import Conflict, NotAllowed, NotFound

ESCAPE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""
CHUNK = 65536


def console(
    name: Name, port: Annotated[int, typer.Option("--port", min=1, max=2, help="1 is COM1, 2 is COM2.")] = 1
) -> None:
    """Connect the terminal to a COM port; Ctrl-] leaves. Without a terminal, stdin and stdout are connected.

    \b
    Examples:
      kiban console web
      kiban console web --port 2
    """
    with _open(socket_path(connect().machine(name), port)) as line:
        if not sys.stdin.isatty():
            copy(line, sys.stdin.fileno(), sys.stdout.fileno(), escape=b"")
            return
        # QEMU lets the next one wait, without a word
        warn(f"COM{port} of {name}; Ctrl-] leaves. It is silent while another has it, such as the web manager.")
        with _raw(sys.stdin.fileno()):
            ended = copy(line, sys.stdin.fileno(), sys.stdout.fileno(), escape=ESCAPE)
        warn("\nThe machine closed the port." if ended else "\nLeft the console; the machine goes on.")


def socket_path(machine: Any, port: int) -> str:
    """Path of the Unix socket of a COM port.

    Raises:
        NotFound: the machine has no such port. Conflict: it leads elsewhere, or the machine does not run.
    """
    com = next((c for c in machine.coms if c.number == port and c.kind != "none"), None)
    if com is None:
        raise NotFound(f"{machine.name} has no COM{port}.", f"kiban set {machine.name} --com{port} socket")
    if com.kind == "file":
        raise Conflict(f"COM{port} of {machine.name} goes into a file.", f"tail -f {com.path}")
    if machine.state in ("off", "saved"):
        raise Conflict(f"{machine.name} is {machine.state}.", f"kiban start {machine.name}", code=f"is-{machine.state}")
    return str(com.path or f"{machine.runtime}/com{port}.sock")


def _open(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(path)
    except PermissionError:
        line.close()
        raise NotAllowed(
            f"The socket {path} belongs to somebody else.", "Run it as the owner of the machine."
        ) from None
    except OSError as error:
        line.close()
        raise NotFound(
            f"Nothing answers at {path}: {error.strerror or error}.", "Run it on the host of the machine."
        ) from None
    return line


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """The terminal hands over every byte as it is typed; put back afterwards, whatever happens."""
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def copy(line: socket.socket, source: int, sink: int, *, escape: bytes) -> bool:
    """Copy both ways until the line ends (True) or `escape` is typed (False).

    The end of `source` does not end it: what the guest says goes on being shown.
    """
    readable: list[Any] = [line, source]
    while True:
        ready, _, _ = select.select(readable, [], [])
        if line in ready:
            said = _receive(line)
            if not said:
                return True
            _write(sink, said)
        if source in ready:
            typed = os.read(source, CHUNK)
            if not typed:
                readable = [line]
            before, found, _ = typed.partition(escape) if escape else (typed, b"", b"")
            if not _send(line, before):
                return True
            if found:
                return False


def _receive(line: socket.socket) -> bytes:
    try:
        return line.recv(CHUNK)
    except ConnectionResetError:
        return b""


def _send(line: socket.socket, data: bytes) -> bool:
    try:
        line.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
