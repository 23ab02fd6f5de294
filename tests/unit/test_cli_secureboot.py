# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban secureboot`: what it shows of real keys, word by word, and what it asks the service for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import keymaker
import pytest
from engine_world import run, world

from kiban.adapters.firmware import keys, templates, trust, varstore
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.cli import app, main
from kiban.client.records import Machine, SecureBoot
from kiban.engine import keyview, nvram
from kiban.engine.host import Host
from kiban.engine.keyview import KeysView
from kiban.errors import Conflict, HostLacks
from kiban.wire import answers

CURRENT = """\
m1
  Secure Boot              on, template microsoft-uefi-ca
  Microsoft's authorities  2011 and 2023
  revoked                  443 loaders by hash, Microsoft's list of 2026-04-09
  SBAT level               none stored: each shim brings its own

DATABASE  ENTRY                                 EXPIRES     PUT THERE BY
PK        Windows OEM Devices PK                2038-09-18  Microsoft
KEK       Microsoft Corporation KEK CA 2011     2026-06-24  Microsoft
KEK       Microsoft Corporation KEK 2K CA 2023  2038-03-02  Microsoft
db        Microsoft Corporation UEFI CA 2011    2026-06-27  Microsoft
db        Microsoft UEFI CA 2023                2038-06-13  Microsoft
"""

OLD = """\
m1
  Secure Boot              on, template microsoft-uefi-ca
  Microsoft's authorities  2011 only: media signed only with the keys of 2023 are refused
  revoked                  216 loaders by hash, Microsoft's list of 2021-04-01, 1 not in Microsoft's list
                           1 by certificate, below
                           older than bootmgfw.efi 9.0
  lacks                    Microsoft Corporation KEK 2K CA 2023 in KEK
                           Microsoft UEFI CA 2023 in db
                           228 revoked loaders, up to 2026-04-09
  SBAT level               of 2024-01-09: shim 4, grub 3
  shim                     its checks are switched off by the machine's owner
                           it trusts its own list only, not db

DATABASE  ENTRY                               EXPIRES     PUT THERE BY
PK        Windows OEM Devices PK              2038-09-18  Microsoft
KEK       Microsoft Corporation KEK CA 2011   2026-06-24  Microsoft
db        Microsoft Corporation UEFI CA 2011  2026-06-27  Microsoft
dbx       lost?signer                         2036-01-01  12345678-1234-1234-1234-123456789abc
MOK       own modules                         2036-01-01  shim
"""


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], KeysView]:
    """What the engine says of a machine with current keys, or with old ones and everything there can be besides."""
    try:
        empty = find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))

    def taken(which: str) -> KeysView:
        import machines

        with world(monkeypatch) as there:
            directory = there.put(machines.make(2, nics=()))
            varstore.create_store(empty, directory / nvram.FILE, templates.keys_of(templates.DEFAULT))
            if which == "old":
                _age(directory / nvram.FILE)

            async def look() -> KeysView:
                host = await Host.open(there.paths)
                return keyview.describe(host.find("m1"))

            found = run(look())
            assert isinstance(found, KeysView)
            return found

    return taken


def _age(path: Path) -> None:
    nv = VariableStore.load(path)
    linux = keys.read(nv)
    old = [digest for day, group in templates.revoked_by_date().items() if day < "2022" for digest in group]
    least = bytes.fromhex("01612b139dd5598843ab1c185c3cb2eb92000009000000000000000000000000")
    owner = UUID("9d132b6c-59d5-4388-ab1c-185cfcb2eb92")
    dbx = (
        *(entry for entry in linux.dbx if entry.data in old),
        keymaker.digest(7),
        replace(keymaker.digest(0), owner=owner, data=least),
        keymaker.entry("lost\x1bsigner"),
    )
    keys.write(nv, keys.make({"PK": linux.pk, "KEK": linux.kek[:1], "db": linux.db[:1], "dbx": dbx}))
    nv.put(trust.mok_list([replace(keymaker.entry("own modules"), owner=trust.SHIM)]))
    nv.put(Variable("SbatLevel", b"sbat,1,2024010900\nshim,4\ngrub,3\n", trust.SHIM, 3))
    nv.put(Variable("MokSBState", b"\1", trust.SHIM, 3))
    nv.put(Variable("MokDBState", b"\1", trust.SHIM, 3))
    nv.save(path)


class FakeClient:
    """Answers every question about keys with one picture, and notes it."""

    def __init__(self, view: KeysView) -> None:
        self.keys = SecureBoot(answers.SecureBoot.model_validate(view).model_dump(mode="json"))
        self.calls: list[tuple[Any, ...]] = []

    def machines(self) -> list[Machine]:
        rows = [("b", 2, ""), ("a", 2, ""), ("old", 1, ""), ("broken", 2, "x")]
        return [Machine({"name": name, "generation": generation, "problem": bad}) for name, generation, bad in rows]

    def __getattr__(self, method: str) -> Callable[..., SecureBoot]:
        if method not in ("secure_boot", "enroll", "revoke", "reset_keys", "update_keys", "undo_keys"):
            raise AttributeError(method)

        def noted(name: str, *more: Any, **said: Any) -> SecureBoot:
            self.calls.append((method, name, *more, said))
            if method == "update_keys" and name == "a":
                raise Conflict("Cannot make this change to a: it is running.", "kiban stop a")
            return SecureBoot({**self.keys, "machine": name, "notes": ["It was done."]})

        return noted


def kiban(monkeypatch: pytest.MonkeyPatch, client: FakeClient, *said: str) -> int:
    app.build([])
    monkeypatch.setattr("kiban.cli.secureboot.connect", lambda: client)
    monkeypatch.setattr(sys, "argv", ["kiban", "secureboot", *said])
    return main.main()


@pytest.mark.parametrize(("which", "golden"), [("current", CURRENT), ("old", OLD)])
def test_show_says_it_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], picture: Any, which: str, golden: str
) -> None:
    client = FakeClient(picture(which))
    monkeypatch.setattr(client, "keys", SecureBoot({**client.keys, "machine": "m1"}))
    assert kiban(monkeypatch, client, "show", "m1") == 0
    assert capsys.readouterr().out == golden
    assert kiban(monkeypatch, client, "show", "m1", "-o", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["dbx"]["date"] in golden
    assert shown["authorities"] == {"current": "2023-ready", "old": "2011-only"}[which]


def test_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], picture: Any) -> None:
    client = FakeClient(picture("current"))
    for said in (
        ("enroll", "web", "--db", "a.pem", "--db", "b.esl", "--pk", "c.der", "--mok", "d.der"),
        ("revoke", "web", "a.efi", "AB" * 32, "b.pem"),
        ("reset", "web", "--template", "open-source"),
        ("undo", "web"),
        ("update", "web"),
    ):
        assert kiban(monkeypatch, client, *said) == 0
        assert capsys.readouterr().err == "It was done.\n"
    assert client.calls == [
        ("enroll", "web", {"db": ["a.pem", "b.esl"], "pk": ["c.der"], "kek": (), "mok": ["d.der"]}),
        ("revoke", "web", {"files": ["a.efi", "b.pem"], "sha256": ["ab" * 32]}),
        ("reset_keys", "web", "open-source", {}),
        ("undo_keys", "web", {}),
        ("update_keys", "web", {}),
    ]


def test_an_update_of_all_goes_on_past_one_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], picture: Any
) -> None:
    client = FakeClient(picture("current"))
    assert kiban(monkeypatch, client, "update", "--all") == Conflict.exit_code
    assert [call[1] for call in client.calls] == ["a", "b"]
    told = capsys.readouterr()
    assert told.out == "b: It was done.\n"
    assert told.err.startswith("Cannot make this change to a: it is running.\n")
    for wrong in (("update",), ("update", "web", "--all")):
        assert kiban(monkeypatch, client, *wrong) == 2
