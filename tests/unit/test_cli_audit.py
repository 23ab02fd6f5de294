# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban secureboot audit` at the command line: the table word by word, JSON, exit codes, and over the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from api_fakes import AUDITED, Service

import kiban
from kiban.cli import audit as face
from kiban.cli import main
from kiban.client.records import Audited as Record
from kiban.engine.audit import Audited, Outlook
from kiban.engine.keyview import SEALED
from kiban.wire import audit as wire

BOOTS = Outlook(verdict="allowed", reason="", sentence="disk0 boots.")
REFUSED = Outlook(verdict="refused", reason="hash-revoked", sentence="The firmware refuses disk0.")
READY = Audited(
    machine="ready", generation=2, state="running", secure_boot=True, authorities="2023-ready", dbx_date="2026-04-09",
    now=BOOTS, after=BOOTS,
)  # fmt: skip
ROWS = (
    Audited(machine="dos", generation=1, state="off"),
    replace(READY, machine="late", authorities="2011-only", dbx_date="", missing=443, after=REFUSED,
            action="new-loader", notes=("Update its loader first.",)),
    replace(READY, machine="lost", authorities="none", state="off", now=REFUSED, after=REFUSED, action="mend",
            command="kiban set lost --secure-boot off"),
    replace(AUDITED, now=BOOTS, after=BOOTS, notes=(SEALED,)),
    replace(AUDITED, machine="web2", state="saved", notes=("It would boot after the update.", SEALED),
            command="kiban secureboot update web2"),
    READY,
    replace(READY, machine="setup", secure_boot=False, setup_mode=True, authorities="none", dbx_date=""),
    Audited(machine="9f2c", generation=0, state="off", problem="vm.json is no JSON.\x1b[2J", action="look",
            command="kiban info 9f2c"),
)  # fmt: skip
TABLE = """\
NAME   STATE    AUTHORITIES                  DBX                      BOOTS NOW                    AFTER UPDATE              TPM  TO DO
dos    off      generation 1: not concerned  -                        -                            -                         -    -
late   running  2011 only                    443 missing              allowed                      refused: hash-revoked     no   a newer loader
lost   off      own keys                     2026-04-09               refused: hash-revoked        refused: hash-revoked     no   kiban set lost --secure-boot off
web    off      2011 only                    2021-04-01, 228 missing  allowed                      allowed                   yes  kiban secureboot update web
web2   saved    2011 only                    2021-04-01, 228 missing  refused: signer-not-trusted  allowed                   yes  kiban secureboot update web2
ready  running  2011 + 2023                  2026-04-09               allowed                      allowed                   no   -
setup  running  none (setup mode)            -                        allowed: Secure Boot off     allowed: Secure Boot off  no   -
9f2c   off      cannot be read               -                        -                            -                         -    kiban info 9f2c

late: Update its loader first.
web, web2: SEALED
web2: It would boot after the update.
9f2c: vm.json is no JSON.?[2J
Something is to be done for 5 of 8 machines.
"""  # noqa: E501  # as it is printed


class Asked:
    """A client that answers with rows, after some progress."""

    def __init__(self, *rows: Audited) -> None:
        self.rows = [Record(row) for row in json.loads(json.dumps(wire.plain(rows)))]

    def audit(self, *, progress: Any) -> list[Record]:
        progress(0.5, "4 of 8 machines")
        return self.rows


def run(monkeypatch: pytest.MonkeyPatch, rows: tuple[Audited, ...], *said: str) -> int:
    monkeypatch.setattr(face, "connect", lambda: Asked(*rows))
    return main.run(["secureboot", "audit", *said])


def test_the_table_word_by_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, ROWS) == 13
    told = capsys.readouterr().out
    assert told == TABLE.replace("SEALED", SEALED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.machine)
def test_the_exit_code_says_whether_something_is_to_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: Audited
) -> None:
    code = 13 if row.action else 0
    assert run(monkeypatch, (row, READY)) == code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("Something is to be done for 1 of 2 machines." if row.action else "Nothing is to be done.")
    assert run(monkeypatch, (row, READY), "-o", "json") == code


def test_no_machines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, ()) == 0
    assert capsys.readouterr().out == "There are no machines.\n"
    assert run(monkeypatch, (), "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_programs_get_all_of_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, ROWS, "-o", "json")
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps([asdict(row) for row in ROWS]))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as service:
        yield service


def test_it_is_a_job_of_the_service(service: Service) -> None:
    service.host.progress = [(0.5, "1 of 2 machines")]
    with kiban.connect(service.url) as client:
        rows = client.audit()
        assert [row.machine for row in rows] == ["web", "db"]
        assert rows[0].after is not None
        assert (rows[0].after.verdict, rows[0].lacks, rows[1].now) == (
            "allowed",
            ["Microsoft UEFI CA 2023 in db"],
            None,
        )
        (job,) = client.jobs()
        assert (job.command, job.machine, job.result) == ("secureboot.audit", "", rows)
