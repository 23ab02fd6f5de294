# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban console` as a process, on a terminal and in a pipe, at a service whose port answers everything twice."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import FakePort, Service

from kiban import errors
from kiban.cli import console
from kiban.client.console import Console

WAIT = 60.0
"""Seconds, as a limit."""
KIBAN = (sys.executable, "-c", "import sys; from kiban.cli.main import main; sys.exit(main())", "console", "web")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service(tmp_path) as service:
        monkeypatch.setenv("KIBAN_URL", service.url)
        yield service


class Terminal:
    """A terminal with the command in it."""

    def __init__(self) -> None:
        self.ours, theirs = os.openpty()
        self.theirs = theirs
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(KIBAN, stdin=theirs, stdout=theirs, stderr=theirs)

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def expect(self, what: bytes) -> bytes:
        """Wait until that is shown; returns what is shown up to there."""
        shown, end = b"", time.monotonic() + WAIT
        while what not in shown:
            assert select.select([self.ours], [], [], max(end - time.monotonic(), 0))[0], shown
            shown += os.read(self.ours, 1)
        return shown

    def ends_with(self, code: int) -> None:
        """The command has ended so, and the terminal is as it was."""
        assert self.process.wait(WAIT) == code
        assert termios.tcgetattr(self.theirs) == self.before

    def close(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(service: Service) -> Iterator[Terminal]:
    made = Terminal()
    made.expect(b"ready\r\n")
    yield made
    made.close()


def test_every_key_goes_to_the_guest_and_ctrl_bracket_leaves(terminal: Terminal) -> None:
    assert termios.tcgetattr(terminal.theirs) != terminal.before
    terminal.type(b"\x03\x1a\r")
    terminal.expect(b"\x03\x1a\r" * 2)
    terminal.type(b"last\x1dlost")
    terminal.expect(b"Left the console")
    terminal.ends_with(0)
    assert b"lost" not in b"".join(FakePort.last.said._queue)  # type: ignore[attr-defined]  # what waits in it


def test_the_guest_hangs_up(terminal: Terminal) -> None:
    terminal.type(b"bye\x04")
    terminal.expect(b"byebye\r\nThe machine closed the port.")
    terminal.ends_with(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(terminal: Terminal, number: signal.Signals) -> None:
    terminal.process.send_signal(number)
    terminal.ends_with(128 + number)


def test_a_terminal_comes_back_when_the_service_does(terminal: Terminal, service: Service) -> None:
    service.end()
    terminal.expect(b"The service has stopped. Connecting again; Ctrl-] leaves.\r\n")
    with Service(service.paths.state.parent):
        terminal.expect(b"Connected again.\r\n")
        terminal.expect(b"ready\r\n")
        terminal.type(b"ab")
        terminal.expect(b"abab")
    terminal.expect(b"Connecting again")
    terminal.type(b"\x1d")
    terminal.ends_with(0)


def test_what_is_refused_on_the_way_back_ends_it(terminal: Terminal, service: Service) -> None:
    service.end()
    terminal.expect(b"Connecting again")
    with Service(service.paths.state.parent) as other:
        other.host.failure = errors.Conflict("Cannot look at web: it is off.", "Start it first: kiban start web")
        terminal.expect(b"it is off.")
        terminal.ends_with(errors.Conflict.exit_code)


def test_a_pipe_takes_and_gives_bytes_as_they_are(service: Service) -> None:
    said = b"a\x1d\x00b" * 100_000
    done = subprocess.run(KIBAN, input=said + b"\x04", capture_output=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == len(b"ready\r\n" + said * 2)
    assert done.stdout.startswith(b"ready\r\na\x1d\x00b")


def test_the_end_of_the_input_does_not_end_it_and_that_of_the_service_is_an_error(service: Service) -> None:
    with subprocess.Popen(KIBAN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\r\n"
        service.call(FakePort.last.said.put_nowait, b"more\n")
        assert process.stdout.readline() == b"more\n"
        service.stop()
        assert b"The service has stopped." in process.stderr.read()
        assert process.wait(WAIT) == errors.NoService.exit_code


def test_a_pipe_that_breaks_ends_it(service: Service) -> None:
    with subprocess.Popen(KIBAN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        service.call(FakePort.last.said.put_nowait, b"more\n")
        assert process.wait(WAIT) == 1


def test_a_service_that_died_is_started_once_and_one_that_was_stopped_is_waited_for() -> None:
    reading, typing = os.pipe()
    asked: list[bool] = []

    def attach(*, start: bool) -> Console:
        asked.append(start)
        if len(asked) == 2:
            os.write(typing, b"\x03")
        raise errors.NoService("No service is running.")

    assert console._again(attach, reading, start=True) is None
    assert asked == [True, False]
    os.close(reading)
    os.close(typing)
