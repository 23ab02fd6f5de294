# SPDX-License-Identifier: GPL-2.0-or-later
"""The chain on media with Debian's own signed programs, and on others that do not boot: what is found and said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from boot_media import BOOT, ESP_GUID, disk, dvd, fat, folder, gpt, iso, look, net
from bootcheck_images import (
    FALLBACK,
    GRUB,
    KERNEL,
    SHIM,
    Authority,
    authority,
    hash_entry,
    microsoft,
    real,
    sign,
    tiny,
    trust,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.bootcheck.exchange import Asked
from kiban.adapters.images.source import Budget
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Trust

MENU = b"set timeout=0\nmenuentry 'Install' {\n linux ($root)/vmlinuz quiet\n initrd /initrd.gz\n}\n"
EMPTY = Medium(device="dvd0", kind="none", path="", format="")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def mine(work: Path) -> Authority:
    return authority(work, "mine")


@pytest.fixture(scope="module")
def debian() -> Trust:
    """What trusts Microsoft's third-party authorities, and so Debian."""
    return trust(*microsoft().values())


def debian_files(**changed: bytes) -> dict[str, bytes]:
    """Debian's chain on a volume."""
    parts = {"shim": real(SHIM), "grub": real(GRUB), "kernel": real(KERNEL), "menu": MENU} | changed
    return {
        BOOT: parts["shim"],
        "EFI/BOOT/grubx64.efi": parts["grub"],
        "EFI/debian/grub.cfg": parts["menu"],
        "vmlinuz": parts["kernel"],
    }


def tampered(data: bytes, at: int = 0x5000) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def chain_of(found: Report) -> list[tuple[str, str, str]]:
    return [(stage.loaded_by, stage.kind, stage.verdict) for stage in found.stages]


WHOLE = [("firmware", "shim", "allowed"), ("shim", "GRUB", "allowed"), ("grub", "Linux kernel", "allowed")]


def test_debian_is_followed_from_a_disk_to_its_kernel(work: Path, debian: Trust) -> None:
    found = look(disk(gpt(work / "debian.img", debian_files())), trust=debian)
    assert (found.verdict, found.reason, found.hint) == ("allowed", "", "")
    assert chain_of(found) == WHOLE
    shim, grub, kernel = found.stages
    assert shim.decided_by == "db: Microsoft Corporation UEFI CA 2011"
    assert grub.decided_by == kernel.decided_by == "shim: Debian Secure Boot CA"
    assert dict(shim.sbat)["shim"] >= 4
    assert shim.architecture == "x86-64"
    assert len(shim.signers) == 2, "Debian's shim has a signature of 2011 and one of 2023"
    assert shim.path == "\\EFI\\BOOT\\BOOTX64.EFI"


@pytest.mark.parametrize("hybrid", [False, True])
def test_the_same_dvd_in_a_drive_and_written_to_a_disk(work: Path, debian: Trust, hybrid: bool) -> None:
    files = debian_files()
    kernel = {"vmlinuz": files.pop("vmlinuz"), "boot/grub/grub.cfg": files.pop("EFI/debian/grub.cfg")}
    more = ["-isohybrid-gpt-basdat"] if hybrid else []
    image = iso(work / f"dvd{hybrid}.iso", kernel, esp=files, bios=True, more=more)
    for medium in (dvd(image), disk(image)):
        found = look(medium, trust=debian)
        assert chain_of(found) == WHOLE, found.sentence
        assert found.stages[-1].path == "/vmlinuz"
    assert found.bytes_read < 32 << 20


def test_grub_does_not_look_into_the_boot_image_of_a_dvd(work: Path, debian: Trust) -> None:
    """Its volume is the whole DVD; on a disk with partitions it is the one that it was loaded from."""
    image = iso(work / "inside.iso", {}, esp=debian_files())
    assert chain_of(look(dvd(image), trust=debian)) == WHOLE[:-1]


def test_a_network_folder(work: Path, debian: Trust) -> None:
    root = folder(
        work / "pxe",
        {"d/shimx64.efi": real(SHIM), "d/grubx64.efi": real(GRUB), "d/grub/grub.cfg": MENU, "vmlinuz": real(KERNEL)},
    )
    found = look(net(root, "d/shimx64.efi"), trust=debian)
    assert chain_of(found) == WHOLE
    (root / "d/grubx64.efi").unlink()
    found = look(net(root, "d/shimx64.efi"), trust=debian)
    assert (found.verdict, found.reason) == ("refused", "network-file-missing")
    assert found.sentence == "shim refuses nic0 (pxe): d/grubx64.efi is missing."
    found = look(net(root, "nothing.efi"), trust=debian)
    assert (found.reason, found.hint) == ("network-file-missing", f"ls -lR {root}")


def test_an_iso_over_http_is_a_dvd(work: Path, debian: Trust) -> None:
    root = work / "http"
    root.mkdir()
    iso(root / "net.iso", debian_files(), esp=debian_files())
    assert chain_of(look(net(root, "net.iso", "http"), trust=debian)) == WHOLE
    assert look(net(root, "net.iso", "tftp"), trust=debian).reason == "damaged-image"


def test_the_other_template_is_named_with_the_command(work: Path, mine: Authority) -> None:
    image = gpt(work / "signer.img", debian_files())
    asked = Asked(
        machine="web",
        template="microsoft-windows",
        templates={"microsoft-windows": [mine.der], "microsoft-uefi-ca": [microsoft()["2011"].data]},
    )
    found = look(disk(image), trust=trust(mine.entry()), asked=asked)
    assert (found.verdict, found.reason) == ("refused", "signer-not-trusted")
    assert "disk0 (signer.img)" in found.sentence
    assert "Microsoft Windows UEFI Driver Publisher" in found.sentence
    assert found.hint == "kiban set web --template microsoft-uefi-ca"
    same = look(disk(image), trust=trust(mine.entry()), asked=replace(asked, template="microsoft-uefi-ca"))
    assert same.hint == "kiban secureboot update web", "the template would trust it, the machine's old keys do not"
    other = look(disk(image), trust=trust(mine.entry()), asked=replace(asked, templates={}))
    assert other.hint == "kiban secureboot enroll web --db CERTIFICATE"


def test_an_unsigned_loader(work: Path, debian: Trust) -> None:
    image = gpt(work / "unsigned.img", {BOOT: tiny()})
    found = look(disk(image), trust=debian, asked=Asked(machine="web"))
    assert (found.verdict, found.reason) == ("refused", "unsigned")
    assert found.sentence == (
        "The firmware refuses disk0 (unsigned.img): \\EFI\\BOOT\\BOOTX64.EFI (EFI program) is not signed."
    )
    assert found.hint == "kiban set web --secure-boot off"
    assert look(disk(image), trust=replace(debian, secure_boot=False)).verdict == "allowed"
    by_hash = replace(debian, db=(*debian.db, hash_entry(tiny())))
    assert look(disk(image), trust=by_hash).verdict == "allowed"


def test_grub_with_a_changed_byte_is_refused_by_shim(work: Path, debian: Trust) -> None:
    image = gpt(work / "tampered.img", debian_files(grub=tampered(real(GRUB))))
    found = look(disk(image), trust=debian)
    assert (found.verdict, found.reason) == ("refused", "damaged-signature")
    assert chain_of(found) == [("firmware", "shim", "allowed"), ("shim", "GRUB", "refused")]
    assert found.sentence.startswith("shim refuses disk0 (tampered.img): \\EFI\\BOOT\\grubx64.efi (GRUB)")
    good = disk(gpt(work / "behind.img", debian_files()), "disk1")
    both = look(disk(image), good, trust=debian)
    assert replace(both, bytes_read=found.bytes_read) == found, (
        "shim waits for a key, so the firmware does not come to the next disk"
    )


def test_a_second_stage_that_is_missing_is_left_to_the_firmware(work: Path, debian: Trust) -> None:
    files = debian_files()
    good = disk(gpt(work / "behind2.img", files), "disk1")
    del files["EFI/BOOT/grubx64.efi"]
    found = look(disk(gpt(work / "missing.img", files)), good, trust=debian)
    assert found.verdict == "allowed"
    assert found.sentence.startswith("shim refuses disk0 (missing.img): \\EFI\\BOOT\\grubx64.efi is missing. disk1")


def test_a_revoked_shim(work: Path, debian: Trust) -> None:
    image = gpt(work / "revoked.img", debian_files())
    by_hash = replace(debian, dbx=(hash_entry(real(SHIM)),))
    assert look(disk(image), trust=by_hash).reason == "hash-revoked"
    by_level = replace(debian, sbat_level="sbat,1,2099010100\nshim,99\n")
    found = look(disk(image), trust=by_level)
    assert found.reason == "sbat-revoked"
    assert found.stages[-1].loaded_by == "shim", "the firmware knows nothing of SBAT"


def test_the_firmware_goes_on_to_the_next_medium(work: Path, debian: Trust) -> None:
    good, bad = gpt(work / "good.img", debian_files()), dvd(iso(work / "bad.iso", {}, esp={BOOT: tiny()}))
    found = look(EMPTY, bad, disk(good), trust=debian)
    assert found.verdict == "allowed"
    assert found.sentence.startswith("The firmware refuses dvd0 (bad.iso)")
    assert "disk0 (good.img) boots" in found.sentence
    assert found.hint == "kiban set NAME --secure-boot off"
    assert [stage.device for stage in found.stages] == ["dvd0", "disk0", "disk0", "disk0"]


def test_what_became_of_the_other_media_is_said(work: Path, debian: Trust) -> None:
    first = dvd(iso(work / "first.iso", {}, esp={BOOT: tiny()}))
    second = dvd(iso(work / "second.iso", {}, esp={BOOT: tiny()}), "dvd1")
    blank = work / "blank2.img"
    blank.write_bytes(bytes(4 << 20))
    idle = Medium(device="nic0", kind="none", path="", format="")
    found = look(first, second, disk(blank), idle, trust=debian)
    assert found.reason == "unsigned"
    assert found.sentence.endswith(
        "is not signed. dvd1 (second.iso) is refused too. "
        "disk0 (blank2.img) is empty, or holds no file system that the firmware reads."
    )


def test_a_loader_whose_kernel_is_refused_keeps_the_machine(work: Path, debian: Trust) -> None:
    stuck = gpt(work / "stuck.img", debian_files(kernel=tiny()))
    good = gpt(work / "good2.img", debian_files())
    found = look(disk(stuck), disk(good, "disk1"), trust=debian)
    assert (found.verdict, found.reason) == ("refused", "unsigned")
    assert found.sentence.startswith("GRUB refuses disk0 (stuck.img): ")
    assert {stage.device for stage in found.stages} == {"disk0"}


def test_of_several_kernels_the_first_decides(work: Path, debian: Trust) -> None:
    menu = MENU + b"menuentry x {\n linuxefi /other\n linux $unknown\n}\n"
    image = gpt(work / "two.img", debian_files(menu=menu) | {"other": tiny()})
    found = look(disk(image), trust=debian)
    assert found.verdict == "allowed"
    assert [stage.verdict for stage in found.stages] == ["allowed"] * 3 + ["refused"]


def test_a_kernel_that_lies_elsewhere_is_said_to_be_unchecked(work: Path, debian: Trust) -> None:
    files = debian_files()
    del files["vmlinuz"]
    found = look(disk(gpt(work / "elsewhere.img", files)), trust=debian)
    assert found.verdict == "allowed"
    assert "(/vmlinuz) is not on a file system that is looked at here, and was not checked" in found.sentence


def test_the_fallback_loader_leads_to_the_installed_one(work: Path, debian: Trust) -> None:
    listed = "shimx64.efi,debian,,This is the boot entry\n".encode("utf-16")
    files = {
        BOOT: real(SHIM),
        "EFI/BOOT/fbx64.efi": real(FALLBACK),
        "EFI/debian/BOOTX64.CSV": listed,
        "EFI/debian/shimx64.efi": real(SHIM),
        "EFI/debian/grubx64.efi": real(GRUB),
    }
    found = look(disk(gpt(work / "fallback.img", files)), trust=debian)
    assert found.verdict == "allowed"
    loaders = [(stage.loaded_by, stage.path.rpartition("\\")[2]) for stage in found.stages]
    assert loaders == [
        ("firmware", "BOOTX64.EFI"),
        ("shim", "fbx64.efi"),
        ("firmware", "shimx64.efi"),
        ("shim", "grubx64.efi"),
    ]


def test_boot_entries_lead_to_their_partition_and_file(work: Path, debian: Trust) -> None:
    files = {"EFI/debian/shimx64.efi": real(SHIM), "EFI/debian/grubx64.efi": real(GRUB)}
    image = gpt(work / "entry.img", files)
    path = "\\EFI\\debian\\shimx64.efi"
    assert look(disk(image, partition=ESP_GUID, loader=path), trust=debian).verdict == "allowed"
    assert look(disk(image, loader=path), trust=debian).verdict == "allowed"
    other = ESP_GUID.replace("1", "9")
    missing = look(disk(image, partition=other, loader=path), trust=debian)
    assert (missing.reason, other in missing.sentence) == ("no-loader", True)
    assert look(disk(image), trust=debian).reason == "no-loader", "nothing on the removable-media path"


def test_systemd_boot_and_its_kernels(work: Path, mine: Authority) -> None:
    loader = sign(tiny(sbat=b"sbat,1,a,b,1,c\nsystemd-boot,1,a,b,1,c\n"), mine)
    uki = tiny(extra=((b".linux", b"kernel"),))
    files = {BOOT: loader, "EFI/Linux/one.efi": sign(uki, mine), "loader/entries/two.conf": b"title x\nlinux /two\n"}
    own = trust(mine.entry())
    found = look(disk(gpt(work / "sd.img", files | {"two": uki})), trust=own)
    assert found.verdict == "allowed"
    assert chain_of(found) == [
        ("firmware", "systemd-boot", "allowed"),
        ("systemd-boot", "unified kernel image", "allowed"),
        ("systemd-boot", "unified kernel image", "refused"),
    ]
    found = look(disk(gpt(work / "sd2.img", files | {"EFI/Linux/one.efi": uki})), trust=own)
    assert found.sentence.startswith("systemd-boot refuses disk0 (sd2.img): ")


def test_grub_without_shim_is_not_guessed_about(work: Path, mine: Authority) -> None:
    grub = sign(tiny(sbat=b"sbat,1,a,b,1,c\ngrub,5,a,b,1,c\n"), mine)
    image = gpt(work / "noshim.img", {BOOT: grub, "EFI/BOOT/grub.cfg": MENU, "vmlinuz": tiny()})
    found = look(disk(image), trust=trust(mine.entry()))
    assert found.verdict == "unknown"
    assert found.sentence.startswith("Whether disk0 (noshim.img) boots is not known: /vmlinuz")
    assert "shim was not loaded" in found.sentence


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (({}, {"EFI/BOOT/BOOTIA32.EFI": tiny(machine=0x14C)}, True), "wrong-architecture", "32-bit PCs only"),
        (({}, {"EFI/BOOT/BOOTAA64.EFI": tiny()}, False), "wrong-architecture", "64-bit ARM only"),
        (({}, {BOOT: tiny(machine=0x14C)}, False), "wrong-architecture", "is for i386 processors"),
        (({}, {BOOT: b"#!/bin/sh\n" * 100}, False), "damaged-image", "is not an EFI program"),
        (({}, {BOOT: tiny()[:600]}, False), "damaged-image", "EFI"),
        (({}, None, True), "not-efi", "boots by BIOS only"),
        (({BOOT: tiny()}, None, False), "not-efi", "no El Torito EFI image"),
        (({"readme": b"x"}, None, False), "no-loader", "has no \\EFI\\BOOT\\BOOTX64.EFI"),
    ],
)
def test_dvds_that_do_not_boot(
    tmp_path: Path,
    debian: Trust,
    content: tuple[dict[str, bytes], dict[str, bytes] | None, bool],
    reason: str,
    words: str,
) -> None:
    files, esp, bios = content
    found = look(dvd(iso(tmp_path / "x.iso", files, esp=esp, bios=bios)), trust=debian)
    assert (found.verdict, found.reason) == ("refused", reason)
    assert words in found.sentence
    assert "dvd0 (x.iso)" in found.sentence
    assert found.hint


def test_disks_that_do_not_boot(tmp_path: Path, debian: Trust) -> None:
    blank = tmp_path / "blank.img"
    blank.write_bytes(bytes(4 << 20))
    found = look(disk(blank), trust=debian)
    assert (found.reason, found.sentence) == (
        "no-loader",
        "disk0 (blank.img) is empty, or holds no file system that the firmware reads.",
    )
    assert look(EMPTY, trust=debian).reason == "no-medium"
    assert look(trust=debian).reason == "no-medium"
    both = look(EMPTY, disk(blank), trust=debian)
    assert both.sentence == found.sentence + " dvd0 has nothing to boot from."
    stump = tmp_path / "stump.img"
    stump.write_bytes(b"x")
    assert look(disk(stump), trust=debian).reason == "no-loader"
    whole = disk(fat(tmp_path / "fat.img", {BOOT: tiny()}))
    assert look(whole, trust=debian).reason == "unsigned", "a FAT volume without a partition table"
    wrong = replace(disk(blank), format="vhdx")
    assert look(wrong, trust=debian).reason == "unreadable"


SEEDS: dict[str, bytes] = {}


def _seed(work: Path, name: str) -> bytes:
    if not SEEDS:
        files = {BOOT: real(SHIM)[:4096] + tiny(), "EFI/BOOT/grub.cfg": MENU, "EFI/x/BOOTX64.CSV": b"a,b\n"}
        SEEDS["gpt"] = gpt(work / "seed.img", files).read_bytes()[: (2048 + 4096) * 512]
        SEEDS["iso"] = iso(work / "seed.iso", {}, esp=files, bios=True).read_bytes()
        SEEDS["fat"] = fat(work / "seed.fat", files).read_bytes()
    return SEEDS[name]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["gpt", "iso", "fat"]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 17), st.binary(min_size=1, max_size=8)), max_size=12),
    cut=st.one_of(st.none(), st.integers(0, 1 << 22)),
)
def test_hostile_media_give_a_report_and_nothing_else(
    kind: str, changes: list[tuple[int, bytes]], cut: int | None, *, work: Path, debian: Trust
) -> None:
    data = bytearray(_seed(work, kind)[:cut])
    for at, patch in changes:
        data[at : at + len(patch)] = patch[: max(0, len(data) - at)]
    image = work / "hostile"
    image.write_bytes(data)
    for medium in (disk(image), dvd(image)):
        budget = Budget()
        found = look(medium, trust=debian, budget=budget)
        assert found.verdict in ("allowed", "refused", "unknown")
        assert found.sentence.isprintable()
        assert len(found.sentence) < 2000
        assert budget.bytes_read < 256 << 20
        assert not re.search(r"Traceback|Error\b", found.sentence)
