# SPDX-License-Identifier: GPL-2.0-or-later
"""Secure Boot keys: lists of signatures, templates, and what a store makes a machine trust."""

import contextlib
import hashlib
import struct
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.adapters.firmware import keys, siglist, templates, trust, varstore
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.firmware.siglist import SHA256, X509, Entry
from kiban.errors import BadInput, Damaged, HostLacks

OWNER = UUID("12345678-1234-1234-1234-123456789abc")
UNKNOWN = UUID("00000000-1111-2222-3333-444444444444")

# SHA-256 of the certificates as their owners publish them: virt-firmware may not change them under us
FINGERPRINTS = {
    "microsoft.com/ms-uefi-2011": "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507",
    "microsoft.com/ms-uefi-2023": "f6124e34125bee3fe6d79a574eaa7b91c0e7bd9d929c1a321178efd611dad901",
    "microsoft.com/windows-2011": "e8e95f0733a55e8bad7be0a1413ee23c51fcea64b3c8fa6a786935fddcc71961",
    "microsoft.com/windows-2023": "076f1fea90ac29155ebf77c17682f75f1fdd1be196da302dc8461e350a9ae330",
    "microsoft.com/ms-kek-2011": "a1117f516a32cefcba3f2d1ace10a87972fd6bbe8fe0d0b996e09e65d802a503",
    "microsoft.com/ms-kek-2023": "3cd3f0309edae228767a976dd40d9f4affc4fbd5218f2e8cc3c9dd97e8ac6f9d",
    "microsoft.com/ms-oem-pk-2023": "2f569e8edaf9657dc4951c29598725255c7f821472db71374211fe44d082546f",
    "debian.org/debian-2016": "079646974bce09b1f04da67bd722d1fb0947ae4c4010bccdbba52d5b23cbf1a2",
    "ubuntu.com/ubuntu-2012": "ed1fe72cb9ca31c9af5b757afcd733323d675825032e6ced7fe1ae9eb767998c",
    "fedoraproject.org/fedora-2020": "a3b384810d48f1666d5df01c0684c5f5325b57ef5dee5223d9bf66aeefef332e",
}


@pytest.fixture
def empty() -> Path:
    try:
        return find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Path:
    path = tmp_path / "nvram"
    varstore.create_store(empty, path, templates.keys_of(templates.DEFAULT))
    return path


def put(path: Path, *variables: Variable) -> None:
    nvram = VariableStore.load(path)
    for variable in variables:
        nvram.put(variable)
    nvram.save(path)


def fingerprints(signatures: tuple[object, ...]) -> set[str]:
    return {hashlib.sha256(signature.data).hexdigest() for signature in signatures}  # type: ignore[attr-defined]


def test_templates_trust_what_they_say(empty: Path, tmp_path: Path) -> None:
    read = {}
    for name in templates.templates():
        varstore.create_store(empty, tmp_path / name, templates.keys_of(name))
        read[name] = trust.read(tmp_path / name)
        assert read[name].template == name
        assert read[name].secure_boot
    linux, windows, free = (read[name] for name in ("microsoft-uefi-ca", "microsoft-windows", "open-source"))
    named = {name: FINGERPRINTS[f"microsoft.com/{name}"] for name in ("ms-uefi-2011", "ms-uefi-2023")}
    assert fingerprints(linux.db) == set(named.values())
    assert fingerprints(windows.db) == {FINGERPRINTS["microsoft.com/windows-" + year] for year in ("2011", "2023")}
    assert fingerprints(linux.kek) == {FINGERPRINTS["microsoft.com/ms-kek-" + year] for year in ("2011", "2023")}
    assert fingerprints(linux.pk) == {FINGERPRINTS["microsoft.com/ms-oem-pk-2023"]}
    assert FINGERPRINTS["debian.org/debian-2016"] in fingerprints(free.db)
    microsoft = {value for name, value in FINGERPRINTS.items() if name.startswith("microsoft.com/")}
    assert microsoft.isdisjoint(fingerprints((*free.pk, *free.kek, *free.db)))
    assert all(len(t.dbx) == 443 for t in read.values())


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_certificates_are_the_published_ones(name: str) -> None:
    assert hashlib.sha256(templates.certificate(name).data).hexdigest() == FINGERPRINTS[name]


def test_template_ids_are_hyper_vs() -> None:
    ids = {name: str(template.hyperv_id) for name, template in templates.templates().items()}
    assert ids == {
        "microsoft-windows": "1734c6e8-3154-4dda-ba5f-a874cc483422",
        "microsoft-uefi-ca": "272e7447-90a4-4563-a4b9-8e4ab00526ce",
        "open-source": "4292ae2b-ee2c-42b5-a969-dd8f8689f6f3",
    }


def test_what_is_no_template_is_refused() -> None:
    with pytest.raises(BadInput, match="nonsense") as refusal:
        templates.keys_of("nonsense")
    assert "custom, microsoft-uefi-ca, microsoft-windows, open-source" in refusal.value.hint
    with pytest.raises(BadInput, match="no keys of its own"):
        templates.keys_of("custom")


def test_added_keys_do_not_make_it_another_template() -> None:
    linux, windows = templates.keys_of("microsoft-uefi-ca"), templates.keys_of("microsoft-windows")
    both = linux.plus({"db": windows.db})
    assert templates.recognise(both, "microsoft-uefi-ca") == "microsoft-uefi-ca"
    assert templates.recognise(both, "microsoft-windows") == "microsoft-windows"
    assert templates.recognise(linux, "microsoft-windows") == "microsoft-uefi-ca"
    assert templates.recognise(linux, "custom") == "microsoft-uefi-ca"
    own = keys.make({"PK": (Entry(X509, OWNER, b"own"),), "db": linux.db})
    assert templates.recognise(own, "microsoft-uefi-ca") == "custom"
    assert templates.recognise(keys.make({"db": linux.db}), "microsoft-uefi-ca") == ""
    old = keys.make({"PK": linux.pk, "KEK": linux.kek[:1], "db": linux.db[:1]})
    assert templates.recognise(old, "microsoft-uefi-ca") == "microsoft-uefi-ca"


def test_shims_lists_are_read_as_shim_reads_them(store: Path) -> None:
    mok = Entry(X509, trust.SHIM, b"a certificate")
    put(
        store,
        trust.mok_list([mok]),
        Variable("MokListX", siglist.build([Entry(SHA256, trust.SHIM, b"\1" * 32)]), trust.SHIM, 3),
        Variable("SbatLevel", b"sbat,1,2024010900\nshim,4\ngrub,4\n\0", trust.SHIM, 3),
        Variable("MokSBState", b"\1", trust.SHIM, 3),
        Variable("MokDBState", b"\1", trust.SHIM, 3),
    )
    found = trust.read(store)
    assert [signature.data for signature in found.mok] == [mok.data]
    assert [signature.kind for signature in found.mokx] == ["sha256"]
    assert found.sbat_level == "sbat,1,2024010900\nshim,4\ngrub,4\n"
    assert (found.shim_validation, found.shim_uses_db) == (False, False)


def test_shims_lists_that_the_system_could_have_written_do_not_count(store: Path) -> None:
    names = ("MokList", "MokListX", "SbatLevel", "MokSBState", "MokDBState")
    one = siglist.build([Entry(X509, OWNER, b"a certificate")])
    put(store, *(Variable(name, one if "List" in name else b"\1", trust.SHIM, 7) for name in names))
    found = trust.read(store)
    assert (found.mok, found.mokx, found.sbat_level) == ((), (), "")
    assert (found.shim_validation, found.shim_uses_db) == (True, True)


def test_a_damaged_list_of_shims_counts_up_to_the_damage(store: Path) -> None:
    good = siglist.build([Entry(X509, OWNER, b"a certificate")])
    put(store, Variable("MokList", good + b"\xff" * 40, trust.SHIM, 3))
    assert [signature.data for signature in trust.read(store).mok] == [b"a certificate"]


@pytest.mark.parametrize(
    "junk",
    [b"\1", bytes(28), bytes(16) + struct.pack("<LLL", 60, 0, 0) + bytes(32), b"\xff" * 80,
     SHA256.bytes_le + struct.pack("<LLL", 28 + 49, 0, 48) + bytes(49)],
)  # fmt: skip
def test_junk_in_a_database_is_damage(store: Path, junk: bytes) -> None:
    put(store, Variable("KEK", junk))
    with pytest.raises(Damaged):
        trust.read(store)
    with pytest.raises(Damaged):
        varstore.describe_store(store)


def test_a_store_without_a_platform_key_is_in_setup_mode(empty: Path, tmp_path: Path) -> None:
    without = keys.make({"db": templates.keys_of(templates.DEFAULT).db})
    with pytest.raises(BadInput, match="setup mode"):
        varstore.create_store(empty, tmp_path / "nvram", without)
    varstore.create_store(empty, tmp_path / "nvram", without, secure_boot=False)
    found = trust.read(tmp_path / "nvram")
    assert (found.secure_boot, found.template, len(found.db)) == (False, "", 2)


def test_what_the_firmware_could_not_read_is_not_written(store: Path) -> None:
    hashes = tuple(Entry(SHA256, OWNER, n.to_bytes(32, "big")) for n in range(700))
    nvram = VariableStore.load(store)
    with pytest.raises(BadInput, match="dbx would have"):
        keys.write(nvram, keys.read(nvram).plus({"dbx": hashes}))


def test_writing_keeps_the_bytes_of_what_stays_and_the_time_of_what_changes(store: Path) -> None:
    nvram = VariableStore.load(store)
    foreign = siglist.build([Entry(UNKNOWN, OWNER, b"\7" * 9, b"head")])
    time = struct.pack("<HBB12x", 2025, 6, 7)
    odd = (
        foreign + siglist.build([Entry(SHA256, OWNER, b"\2" * 32)]) + siglist.build([Entry(SHA256, OWNER, b"\3" * 32)])
    )
    nvram.put(Variable("dbx", odd, keys.SECURITY, 0x27, time))
    before = keys.read(nvram)
    keys.write(nvram, before)
    assert nvram.get("dbx", keys.SECURITY) == odd
    keys.write(nvram, before.plus({"dbx": templates.revoked()}))
    after = nvram.variables["dbx", keys.SECURITY]
    assert after.time == time
    assert siglist.parse(after.data) == [*before.dbx, *templates.revoked()]
    assert after.data.startswith(foreign)


ENTRIES = st.builds(
    Entry,
    st.sampled_from([X509, SHA256, UNKNOWN]),
    st.sampled_from([OWNER, keys.MICROSOFT]),
    st.binary(min_size=1, max_size=40),
    st.sampled_from([b"", b"head"]),
)


@given(st.lists(ENTRIES, max_size=12))
def test_what_is_built_is_read_again(entries: list[Entry]) -> None:
    assert siglist.parse(siglist.build(entries)) == entries


@given(st.binary(max_size=200) | st.lists(ENTRIES, max_size=4).map(siglist.build), st.data())
def test_no_bytes_make_the_parser_stumble(data: bytes, more: st.DataObject) -> None:
    cut = more.draw(st.integers(0, len(data)))
    flipped = bytearray(data[:cut])
    if flipped:
        flipped[more.draw(st.integers(0, len(flipped) - 1))] ^= more.draw(st.integers(1, 255))
    whole = siglist.parse_whole(bytes(flipped))
    with contextlib.suppress(Damaged):
        assert siglist.parse(bytes(flipped)) == whole
