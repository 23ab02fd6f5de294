# SPDX-License-Identifier: GPL-2.0-or-later
"""What firmware and shim decide: real programs and programs of our own keys against databases of all kinds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from bootcheck_images import (
    FALLBACK,
    GRUB,
    IPXE,
    KERNEL,
    MEMTEST,
    MEMTEST32,
    NETBOOT,
    SHIM,
    UNSIGNED,
    Authority,
    authority,
    elliptic,
    hash_entry,
    image,
    microsoft,
    real,
    sign,
    sign_with_hash,
    tiny,
    trust,
)

from kiban.adapters.bootcheck import firmware_rule, pe, sbat, shim_rule
from kiban.adapters.bootcheck.decision import Decision, entry_name
from kiban.errors import KibanError
from kiban.model.trust import Signature, Trust

LEVEL = "sbat,1,2099010100\ngrub,{}\nshim,{}\n"
SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org\nmine,2,Me,mine,1,https://example.org\n"
TABLE = 64 + 24 + 112 + 32  # where tiny() has its certificate table's place and size


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def mine(folder: Path) -> Authority:
    return authority(folder, "Mine")


@pytest.fixture(scope="module")
def yours(folder: Path) -> Authority:
    return authority(folder, "Yours")


def firmware(data: bytes, trusted: Trust) -> Decision:
    return firmware_rule.judge(pe.from_bytes(data), trusted)


def shim(data: bytes, trusted: Trust, *, asked: bool = False) -> Decision:
    return shim_rule.judge(pe.from_bytes(data), image(SHIM), trusted, asked=asked)


def outcome(decision: Decision) -> tuple[str, str]:
    assert decision.because
    assert not decision.because.endswith(".")
    return decision.verdict, decision.reason


ALLOWED = ("allowed", "")


def refused(reason: str) -> tuple[str, str]:
    return "refused", reason


class TestFirmware:
    """DxeImageVerificationHandler."""

    @pytest.mark.parametrize("year", ["2011", "2023"])
    def test_shim_starts_with_either_authority(self, year: str) -> None:
        decision = firmware(real(SHIM), trust(microsoft()[year]))
        assert outcome(decision) == ALLOWED
        assert year in decision.decided_by

    @pytest.mark.parametrize(
        ("path", "reason", "missing"),
        [
            (GRUB, "signer-not-trusted", "Debian Secure Boot CA"),
            (FALLBACK, "signer-not-trusted", "Debian Secure Boot CA"),
            (KERNEL, "signer-not-trusted", "Debian Secure Boot CA"),
            (UNSIGNED, "unsigned", ""),
            (MEMTEST, "unsigned", ""),
            (IPXE, "unsigned", ""),
            (MEMTEST32, "wrong-architecture", ""),
        ],
        ids=lambda value: value.name if isinstance(value, Path) else "",
    )
    def test_other_programs_do_not(self, path: Path, reason: str, missing: str) -> None:
        decision = firmware(real(path), trust(*microsoft().values()))
        assert outcome(decision) == refused(reason)
        assert decision.missing == missing

    def test_without_secure_boot_only_the_image_counts(self) -> None:
        off = trust(secure_boot=False)
        assert outcome(firmware(real(MEMTEST), off)) == ALLOWED
        assert outcome(firmware(real(MEMTEST32), off)) == refused("wrong-architecture")
        assert outcome(firmware(real(MEMTEST)[:5000], off)) == refused("damaged-image")

    def test_the_missing_authority_of_two_signatures_is_either(self, mine: Authority) -> None:
        decision = firmware(real(SHIM), trust(mine.entry()))
        assert outcome(decision) == refused("signer-not-trusted")
        assert decision.missing == "Microsoft Corporation UEFI CA 2011 or Microsoft UEFI CA 2023"

    def test_a_hash_may_be_trusted(self) -> None:
        assert outcome(firmware(real(MEMTEST), trust(hash_entry(real(MEMTEST))))) == ALLOWED
        assert outcome(firmware(real(GRUB), trust(hash_entry(real(GRUB))))) == ALLOWED
        assert outcome(firmware(real(MEMTEST), trust(hash_entry(real(IPXE))))) == refused("unsigned")

    def test_hashes_that_only_newer_firmware_looks_at(self) -> None:
        data = tiny()
        assert firmware(data, trust(hash_entry(data, "sha384"))).verdict == "unknown"
        assert firmware(data, trust(hash_entry(data), dbx=(hash_entry(data, "sha512"),))).verdict == "unknown"
        both = trust(hash_entry(data), hash_entry(data, "sha384"))
        assert outcome(firmware(data, both)) == ALLOWED
        assert outcome(firmware(data, trust(dbx=(hash_entry(data, "sha384"),)))) == refused("hash-revoked")

    def test_a_revoked_hash_is_stronger(self, mine: Authority) -> None:
        for data, db in ((real(MEMTEST), hash_entry(real(MEMTEST))), (sign(tiny(), mine), mine.entry())):
            decision = firmware(data, trust(db, dbx=(hash_entry(data),)))
            assert outcome(decision) == refused("hash-revoked")
            assert decision.decided_by.startswith("dbx: SHA-256 ")

    def test_hashes_count_in_the_algorithm_of_the_signature(self, mine: Authority) -> None:
        data = sign_with_hash(real(UNSIGNED), mine, "sha384")
        assert outcome(firmware(data, trust(mine.entry()))) == ALLOWED
        assert outcome(firmware(data, trust(mine.entry(), dbx=(hash_entry(data),)))) == ALLOWED, "a quirk of EDK2"
        revoked = trust(mine.entry(), dbx=(hash_entry(data, "sha384"),))
        assert outcome(firmware(data, revoked)) == refused("hash-revoked")

    @pytest.mark.parametrize("kind", ["whole", "sha256", "sha384", "sha512"])
    def test_a_revoked_certificate_ends_it(self, mine: Authority, yours: Authority, kind: str) -> None:
        revoked = mine.entry() if kind == "whole" else mine.body_entry(kind)
        for data in (sign(tiny(), mine), sign(sign(tiny(), yours), mine), sign(sign(tiny(), mine), yours)):
            decision = firmware(data, trust(mine.entry(), yours.entry(), dbx=(revoked,)))
            assert outcome(decision) == refused("certificate-revoked"), "also with another, good signature"
            assert decision.decided_by.startswith("dbx: ")

    def test_a_revoked_authority_reaches_those_below(self, folder: Path, mine: Authority) -> None:
        below = authority(folder, "Below", mine, ca=False)
        data = sign(tiny(), below)
        assert outcome(firmware(data, trust(mine.entry()))) == ALLOWED
        whole = trust(mine.entry(), dbx=(mine.entry(),))
        assert outcome(firmware(data, whole)) == refused("certificate-revoked")
        by_hash = trust(mine.entry(), dbx=(mine.body_entry(),))
        assert outcome(firmware(data, by_hash)) == refused("certificate-revoked")

    def test_by_hash_only_the_signer_and_the_trusted_one_are_revoked(self, folder: Path, mine: Authority) -> None:
        between = authority(folder, "Between", mine)
        data = sign(tiny(), authority(folder, "Signer", between, ca=False), between)
        assert outcome(firmware(data, trust(mine.entry(), dbx=(between.body_entry(),)))) == ALLOWED, "a quirk of EDK2"
        decision = firmware(data, trust(mine.entry(), dbx=(between.entry(),)))
        assert outcome(decision) == refused("certificate-revoked")

    def test_one_good_signature_is_enough(self, mine: Authority, yours: Authority) -> None:
        data = sign(sign(tiny(), yours), mine)
        assert outcome(firmware(data, trust(mine.entry()))) == ALLOWED
        assert outcome(firmware(data, trust(yours.entry()))) == ALLOWED

    def test_a_changed_image_is_refused(self, mine: Authority) -> None:
        data = bytearray(sign(tiny(), mine))
        data[0x401] ^= 1
        decision = firmware(bytes(data), trust(mine.entry()))
        assert outcome(decision) == refused("damaged-signature")
        assert "changed" in decision.because
        assert outcome(firmware(bytes(data), trust(mine.entry(), hash_entry(bytes(data))))) == ALLOWED

    def test_an_unreadable_signature_is_refused_whatever_the_hash(self, mine: Authority) -> None:
        data = bytearray(sign(tiny(), mine))
        data[-300] ^= 0xFF
        start = struct.unpack_from("<I", data, TABLE)[0]
        data[start + 8 + 60 : start + 8 + 200] = bytes(140)
        trusted = trust(mine.entry(), hash_entry(bytes(data)))
        assert outcome(firmware(bytes(data), trusted)) == ALLOWED, "no dbx, so the hash alone decides"
        other = Signature("sha256", bytes(32), "")
        decision = firmware(bytes(data), trust(mine.entry(), hash_entry(bytes(data)), dbx=(other,)))
        assert outcome(decision) == refused("damaged-signature"), "with a dbx, EDK2 wants to see the signers"

    def test_a_damaged_table_is_refused_though_a_signature_is_good(self, mine: Authority) -> None:
        data = bytearray(sign(tiny(), mine) + bytes(8))
        start, size = struct.unpack_from("<II", data, TABLE)
        struct.pack_into("<II", data, TABLE, start, size + 8)
        decision = firmware(bytes(data), trust(mine.entry()))
        assert outcome(decision) == refused("damaged-signature")
        assert "table" in decision.because

    def test_a_table_of_nothing_usable(self) -> None:
        body = struct.pack("<IHH", 16, 0x200, 77) + bytes(8)
        data = bytearray(tiny() + body)
        struct.pack_into("<II", data, TABLE, len(data) - 16, 16)
        assert outcome(firmware(bytes(data), trust(hash_entry(bytes(data))))) == refused("damaged-signature")

    def test_what_cannot_be_judged_is_unknown(self) -> None:
        body = (struct.pack("<IHH", 16, 0x200, 77) + bytes(8)) * 100
        data = bytearray(tiny() + body)
        struct.pack_into("<II", data, TABLE, len(data) - 1600, 1600)
        assert firmware(bytes(data), trust()).verdict == "unknown"

    def test_keys_that_are_not_rsa_are_for_some_firmware_only(self, folder: Path, mine: Authority) -> None:
        curve = elliptic(folder, "Curve")
        data = sign_with_hash(tiny(), curve, "sha256")
        decision = firmware(data, trust(curve.entry()))
        assert (decision.verdict, decision.reason) == ("unknown", "signer-not-trusted")
        assert outcome(firmware(data, trust(mine.entry()))) == refused("signer-not-trusted")
        assert outcome(firmware(data, trust(curve.entry(), dbx=(hash_entry(data),)))) == refused("hash-revoked")

    @pytest.mark.parametrize("length", [0.2, 0.5, 0.99, 0.9999])
    def test_truncated_shims_are_refused(self, length: float) -> None:
        whole = real(SHIM)
        assert outcome(firmware(whole[: int(len(whole) * length)], trust(microsoft()["2011"]))) == refused(
            "damaged-image"
        )


class TestShim:
    """verify_buffer, and what comes before it."""

    def test_what_is_built_in(self) -> None:
        own = shim_rule.read(image(SHIM))
        assert [entry_name("", entry) for entry in own.trusted] == [": Debian Secure Boot CA"]
        assert {entry.kind for entry in own.denied} == {"sha256"}
        assert own.automatic.startswith("sbat,1,20")
        assert sbat.level_entries(own.latest)
        assert b"shim," in (own.own_sbat or b"")

    @pytest.mark.parametrize("path", [GRUB, FALLBACK, NETBOOT / "grubx64.efi"], ids=lambda path: path.name)
    def test_the_vendors_programs_start(self, path: Path) -> None:
        decision = shim(real(path), trust(microsoft()["2011"]))
        assert outcome(decision) == ALLOWED
        assert decision.decided_by == "shim: Debian Secure Boot CA"

    def test_kernels_need_no_sbat_data_when_a_loader_asks(self) -> None:
        assert outcome(shim(real(KERNEL), trust(), asked=True)) == ALLOWED
        assert outcome(shim(real(KERNEL), trust())) == refused("sbat-revoked")

    @pytest.mark.parametrize("path", [MEMTEST, IPXE, UNSIGNED], ids=lambda path: path.name)
    def test_unsigned_programs_do_not_start(self, path: Path) -> None:
        assert outcome(shim(real(path), trust(microsoft()["2011"]))) == refused("unsigned")
        assert outcome(shim(real(MEMTEST32), trust())) == refused("wrong-architecture")

    @pytest.mark.parametrize("where", ["db", "mok"])
    def test_the_machines_keys_count_too(self, mine: Authority, where: str) -> None:
        data = sign(tiny(sbat=SBAT), mine)
        assert outcome(shim(data, trust())) == refused("signer-not-trusted")
        trusted = trust(mine.entry()) if where == "db" else trust(mok=(mine.entry(),))
        assert outcome(shim(data, trusted)) == ALLOWED
        by_hash = trust(hash_entry(data)) if where == "db" else trust(mok=(hash_entry(data),))
        assert outcome(shim(data, by_hash)) == ALLOWED

    def test_only_sha256_counts(self, mine: Authority) -> None:
        data = sign_with_hash(real(UNSIGNED), mine, "sha384")
        assert outcome(firmware(data, trust(mine.entry()))) == ALLOWED
        decision = shim(data, trust(mine.entry()))
        assert outcome(decision) == refused("damaged-signature")
        assert "SHA-256" in decision.because

    def test_keys_for_modules_do_not_count(self, folder: Path) -> None:
        modules = authority(folder, "Modules", modules_only=True)
        data = sign(tiny(sbat=SBAT), modules)
        assert outcome(firmware(data, trust(modules.entry()))) == ALLOWED
        assert outcome(shim(data, trust(modules.entry()))) == refused("signer-not-trusted")

    @pytest.mark.parametrize("where", ["dbx", "mokx"])
    def test_revoked(self, mine: Authority, yours: Authority, where: str) -> None:
        data = sign(tiny(sbat=SBAT), mine)

        def with_denied(entry: Signature) -> Trust:
            return trust(mine.entry(), dbx=(entry,)) if where == "dbx" else trust(mine.entry(), mokx=(entry,))

        assert outcome(shim(data, with_denied(hash_entry(data)))) == refused("hash-revoked")
        assert outcome(shim(data, with_denied(mine.entry()))) == refused("certificate-revoked")
        assert outcome(shim(data, with_denied(mine.body_entry()))) == ALLOWED, "shim does not know such entries"
        twice = sign(data, yours)
        both = trust(mine.entry(), yours.entry(), dbx=(mine.entry(),))
        assert outcome(shim(twice, both)) == ALLOWED, "unlike firmware, shim goes on to the next signature"
        assert outcome(firmware(twice, both)) == refused("certificate-revoked")

    def test_a_table_that_is_not_at_the_end(self, mine: Authority) -> None:
        data = sign(tiny(sbat=SBAT), mine) + bytes(8)
        trusted = trust(mine.entry())
        assert outcome(shim(data[:-8], trusted)) == ALLOWED
        assert outcome(shim(data, trusted)) == refused("damaged-signature")

    def test_validation_may_be_off(self, mine: Authority) -> None:
        data = sign(tiny(), mine)
        assert outcome(shim(data, trust(shim_validation=False))) == ALLOWED
        assert outcome(shim(data, trust(secure_boot=False))) == ALLOWED
        assert outcome(shim(real(MEMTEST32), trust(shim_validation=False))) == refused("wrong-architecture")

    def test_the_level_that_counts_is_the_newer(self) -> None:
        own = shim_rule.read(image(SHIM))
        assert shim_rule.level(own, trust()) == (own.automatic, "shim")
        assert shim_rule.level(own, trust(sbat_level=sbat.ORIGINAL)) == (own.automatic, "shim")
        assert shim_rule.level(own, trust(sbat_level="nonsense, not a level")) == (own.automatic, "shim")
        newer = LEVEL.format(1, 1)
        assert shim_rule.level(own, trust(sbat_level=newer)) == (newer, "stored")
        assert shim_rule.level(own, trust(sbat_level="sbat,2,2000010100\ngrub,1\n"))[1] == "stored"

    def test_sbat_revokes_grub(self) -> None:
        generation = dict(sbat.of_image(image(GRUB)))["grub"]
        assert outcome(shim(real(GRUB), trust(sbat_level=LEVEL.format(generation, 1)))) == ALLOWED
        decision = shim(real(GRUB), trust(sbat_level=LEVEL.format(generation + 1, 1)))
        assert outcome(decision) == refused("sbat-revoked")
        assert decision.decided_by == f"SbatLevel of the machine: grub,{generation + 1}"

    def test_sbat_revokes_shim_itself(self) -> None:
        generation = dict(sbat.of_image(image(SHIM)))["shim"]
        assert outcome(shim_rule.starts(image(SHIM), trust())) == ALLOWED
        assert outcome(shim_rule.starts(image(SHIM), trust(sbat_level=LEVEL.format(1, generation)))) == ALLOWED
        newer = LEVEL.format(1, generation + 1)
        assert outcome(shim_rule.starts(image(SHIM), trust(sbat_level=newer))) == refused("sbat-revoked")
        off = trust(sbat_level=newer, shim_validation=False)
        assert outcome(shim_rule.starts(image(SHIM), off)) == refused("sbat-revoked"), "looked at too late to help"
        assert outcome(shim_rule.starts(image(SHIM), trust(sbat_level=newer, secure_boot=False))) == ALLOWED

    @pytest.mark.parametrize(
        ("data", "verdict"),
        [
            (SBAT, "allowed"),
            (b"\xef\xbb\xbf" + SBAT.replace(b"\n", b"\r\n\r\n"), "allowed"),
            (b"\n", "allowed"),
            (b"sbat,1,SBAT Version,sbat,1\n", "refused"),
            (b"mine,2,,mine,1,url\n", "refused"),
            (b"mine,1,Me,mine,1,url\n", "refused"),
            (b"mine,65537,Me,mine,1,url\n", "refused"),
            (b"mine,many,Me,mine,1,url\n", "refused"),
            (b"mine,12x,Me,mine,1,url,more,columns\n", "allowed"),
            (b"theirs,1,They,theirs,1,url\n", "allowed"),
        ],
    )
    def test_sbat_is_read_as_shim_reads_it(self, mine: Authority, data: bytes, verdict: str) -> None:
        trusted = trust(mine.entry(), sbat_level="sbat,1,2099010100\nmine,2\nmine,9\n")
        assert shim(sign(tiny(sbat=data), mine), trusted).verdict == verdict

    def test_two_sbat_sections_are_one_too_many(self, mine: Authority) -> None:
        data = sign(tiny(sbat=SBAT, extra=((b".sbat", SBAT),)), mine)
        assert outcome(shim(data, trust(mine.entry()))) == refused("damaged-image")

    def test_what_is_no_shim_has_no_rule(self) -> None:
        with pytest.raises(KibanError):
            shim_rule.judge(image(GRUB), image(GRUB), trust())
