# SPDX-License-Identifier: GPL-2.0-or-later
"""Authenticode signatures: who signed, as other tools say it, and which certificates verify them, as EDK2 would."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bootcheck_images import (
    FALLBACK,
    GRUB,
    KERNEL,
    SHIM,
    UNSIGNED,
    Authority,
    authority,
    digest,
    image,
    microsoft,
    real,
    sign,
    sign_with_hash,
    tiny,
    tool,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from kiban.adapters.bootcheck import authenticode, certificate, pe
from kiban.adapters.bootcheck.authenticode import Signed
from kiban.errors import Damaged


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def root(folder: Path) -> Authority:
    return authority(folder, "Root")


@pytest.fixture(scope="module")
def middle(folder: Path, root: Authority) -> Authority:
    return authority(folder, "Middle", root)


@pytest.fixture(scope="module")
def leaf(folder: Path, middle: Authority) -> Authority:
    return authority(folder, "Leaf", middle, ca=False)


def signatures(data: bytes) -> list[Signed]:
    entries, whole = authenticode.firmware_table(pe.from_bytes(data))
    assert whole
    return [authenticode.read(entry.data) for entry in entries]


def trusted(one: Authority) -> certificate.Certificate:
    return certificate.load(one.der)


@pytest.mark.parametrize("path", [SHIM, FALLBACK, GRUB, KERNEL], ids=lambda path: path.name)
def test_signers_are_those_of_sbverify(path: Path) -> None:
    said = tool("sbverify", "--list", str(path))
    issuers = [line.rsplit("CN=", 1)[1] for line in said.splitlines() if line.startswith(" - /")]
    assert [signer.issuer for signer in authenticode.signers(image(path))] == issuers


def test_signers_are_those_of_osslsigncode(folder: Path, root: Authority) -> None:
    signed = sign_with_hash(real(UNSIGNED), root, "sha384")
    (folder / "check.efi").write_bytes(signed)
    said = tool("osslsigncode", "verify", "-CAfile", str(root.file), "-in", str(folder / "check.efi"), content=False)
    assert f"Calculated message digest : {digest(signed, 'sha384').hex().upper()}" in said
    (signer,) = authenticode.signers(pe.from_bytes(signed))
    assert (signer.subject, signer.not_after[:10]) == ("Root", "2002-01-01")


@pytest.mark.parametrize("path", [SHIM, FALLBACK, GRUB, KERNEL], ids=lambda path: path.name)
def test_real_signatures_hold(path: Path) -> None:
    data = real(path)
    for signed in signatures(data):
        assert signed.holds()
        assert signed.claims(digest(data))


def test_shims_two_signatures_lead_to_two_authorities() -> None:
    old, new = signatures(real(SHIM))
    first, second = certificate.load(microsoft()["2011"].data), certificate.load(microsoft()["2023"].data)
    assert (old.leads_to(first), old.leads_to(second)) == (True, False)
    assert (new.leads_to(first), new.leads_to(second)) == (False, True)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_all_hashes_are_recognised(root: Authority, algorithm: str) -> None:
    data = sign_with_hash(real(UNSIGNED), root, algorithm)
    entries, whole = authenticode.firmware_table(pe.from_bytes(data))
    assert whole
    assert [entry.algorithm for entry in entries] == [algorithm]
    assert signatures(data)[0].claims(digest(data, algorithm))
    assert signatures(data)[0].leads_to(trusted(root))


def test_any_certificate_of_the_chain_may_be_trusted(
    folder: Path, root: Authority, middle: Authority, leaf: Authority
) -> None:
    (signed,) = signatures(sign(tiny(), leaf, middle))
    assert [signed.leads_to(trusted(one)) for one in (root, middle, leaf)] == [True, True, True]
    assert not signed.leads_to(trusted(authority(folder, "Stranger")))
    assert not signed.leads_to(trusted(authority(folder / "impostor", "Root"))), "a name is not enough"


def test_without_the_certificate_between_the_root_does_not_help(
    root: Authority, middle: Authority, leaf: Authority
) -> None:
    (signed,) = signatures(sign(tiny(), leaf))
    assert [signed.leads_to(trusted(one)) for one in (root, middle, leaf)] == [False, True, True]


def test_only_authorities_issue(folder: Path, leaf: Authority) -> None:
    below = authority(folder, "Below", leaf)
    (signed,) = signatures(sign(tiny(), below))
    assert not signed.leads_to(trusted(leaf))
    assert signed.leads_to(trusted(below))


@pytest.mark.parametrize("critical", [True, False])
def test_unknown_extensions_matter_when_they_are_critical(folder: Path, root: Authority, critical: bool) -> None:
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Strange")])
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=root.certificate.subject, serial_number=7)
        .public_key(root.key.public_key())
        .not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2002, 1, 1, tzinfo=UTC))
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical=critical)
        .sign(root.key, hashes.SHA256())
    )
    strange = certificate.load(made.public_bytes(serialization.Encoding.DER))
    assert certificate.leads_to(strange, (), trusted(root)) is not critical


def test_signing_again_adds_a_signature(root: Authority, folder: Path) -> None:
    other = authority(folder, "Other")
    first, second = signatures(sign(sign(tiny(), root), other))
    assert first.leads_to(trusted(root))
    assert second.leads_to(trusted(other))
    assert first.content == second.content


def test_changed_bytes_are_noticed(root: Authority) -> None:
    data = bytearray(sign(tiny(), root))
    data[0x400] ^= 1
    (signed,) = signatures(bytes(data))
    assert signed.holds()
    assert not signed.claims(digest(bytes(data)))


def test_what_is_signed_and_the_signature_count(root: Authority) -> None:
    data = sign(tiny(), root)
    entry = authenticode.firmware_table(pe.from_bytes(data))[0][0].data
    (signed,) = signatures(data)
    content = entry.index(signed.content)
    message_digest = entry.index(certificate.digest(signed.content, "sha256"))
    places = {content: len(signed.content), message_digest: 32, len(entry.rstrip(b"\0")) - 250: 240}
    for start, length in places.items():
        for place in range(start, start + length, 3):
            copy = bytearray(entry)
            copy[place] ^= 0x55
            try:
                assert not authenticode.read(bytes(copy)).holds(), place
            except Damaged:
                continue


def test_the_table_is_walked_to_its_end() -> None:
    data = tiny()
    place = 64 + 24 + 112 + 32

    def table(*entries: bytes, size: int | None = None) -> tuple[int, bool]:
        body = b"".join(entries)
        copy = bytearray(data + body)
        struct.pack_into("<II", copy, place, len(data), len(body) if size is None else size)
        found, whole = authenticode.firmware_table(pe.from_bytes(bytes(copy)))
        return len(found), whole

    good = struct.pack("<IHH", 16, 0x200, 2) + b"12345678"
    strange = struct.pack("<IHH", 16, 0x200, 77) + b"12345678"
    by_guid = struct.pack("<IHH", 32, 0x200, 0xEF1) + bytes.fromhex("9dd2af4adf68ee498aa9347d375665a7") + b"12345678"
    assert table(good) == (1, True)
    assert table(good, strange, by_guid) == (2, True)
    assert table(good, b"\0" * 8) == (1, False), "eight bytes are too few for another entry"
    assert table(struct.pack("<IHH", 13, 0x200, 2) + b"12345", b"678") == (1, True)
    assert table(struct.pack("<IHH", 13, 0x200, 2) + b"12345") == (0, False), "it has to be padded"
    assert table(good, struct.pack("<IHH", 0, 0x200, 2) + b"12345678") == (1, False)
    assert table(good, struct.pack("<IHH", 1000, 0x200, 2) + b"12345678") == (1, False)
    with pytest.raises(Damaged, match="entries"):
        table(*[good] * 100)


def test_nonsense_is_no_signature() -> None:
    for nonsense in (b"", b"\x30", b"\x30\x82\xff\xff", bytes(100), b"\x30\x80" * 500, b"\x24\x80" * 3000):
        with pytest.raises(Damaged):
            authenticode.read(nonsense)
        with pytest.raises(Damaged):
            certificate.load(nonsense)
        assert certificate.name_of(nonsense)


def test_names_are_shown_without_control_characters(folder: Path) -> None:
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Evil\x1b[31m\nname")])
    made = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, serial_number=7)
        .public_key((owner := authority(folder / "evil", "Owner")).key.public_key())
        .not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2002, 1, 1, tzinfo=UTC))
        .sign(owner.key, hashes.SHA256())
    )
    assert certificate.name_of(made.public_bytes(serialization.Encoding.DER)) == "Evil?[31m?name"
