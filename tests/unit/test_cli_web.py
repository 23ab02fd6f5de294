# SPDX-License-Identifier: GPL-2.0-or-later
"""kiban web: prints the address, or gives it to a browser without showing it to everybody on the host."""

from __future__ import annotations

import stat
import webbrowser
from pathlib import Path

import pytest
from cli_fakes import FakeClient

from kiban.cli import main, web

URL = "http://127.0.0.1:7480/login#secret"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was told to open."""
    monkeypatch.setenv("KIBAN_RUNTIME", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(web, "connect", FakeClient)
    told: list[str] = []

    def tell(url: str) -> bool:
        told.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", tell)
    return told


def test_a_browser_gets_a_private_file_that_leads_on(opened: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert main.run(["web"]) == 0
    page = tmp_path / "web.html"
    assert opened == [page.as_uri()] * 2, "its command line is for all to see"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert f'href="{URL}"' in page.read_text()


@pytest.mark.parametrize("how", ["--print", "no display", "no browser"])
def test_otherwise_the_address_is_printed(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    if how == "no display":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if how == "no browser":
        monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert main.run(["web", *([how] if how == "--print" else [])]) == 0
    assert capsys.readouterr().out == f"{URL}\n"
    assert opened == []
