# SPDX-License-Identifier: GPL-2.0-or-later
"""What would boot, asked through the API and the command line: what is sent, what is shown, and the exit codes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import api_fakes
import pytest

from kiban import client
from kiban.cli import explain as face
from kiban.cli import main
from kiban.client.records import BootReport
from kiban.errors import BadInput, NotFound
from kiban.wire import bootcheck


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> object:
    with api_fakes.Service(tmp_path_factory.mktemp("s")) as running:
        yield running


class Asked:
    """A client that notes what it was asked and answers with the same report."""

    def __init__(self, verdict: str = "refused") -> None:
        told = bootcheck.BootReport.model_validate(api_fakes.REPORT).model_dump(mode="json")
        self.report = BootReport(told | {"verdict": verdict})
        self.calls: list[tuple[str, str, dict[str, str]]] = []

    def explain(self, name: str, **said: str) -> BootReport:
        self.calls.append(("name", name, said))
        if name == "nothing":
            raise NotFound("There is no machine 'nothing'.")
        return self.report

    def explain_path(self, path: str, **said: str) -> BootReport:
        self.calls.append(("path", path, said))
        return self.report


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    there = Asked()
    monkeypatch.setattr(face, "connect", lambda: there)
    return there


def run(*arguments: str) -> int:
    return main.run(["secureboot", "explain", *arguments])


def test_the_client_and_the_service_agree(service: api_fakes.Service) -> None:
    with client.connect(service.url) as there:
        found = there.explain("web", template="microsoft-windows")
        assert found.verdict == "refused"
        assert found.stages[0].signers[0].subject == "A"
        assert found.stages[0].sbat == {"sbat": 1, "shim": 4}
        there.explain_path("x.iso", file="b.efi")
    assert service.host.calls == [
        ("bootcheck.explain", "web", "microsoft-windows"),
        ("bootcheck.explain_path", str(Path("x.iso").absolute()), "", "", "b.efi"),
    ]


def test_every_member_of_the_report_is_sent() -> None:
    told = bootcheck.BootReport.model_validate(api_fakes.REPORT).model_dump()
    plain = json.loads(json.dumps(asdict(api_fakes.REPORT)))
    plain["stages"][0]["sbat"] = dict(plain["stages"][0]["sbat"])
    assert told == plain


@pytest.mark.parametrize("path", ["relative.iso", "/with\nline", ""])
def test_paths_are_absolute_and_printable(service: api_fakes.Service, path: str) -> None:
    with client.connect(service.url) as there, pytest.raises(BadInput):
        there._transport.call("POST", "/v1/secureboot/explain", {"path": path})


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["web"], "name"),
        (["debian.iso"], "path"),
        (["./web"], "path"),
        (["disk", "--format", "raw"], "path"),
        (["pxe", "--file", "x.efi"], "path"),
        (["DISK.VHDX"], "path"),
    ],
)
def test_a_name_and_a_file_are_told_apart(asked: Asked, words: list[str], kind: str) -> None:
    run(*words)
    assert asked.calls[0][:2] == (kind, words[0])


def test_a_file_that_was_meant_is_named(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFound):
        run("nothing")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadInput) as told:
        run("nothing")
    assert told.value.hint.endswith("explain ./nothing")


@pytest.mark.parametrize(("verdict", "code"), [("allowed", 0), ("refused", 11), ("unknown", 12)])
def test_the_verdict_is_the_exit_code(asked: Asked, verdict: str, code: int) -> None:
    asked.report["verdict"] = verdict
    assert run("web") == code
    assert run("web", "-o", "json") == code


def test_people_see_the_chain(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    run("web")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "dvd0"
    assert lines[1].endswith("firmware loads \\EFI\\BOOT\\BOOTX64.EFI: shim, x86-64, 878.9 KiB")
    assert lines[1][0] in "✗N"
    assert "signed by   A, issued by B, until 2030-01-01" in lines
    assert lines[-2:] == ["refused: Refused.", "hint: do"]


def test_programs_get_all_of_it(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    run("web", "-o", "json")
    assert json.loads(capsys.readouterr().out) == dict(asked.report)
