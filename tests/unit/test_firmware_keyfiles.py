# SPDX-License-Identifier: GPL-2.0-or-later
"""Key files that people bring: every format, and everything that is none; what a machine keeps beside its store."""

import contextlib
import os
from pathlib import Path

import keymaker
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.firmware import certs, keyfiles, keyrecord, keys, renewal, siglist, templates
from kiban.adapters.firmware.keyrecord import Change
from kiban.errors import BadInput, Damaged, KibanError, NotAllowed, NotFound


def names(entries: tuple[siglist.Entry, ...]) -> list[str]:
    return [certs.facts(entry.data).name if entry.kind == "x509" else entry.data.hex() for entry in entries]


def test_a_folder_holds_keys_in_every_format(tmp_path: Path) -> None:
    found = keyfiles.read_folder(keymaker.folder(tmp_path / "keys"))
    assert names(found.pk) == ["own PK"]
    assert names(found.kek) == ["own KEK"]
    assert names(found.db) == ["second db", "third db", "own db"]
    assert [entry.kind for entry in found.dbx] == ["sha256", "sha256", "x509"]


def test_a_folder_has_exactly_one_platform_key(tmp_path: Path) -> None:
    folder = keymaker.folder(tmp_path / "keys")
    (folder / "PK-old.pem").write_bytes(keymaker.certificate("another PK", Encoding.PEM))
    with pytest.raises(BadInput, match="2 platform keys"):
        keyfiles.read_folder(folder)
    for file in folder.glob("PK*"):
        file.unlink()
    with pytest.raises(BadInput, match="no platform key") as refusal:
        keyfiles.read_folder(folder)
    assert "Secure Boot cannot be on" in refusal.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("db.pem", b"no certificate"),
        ("db.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("db.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("db.der", b""),
        ("db.der", keymaker.certificate("x")[:-1]),
        ("db.esl", b"\1" * 30),
        ("db.esl", siglist.build([siglist.Entry(siglist.X509, keymaker.OWNER, b"no certificate")])),
        ("db.esl", siglist.build([siglist.Entry(keymaker.OWNER, keymaker.OWNER, b"unknown kind")])),
        ("KEK.esl", siglist.build([keymaker.digest(1)])),
        ("dbx.auth", b"short"),
        ("dbx.auth", bytes(64)),
        ("dbx.auth", keymaker.auth(b"no list")),
        ("dbx.auth", keymaker.auth(b"")[:30]),
        ("dbx.esl", bytes(300 << 10)),
    ],
)
def test_a_file_that_is_no_key_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = keymaker.folder(tmp_path / "keys")
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        keyfiles.read_folder(folder)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    folder = keymaker.folder(tmp_path / "keys")
    os.mkfifo(folder / "db-3.pem")
    with pytest.raises(BadInput, match=r"db-3\.pem is not a file but a pipe"):
        keyfiles.read_folder(folder)
    with pytest.raises(NotFound):
        keyfiles.read_folder(tmp_path / "absent")
    with pytest.raises(NotFound):
        keyfiles.read_folder(folder / "PK.crt")
    with pytest.raises(BadInput, match="does not say by its name"):
        keyfiles.read_file(folder / "PK.key", "PK")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder = keymaker.folder(tmp_path / "keys")
    folder.chmod(0)
    with pytest.raises(NotAllowed):
        keyfiles.read_folder(folder)


def test_a_folder_of_very_many_files_is_refused(tmp_path: Path) -> None:
    folder = keymaker.folder(tmp_path / "keys")
    for number in range(70):
        (folder / f"db-{number}.der").write_bytes(b"")
    with pytest.raises(BadInput, match="more than 64 keys"):
        keyfiles.read_folder(folder)


SEEDS = [
    siglist.build([keymaker.entry("fuzz"), keymaker.digest(1)]),
    keymaker.auth(siglist.build([keymaker.entry("fuzz")])),
    keymaker.certificate("fuzz"),
    keymaker.certificate("fuzz", Encoding.PEM),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0), st.binary(max_size=6), st.sampled_from(keyfiles.EXTENSIONS))
def test_damaged_key_files_give_keys_or_an_error(
    tmp_path: Path, seed: bytes, place: int, junk: bytes, extension: str
) -> None:
    at = place % len(seed)
    path = tmp_path / f"db{extension}"
    path.write_bytes(seed[:at] + junk + seed[at + len(junk) :])
    with contextlib.suppress(KibanError):
        for found in keyfiles.read_file(path, "db"):
            certs.facts(found.data)


def _flipped(place: int) -> bytes:
    data = bytearray(keymaker.certificate("fuzz"))
    data[place % len(data)] ^= 1 + place % 255
    return bytes(data)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.binary(max_size=300) | st.integers(0).map(_flipped))
def test_facts_of_any_bytes_are_words(data: bytes) -> None:
    assert certs.facts(data).name


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    assert keyrecord.load_custom(tmp_path) is None
    assert keyrecord.load_change(tmp_path) is None
    own = keyfiles.read_folder(keymaker.folder(tmp_path / "keys"))
    keyrecord.save_custom(tmp_path, own)
    assert keyrecord.load_custom(tmp_path) == own
    change = Change(what="update", time="2026-01-01T00:00:00+00:00", template="custom", before=own, after=own)
    keyrecord.save_change(tmp_path, change)
    assert keyrecord.load_change(tmp_path) == change
    keyrecord.drop_change(tmp_path)
    assert keyrecord.load_change(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100000, '{"version": 2}', '{"version": 1, "keys": {"PK": "?"}}', '{"version": 1, "keys": 3}'],
)
def test_damaged_records_are_said_to_be(tmp_path: Path, text: str) -> None:
    (tmp_path / keyrecord.CUSTOM).write_text(text)
    (tmp_path / keyrecord.UNDO).write_text(text)
    with pytest.raises(Damaged, match=r"keys\.json"):
        keyrecord.load_custom(tmp_path)
    with pytest.raises(Damaged, match=r"keys\.undo\.json"):
        keyrecord.load_change(tmp_path)


def test_an_update_adds_the_successors_of_what_is_trusted() -> None:
    linux = templates.keys_of("microsoft-uefi-ca")
    assert renewal.lacking(linux) == {}
    assert renewal.authorities(linux) == "2023-ready"
    old = keys.make({"PK": linux.pk, "KEK": linux.kek[:1], "db": linux.db[:1], "dbx": linux.dbx[:100]})
    added = renewal.lacking(old)
    assert names(added["db"]) == ["Microsoft UEFI CA 2023"]
    assert names(added["KEK"]) == ["Microsoft Corporation KEK 2K CA 2023"]
    assert added["dbx"] == linux.dbx[100:]
    assert renewal.authorities(old) == "2011-only"
    assert renewal.lacking(old.plus(added)) == {}
    assert renewal.authorities(keys.make({"db": linux.db[1:]})) == "2023-only"


def test_who_trusts_no_authority_of_microsofts_gets_none() -> None:
    own = keys.make({"PK": (keymaker.entry("own PK"),), "db": (keymaker.entry("own db"),)})
    assert renewal.lacking(own) == {}
    assert renewal.authorities(own) == "none"
    free = templates.keys_of("open-source")
    behind = keys.make({"PK": free.pk, "db": free.db, "dbx": free.dbx[:10]})
    assert set(renewal.lacking(behind)) == {"dbx"}


def test_the_date_of_a_list_is_that_of_its_newest_entry() -> None:
    days = templates.revoked_by_date()
    assert renewal.list_date(templates.revoked()) == max(days) == "2026-04-09"
    upto = [entry for entry in templates.revoked() if entry.data not in days["2026-04-09"]]
    assert renewal.list_date(upto) == "2026-04-02"
    assert renewal.list_date([keymaker.digest(1)]) == ""
