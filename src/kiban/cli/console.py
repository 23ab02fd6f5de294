# SPDX-License-Identifier: GPL-2.0-or-later
"""console: a machine's COM port in the terminal, through the service, from wherever that is reached.

The terminal is in raw mode meanwhile, so that every key (Ctrl-C too) goes to the guest; Ctrl-] leaves.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kiban.cli.arguments import Name
from kiban.cli.output import clean, warn
from kiban.cli.session import connect
from kiban.errors import NoService

if TYPE_CHECKING:
    from kiban.client.console import Console

ESCAPE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""
INTERRUPT = b"\x03"
CHUNK = 4096
"""Bytes for which a pipe or terminal that is ready has room."""
AHEAD = 64 * 1024
"""Bytes that are typed ahead of the guest."""
AGAIN = 1.0
"""Seconds between attempts to reach a service that is away."""


def console(
    name: Name, port: Annotated[int, typer.Option("--port", min=1, max=2, help="1 is COM1, 2 is COM2.")] = 1
) -> None:
    """Connect the terminal to a COM port; Ctrl-] leaves. Without a terminal, stdin and stdout are connected.

    Several may be connected to a port at a time, from here and from the web manager. When the service goes away, a
    terminal is connected again as soon as that is back; without a terminal, it is an error.

    \b
    Examples:
      kiban console web
      kiban console web --port 2
      echo reboot | kiban console web
    """
    source, sink = sys.stdin.fileno(), sys.stdout.fileno()
    client = connect()

    def attach(*, start: bool = True) -> Console:
        return client.console(name, port, start=start)

    if not sys.stdin.isatty():
        with attach() as line:
            copy(line, source, sink, escape=b"")
        return
    line = attach()
    warn(f"COM{port} of {name}; Ctrl-] leaves.")
    with _raw(source):
        ended = _stay(line, attach, source, sink)
        _tell("The machine closed the port." if ended else "Left the console; the machine goes on.")


def _stay(first: Console, attach: Callable[..., Console], source: int, sink: int) -> bool:
    """Be connected, again and again, until the port ends (True) or somebody leaves (False)."""
    line: Console | None = first
    while line is not None:
        try:
            with line:
                return copy(line, source, sink, escape=ESCAPE)
        except NoService as error:
            _tell(f"{error} Connecting again; Ctrl-] leaves.")
            line = _again(attach, source, start=error.reason != "service-stopped")
        if line is not None:
            _tell("Connected again.")
    return False


def _again(attach: Callable[..., Console], source: int, *, start: bool) -> Console | None:
    """Connect as soon as that is possible; None when somebody leaves before.

    A service that was stopped on purpose is waited for. One that died is started (`start`) where it is this user's own,
    as it would be for any command, but once: it may die again.
    """
    while True:
        try:
            return attach(start=start)
        except NoService:
            start = False
        ready, _, _ = select.select([source], [], [], AGAIN)
        if ready:
            typed = os.read(source, CHUNK)
            if not typed or ESCAPE in typed or INTERRUPT in typed:
                return None


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """The terminal hands over every byte as it is typed; put back afterwards, whatever happens but SIGKILL."""
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    signals = (signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, _leave) for number in signals}
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave(number: int, _: Any) -> None:
    sys.exit(128 + number)


def _tell(text: str) -> None:
    """Say something on a terminal in raw mode, where a line ends with both characters."""
    sys.stderr.write(f"\r\n{clean(text)}\r\n")
    sys.stderr.flush()


def copy(line: Console, source: int, sink: int, *, escape: bytes) -> bool:
    """Copy both ways until the line ends (True) or `escape` is typed (False).

    The end of `source` does not end it: what the guest says goes on being shown. What has to wait, because `sink` or
    the guest does not take it, holds up what it came from and nothing else.
    """
    typing = True
    while True:
        line.pump()
        if line.over and not line.heard:
            line.take(0)  # raises what it ended with
            return True
        room = escape or line.unsent < AHEAD  # a key has to be read whatever the guest does: it could be `escape`
        reading: list[Any] = [*([line] if line.hears else []), *([source] if typing and room else [])]
        writing: list[Any] = [*([line] if line.unsent else []), *([sink] if line.heard else [])]
        ready, able, _ = select.select(reading, writing, [])
        if sink in able:
            os.write(sink, line.take(CHUNK))
        if source in ready:
            typed = os.read(source, CHUNK)
            typing = bool(typed)
            before, found, _ = typed.partition(escape) if escape else (typed, b"", b"")
            if line.unsent < AHEAD:
                line.put(before)
            if found:
                return False
