# SPDX-License-Identifier: GPL-2.0-or-later
"""Who starts the service where systemd has its unit; `tests/guest/test_unit_systemd.py` does so with a real systemd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiban.client import unit
from kiban.errors import NoService
from kiban.paths import Paths, standard

SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$TOLD"
case "$*" in
    *is-enabled*) exit $ENABLED ;;
    *start*) exit $STARTED ;;
esac
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl was told."""
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.setattr(unit, "BOOTED", tmp_path)
    return tmp_path / "told"


@pytest.mark.parametrize(("uid", "whose"), [(0, ""), (1000, "--user ")])
def test_a_unit_that_is_enabled_is_started(told: Path, monkeypatch: pytest.MonkeyPatch, uid: int, whose: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("ENABLED", "0")
    monkeypatch.setenv("STARTED", "0")
    assert unit.start(standard(), 60)
    assert told.read_text() == f"{whose}is-enabled kiban.service\n{whose}start kiban.service\n"


def test_a_unit_that_does_not_start_is_told_of(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("ENABLED", "0")
    monkeypatch.setenv("STARTED", "1")
    with pytest.raises(NoService, match="systemd could not start") as caught:
        unit.start(standard(), 60)
    assert caught.value.hint == "Its log: journalctl -u kiban.service"


def test_without_a_unit_the_command_starts_it(told: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENABLED", "1")
    assert not unit.start(standard(), 60)
    assert "start " not in told.read_text()
    told.unlink()
    assert not unit.start(Paths(tmp_path, tmp_path), 60), "the unit has other directories"
    monkeypatch.setattr(unit, "BOOTED", tmp_path / "none")
    assert not unit.start(standard(), 60)
    assert not told.exists()
