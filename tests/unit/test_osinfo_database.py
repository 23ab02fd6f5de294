# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: inheritance and overrides on a database made here, and the distribution's own where it is installed."""

from datetime import date
from pathlib import Path

import pytest

from kiban.adapters.osinfo.database import Database, folders
from kiban.errors import HostLacks, NotFound

SYSTEM = Path("/usr/share/osinfo")
needs_osinfo_db = pytest.mark.skipif(not (SYSTEM / "os").is_dir(), reason="osinfo-db is not installed")

OLD = """<libosinfo><os id="http://example.org/one/1">
  <short-id>one1</short-id><short-id>OneFirst</short-id><name>One 1</name><name xml:lang="de">Eins 1</name>
  <version>1</version><vendor>Example</vendor><family>linux</family><distro>one</distro>
  <release-date>2001-02-03</release-date><eol-date>soon</eol-date>
  <firmware arch="x86_64" type="efi"/><firmware arch="aarch64" type="bios"/>
  <media arch="i686"><iso><volume-id>ONE_1</volume-id></iso></media>
  <resources arch="all"><minimum><n-cpus>1</n-cpus><ram>1024</ram></minimum>
    <recommended><ram>4096</ram><storage>9000</storage></recommended></resources>
  <devices><device id="http://pcisig.com/pci/1af4/1041"/><device id="http://pcisig.com/pci/8086/10d3"/></devices>
</os></libosinfo>"""
NEW = """<libosinfo><os id="http://example.org/one/2">
  <short-id>one2</short-id><name>One 2</name><family>linux</family><release-status>rolling</release-status>
  <derives-from id="http://example.org/one/1"/><derives-from id="http://example.org/one/2"/>
  <firmware arch="x86_64" type="bios" supported="false"/>
  <media arch="x86_64"><iso><volume-id>ONE_2</volume-id></iso><iso><publisher-id/></iso></media>
  <resources arch="i686"><minimum><ram>1</ram></minimum></resources>
  <resources arch="x86_64">{block}</resources>
  <devices><device id="http://pcisig.com/pci/1af4/1041" supported="false"/>
    <device id="http://pcisig.com/pci/1af4/1048"/></devices>
</os></libosinfo>"""
MINIMUM = "<minimum><ram>2048</ram></minimum>"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "os" / "example.org" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "one-1.xml", OLD)
    write(tmp_path, "one-2.xml", NEW.format(block=MINIMUM))
    return tmp_path


def test_a_profile_says_what_its_file_says(folder: Path) -> None:
    one = Database([folder]).profile("one1")
    assert (one.name, one.version, one.vendor, one.family) == ("One 1", "1", "Example", "linux")
    assert (one.released, one.eol, one.status) == (date(2001, 2, 3), None, "released")
    assert (one.bios, one.efi) == (None, True)
    assert one.architectures == {"i686", "aarch64", "x86_64"}
    assert (one.minimum.cpus, one.minimum.memory, one.recommended.disk) == (1, 1024, 9000)
    assert one.devices == {"virtio-net", "e1000e"}


def test_a_profile_inherits_firmware_and_devices_but_not_resources(folder: Path) -> None:
    two = Database([folder]).profile("one2")
    assert (two.bios, two.efi, two.status) == (False, True, "rolling")
    assert two.devices == {"virtio-scsi", "e1000e"}
    assert two.minimum.memory == 2048
    assert two.recommended.memory is None  # of the system that it derives from, and less than its own minimum


def test_resources_are_inherited_where_the_file_says_so(folder: Path) -> None:
    write(folder, "one-2.xml", NEW.format(block=MINIMUM).replace('arch="x86_64">' + MINIMUM, 'arch="x86_64" '
                                                                 'inherit="true">' + MINIMUM))  # fmt: skip
    two = Database([folder]).profile("one2")
    assert (two.minimum.cpus, two.minimum.memory, two.recommended.memory) == (1, 2048, 4096)


def test_names_are_found_by_any_id_and_case(folder: Path) -> None:
    known = Database([folder])
    assert {known.profile(n).name for n in ("one1", "ONE1", "onefirst", "http://example.org/one/1")} == {"One 1"}
    assert known.short_ids() == ["one1", "one2", "onefirst"]


def test_an_unknown_name_gets_close_ones(folder: Path) -> None:
    known = Database([folder])
    with pytest.raises(NotFound) as caught:
        known.profile("one33")
    assert "one1" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        known.profile("zzzzzz" * 100)
    assert len(caught.value.message) < 100


def test_a_newer_system_is_judged_by_the_last_of_its_line(folder: Path) -> None:
    known = Database([folder])
    three = known.profile(" One3 ")
    assert (three.asked, three.name) == ("one3", "One 1")  # nobody says when One 2 was released
    for name in ("one99", "one0", "two3", "one", "3", "onefirst3", ""):  # too far off, older, or of no line
        with pytest.raises(NotFound):
            known.profile(name)


def test_an_administrators_file_replaces_and_a_broken_one_hides_nothing(folder: Path, tmp_path: Path) -> None:
    local = tmp_path / "etc"
    write(local, "one-1.xml", OLD.replace("One 1", "Our One"))
    write(local, "broken.xml", "<libosinfo><os")
    known = Database([folder, local, tmp_path / "missing"])
    assert known.profile("one1").name == "Our One"
    assert known.profile("one2").name == "One 2"


def test_without_a_database_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostLacks) as caught:
        Database([tmp_path])
    assert "osinfo-db" in caught.value.hint


def test_the_folders_are_libosinfos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSINFO_LOCAL_DIR", "/x")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.delenv("OSINFO_SYSTEM_DIR", raising=False)
    monkeypatch.delenv("OSINFO_USER_DIR", raising=False)
    assert folders() == [SYSTEM, Path("/x"), Path("/c/osinfo")]


@needs_osinfo_db
def test_every_profile_of_the_distribution_can_be_had() -> None:
    known = Database([SYSTEM])
    profiles = {name: known.profile(name) for name in known.short_ids()}
    assert len(profiles) > 500
    win11 = profiles["win11"]
    assert (win11.bios, win11.efi) == (False, True)
    assert win11.architectures == {"x86_64"}
    assert win11.minimum.memory == 4 << 30
    assert profiles["debian11"].efi is True
    assert "virtio-scsi" in profiles["debian11"].devices
