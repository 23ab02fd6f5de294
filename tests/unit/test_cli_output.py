# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes to a terminal, what goes into a pipe, and what is stripped on the way to either."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from kiban.cli import output, progress
from kiban.errors import NoService


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_text_of_guests_cannot_drive_the_terminal() -> None:
    assert output.clean("a\x1b]0;x\x07b\nc\u202ed é") == "a?]0;x?b c?d é"


def test_an_error_is_a_sentence_and_a_hint_of_clean_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output.report(NoService("It did not\x1b[2J start.", "first\nsecond\x07"), as_json=False)
    assert capsys.readouterr().err == "It did not?[2J start.\nhint: first\nsecond?\n"


def test_tables_are_aligned_in_a_pipe_and_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stdout", stream)
        output.table(("name", "notes"), [("web", "[bold]x[/bold]"), ("a-longer-one", "y\x1b[2Jz")])
        output.card("web", {"state": ["running"], "disks": ["one", "two\x1b[2J"], "none": []})
        text = stream.getvalue()
        assert "[bold]x[/bold]" in text  # not taken for Rich's markup
        assert "\x1b[2J" not in text
        assert ("\x1b[" in text) is stream.isatty()
        assert "none" not in text
    monkeypatch.setattr(sys, "stdout", plain := io.StringIO())
    output.table(("name", "state"), [("a-longer-one", "off"), ("b", "running")])
    assert plain.getvalue() == "NAME          STATE\na-longer-one  off\nb             running\n"


def test_a_bar_appears_on_a_terminal_once_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress.Bar("Starting web") as bar:
        bar(0.25, "making the [disk]\x1b[2J")
        assert bar._timer is not None
        bar._timer.join(30)
    assert "Starting web: making the [disk]?[2J" in terminal.getvalue()


def test_no_bar_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0)
    monkeypatch.setattr(sys, "stderr", plain := io.StringIO())
    with progress.Bar("Starting web") as bar:
        bar(0.25, "making the disk")
        assert bar._timer is None
    assert plain.getvalue() == ""


@pytest.mark.parametrize("said", [["completion", "bash"], ["--help"]])
def test_a_reader_that_went_away_is_no_news(said: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from kiban.cli.main import main; sys.exit(main())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *said], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
