# SPDX-License-Identifier: GPL-2.0-or-later
"""Which guest suits which generation, and what it gets, system by system."""

from dataclasses import replace
from pathlib import Path

import pytest

from kiban.adapters.osinfo.advice import defaults, suits
from kiban.adapters.osinfo.database import Database
from kiban.adapters.osinfo.iso import IsoLabel
from kiban.adapters.osinfo.recognise import Recognised
from kiban.model.generations import GEN2
from kiban.model.units import GiB

SYSTEM = Path("/usr/share/osinfo")
pytestmark = pytest.mark.skipif(not (SYSTEM / "os").is_dir(), reason="osinfo-db is not installed")


@pytest.fixture(scope="module")
def known() -> Database:
    return Database([SYSTEM])


def medium(architecture: str = "", boots: str = "") -> Recognised:
    return Recognised(IsoLabel("", "", "", "", 0, frozenset(boots.split())), None, architecture, False, ())


@pytest.mark.parametrize("name", ["win8", "win8.1", "win2k12", "win2k12r2", "win10", "win11", "win2k22", "debian11",
                                  "ubuntu22.04", "rhel9.0", "freebsd13.1", "fedora36", "debiantesting"])  # fmt: skip
def test_what_generation_2_is_for(known: Database, name: str) -> None:
    assert suits(known.profile(name), 2).ok
    assert suits(known.profile(name), 1).ok


@pytest.mark.parametrize("name", ["win7", "win2k8r2", "winvista", "winxp", "win2k3", "win2k", "winnt4.0", "win95",
                                  "win3.1", "msdos6.22", "freedos1.2"])  # fmt: skip
def test_what_only_generation_1_can_run(known: Database, name: str) -> None:
    verdict = suits(known.profile(name), 2)
    assert not verdict.ok
    assert "--generation 1" in verdict.hint
    assert suits(known.profile(name), 1).ok


@pytest.mark.parametrize("generation", [1, 2])
def test_what_is_not_for_x86_suits_neither(known: Database, generation: int) -> None:
    assert not suits(None, generation, medium("aarch64")).ok
    arm = replace(known.profile("debian11"), architectures=frozenset({"aarch64"}))
    assert "aarch64" in suits(arm, generation).reason
    # a disc for this machine counts for more than all that its system was ever made for
    assert suits(arm, generation, medium("x86_64")).ok


def test_a_32_bit_disc_of_a_64_bit_system_is_for_generation_1(known: Database) -> None:
    debian = known.profile("debian11")
    assert not suits(debian, 2, medium("i686")).ok
    assert suits(debian, 1, medium("i686")).ok
    assert suits(debian, 2, medium("x86_64")).ok


def test_what_nobody_can_know_is_allowed() -> None:
    for generation in (1, 2):
        assert suits(None, generation).ok
        assert suits(None, generation, medium()) == suits(None, generation)


def test_a_disc_without_a_loader_for_the_firmware_is_warned_about(known: Database) -> None:
    assert "generation 1" in suits(None, 2, medium(boots="bios")).reason
    assert "generation 2" in suits(None, 1, medium(boots="efi")).reason
    assert suits(known.profile("win11"), 1).reason
    for generation in (1, 2):
        assert not suits(None, generation, medium(boots="bios efi")).reason
        assert suits(None, generation, medium(boots="bios")).ok


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("win2k22", ("nvme", "usb", "e1000e")),
        ("win2k19", ("nvme", "usb", "e1000e")),
        ("win11", ("nvme", "usb", "e1000e")),
        ("win8.1", ("nvme", "usb", "e1000e")),
        ("win2k12r2", ("nvme", "usb", "e1000e")),
        ("win2k12", ("scsi", "usb", "e1000e")),
        ("win8", ("scsi", "usb", "e1000e")),
        ("debian11", ("scsi", "scsi", "virtio")),
        ("freebsd13.1", ("scsi", "scsi", "virtio")),
    ],
)
def test_generation_2_has_what_the_guest_has_drivers_for(known: Database, name: str, has: tuple[str, str, str]) -> None:
    wanted = defaults(known.profile(name), 2)
    assert (wanted.disk_bus, wanted.dvd_bus, wanted.nic) == has
    assert wanted.disk_bus in GEN2.disk_buses
    assert wanted.dvd_bus in GEN2.dvd_buses
    assert wanted.nic in GEN2.synthetic_models


def test_what_windows_11_wants(known: Database) -> None:
    wanted = defaults(known.profile("win11"), 2)
    assert (wanted.cpus, wanted.memory) == (2, 4 * GiB)
    assert (wanted.tpm, wanted.hyperv, wanted.secure_boot_template) == (True, True, "microsoft-windows")


def test_what_linux_wants(known: Database) -> None:
    wanted = defaults(known.profile("debian11"), 2)
    assert (wanted.tpm, wanted.hyperv) == (False, False)
    assert wanted.secure_boot_template == "microsoft-uefi-ca"


def test_generation_1_boots_from_ide_with_a_nic_that_the_guest_drives(known: Database) -> None:
    nics = {name: defaults(known.profile(name), 1).nic for name in ("debian11", "debian4", "winxp", "win10", "win95")}
    assert nics == {"debian11": "virtio", "debian4": "tulip", "winxp": "tulip", "win10": "virtio", "win95": "tulip"}
    for name in ("winxp", "debian11"):
        wanted = defaults(known.profile(name), 1)
        assert (wanted.disk_bus, wanted.dvd_bus, wanted.secure_boot_template) == ("ide", "ide", "")


def test_every_system_gets_a_machine_that_can_be_made(known: Database) -> None:
    for name in known.short_ids():
        for generation in (1, 2):
            wanted = defaults(known.profile(name), generation)
            assert 1 <= wanted.cpus <= 8, name
            assert 64 << 20 <= wanted.memory <= 64 * GiB, name
