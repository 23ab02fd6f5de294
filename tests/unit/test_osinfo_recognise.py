# SPDX-License-Identifier: GPL-2.0-or-later
"""ISOs are recognised by their labels; hostile ones are read within bounds."""

import os
from datetime import date
from io import BytesIO
from pathlib import Path

import pycdlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.osinfo.database import Database
from kiban.adapters.osinfo.iso import read_label
from kiban.adapters.osinfo.recognise import recognise
from kiban.errors import BadInput, NotFound

SYSTEM = Path("/usr/share/osinfo")
pytestmark = pytest.mark.skipif(not (SYSTEM / "os").is_dir(), reason="osinfo-db is not installed")


@pytest.fixture(scope="module")
def known() -> Database:
    return Database([SYSTEM])


def make_iso(path: Path, label: str, *, boots: str = "", publisher: str = "", system: str = "") -> Path:
    """A real, tiny ISO; `boots` names the platforms of its boot catalog."""
    iso = pycdlib.PyCdlib()
    iso.new(vol_ident=label, pub_ident_str=publisher, sys_ident=system, interchange_level=3)
    for number, platform in enumerate(boots.split()):
        iso.add_fp(BytesIO(b"x" * 2048), 2048, f"/BOOT{number}.IMG;1")
        iso.add_eltorito(f"/BOOT{number}.IMG;1", bootcatfile="/BOOT.CAT;1", efi=platform == "efi",
                         platform_id=0xEF if platform == "efi" else 0)  # fmt: skip
    iso.write(str(path))
    iso.close()
    return path


@pytest.mark.parametrize(
    ("label", "publisher", "expected"),
    [
        ("Debian 11.5.0 amd64 n", "", ("debian11", "x86_64")),
        ("Debian 11.5.0 i386 n", "", ("debian11", "i686")),
        ("Debian 11.5.0 arm64 n", "", ("debian11", "aarch64")),
        ("CCCOMA_X64FRE_EN-US_DV9", "MICROSOFT CORPORATION", ("win11", "x86_64")),
        ("CCSA_X86FRE_EN-US_DV5", "MICROSOFT CORPORATION", ("win10", "i686")),
        ("SSS_X64FREE_EN-US_DV9", "MICROSOFT CORPORATION", ("win2k22", "x86_64")),
    ],
)
def test_discs_are_known_by_their_labels(
    tmp_path: Path, known: Database, label: str, publisher: str, expected: tuple[str, str]
) -> None:
    found = recognise(make_iso(tmp_path / "x.iso", label, publisher=publisher), known)
    assert found.profile is not None
    assert (found.profile.short_id, found.architecture) == expected
    assert not found.live
    assert found.label.volume_id == label


def test_a_label_shared_by_two_systems_names_both(tmp_path: Path, known: Database) -> None:
    iso = make_iso(tmp_path / "x.iso", "CCCOMA_X64FRE_EN-US_DV9", publisher="MICROSOFT CORPORATION")
    assert "win10" in recognise(iso, known).others


@pytest.mark.parametrize(
    ("label", "made", "expected"),
    [
        ("CCCOMA_X64FRE_EN-US_DV9", "2019-05-01", ("win10", ())),
        ("CCCOMA_X64FRE_EN-US_DV9", "2021-09-05", ("win11", ("win10",))),
        ("SSS_X64FREE_EN-US_DV9", "2016-09-11", ("win2k16", ())),
        ("SSS_X64FREE_EN-US_DV9", "2018-09-07", ("win2k19", ("win2k16",))),
        ("CCCOMA_X64FRE_EN-US_DV9", "1980-01-01", ("win11", ("win10",))),  # a clock that nobody set
    ],
)
def test_a_disc_is_not_of_a_system_that_was_released_long_after_it(
    tmp_path: Path, known: Database, label: str, made: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    path = make_iso(tmp_path / "x.iso", label, publisher="MICROSOFT CORPORATION")
    with path.open("r+b") as file:
        file.seek(16 * 2048 + 813)
        file.write(made.replace("-", "").encode() + b"00000000")
    found = recognise(path, known)
    assert found.label.made == date.fromisoformat(made)
    assert found.profile is not None
    assert (found.profile.short_id, found.others) == expected


@pytest.mark.parametrize(
    ("label", "architecture"), [("Debian 13.2.0 amd64 n", "x86_64"), ("Debian 13.0.0 i386 n", "i686")]
)
def test_a_disc_newer_than_the_database_is_taken_for_its_like(tmp_path: Path, label: str, architecture: str) -> None:
    """With a database that ends at Debian 11, whatever that of this host knows."""
    folder = tmp_path / "os" / "debian.org"
    folder.mkdir(parents=True)
    for name in ("debian-10.xml", "debian-11.xml"):
        (folder / name).write_bytes((SYSTEM / "os" / "debian.org" / name).read_bytes())
    found = recognise(make_iso(tmp_path / "x.iso", label), Database([tmp_path]))
    assert found.profile is not None
    assert (found.profile.asked, found.profile.short_id, found.architecture) == ("debian13", "debian11", architecture)


def test_a_label_of_nobody_keeps_what_the_disc_says(tmp_path: Path, known: Database) -> None:
    found = recognise(make_iso(tmp_path / "x.iso", "HOLIDAYS", boots="bios"), known)
    assert found.profile is None
    assert found.label.boots_on == {"bios"}
    iso = make_iso(tmp_path / "y.iso", "CCCOMA_X64FRE_EN-US_DV9", publisher="SOMEBODY ELSE")
    assert recognise(iso, known).profile is None  # all of a rule's marks must be there


@pytest.mark.parametrize("boots", ["", "bios", "efi", "bios efi"])
def test_the_boot_catalog_says_which_firmware(tmp_path: Path, boots: str) -> None:
    assert read_label(make_iso(tmp_path / "x.iso", "X", boots=boots)).boots_on == set(boots.split())


@pytest.mark.skipif(not Path("/usr/lib/memtest86+/memtest86+x64.iso").exists(), reason="memtest86+ is not installed")
def test_a_real_disc_for_both() -> None:
    label = read_label(Path("/usr/lib/memtest86+/memtest86+x64.iso"))
    assert label.boots_on == {"bios", "efi"}
    assert label.volume_size > 1 << 20


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_label(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "short").write_bytes(bytes(32768) + b"\x01CD001")
    for name in ("pipe", "text", "short", "."):
        with pytest.raises(BadInput):
            read_label(tmp_path / name)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(32768, 32768 + 12 * 2048), st.binary(min_size=1, max_size=64)), max_size=8)
)
def test_no_disc_does_anything_but_be_read_or_refused(tmp_path: Path, known: Database, changes: list[tuple[int, bytes]]
                                                      ) -> None:  # fmt: skip
    path = tmp_path / "fuzz.iso"
    if not (tmp_path / "seed").exists():
        make_iso(tmp_path / "seed", "X", boots="bios efi")
    data = bytearray((tmp_path / "seed").read_bytes())
    for at, change in changes:
        data[at : at + len(change)] = change
    path.write_bytes(data)
    try:
        label = recognise(path, known).label
    except BadInput:
        return
    assert label.boots_on <= {"bios", "efi"}
    assert label.volume_id.isprintable()
