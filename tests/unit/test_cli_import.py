# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban import` at the command line, over the service: the plan as a table and as JSON, and the import itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import Service

from kiban.cli import main
from kiban.model.export import ExportRequest
from kiban.model.takeover import ImportRequest


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service(tmp_path) as service:
        monkeypatch.setenv("KIBAN_URL", service.url)
        yield service


def kiban(*arguments: str) -> int:
    return main.run(list(arguments))


def test_the_plan_as_a_table(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert kiban("import", "/a.vhdx", "--dry-run", "--generation", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "/a.vhdx: a virtual hard disk",
        "WHAT  THERE  HERE",
        "name  Web    web",
        "checkpoint * before, 2026-01-01 (1)",
        "",
        "Not taken over:",
        "- The colour.",
        "",
        "Good to know:",
        "- Mind the gap.",
    ]
    assert service.host.calls == [("takeover.plan", ImportRequest(path="/a.vhdx", generation=2))]


def test_the_plan_as_json(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert kiban("import", "/a.vhdx", "--dry-run", "-o", "json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["disks"] == [
        {"id": "disk0", "format": "vhdx", "size": 1 << 30, "files": ["/a.vhdx", "/b.vhdx"], "lazy": True}
    ]
    assert (plan["name"], plan["generation"], plan["left_out"]) == ("web", 2, ["The colour."])


def test_an_import(service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(service.paths.state)
    said = ("--name", "www", "--parents", "p", "--checkpoint", "before", "--guest", "win2k22", "--lazy")
    assert kiban("import", "export", *said) == 0
    assert capsys.readouterr().out == "web: running\n"
    here = service.paths.state
    assert service.host.calls == [
        (
            "takeover.import_machine",
            ImportRequest(
                path=f"{here}/export",
                name="www",
                parents=(f"{here}/p",),
                checkpoint="before",
                guest="win2k22",
                lazy=True,
            ),
        )
    ]


def test_an_export(service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(service.paths.state)
    assert kiban("export", "web", "out") == 0
    assert capsys.readouterr().out.splitlines() == ["/x/web: 1 files, 2 KiB", "", "Not in it:", "- The ISO."]
    assert service.host.calls == [("takeover.export", "web", ExportRequest(path=f"{service.paths.state}/out"))]
    assert kiban("export", "web", "out", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == [{"name": "vm.json", "size": 2048, "sha256": "ab" * 32}]
