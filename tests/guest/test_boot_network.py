# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines without a disk that boot from the network, each generation in its own ways.

What counts is what runs in the end: the probe guest reports from inside, and the kernel of Debian's installer on COM1.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rig import WAIT, Guest, MakeGuest, until

from kiban.model.requests import ComRequest, NetBootRequest, NicRequest

INSTALLER = Path("/usr/lib/debian-installer/images/12/amd64/text")


def test_generation_1_boots_by_pxe_on_the_legacy_adapter(make: MakeGuest, probe: Path) -> None:
    boot = NetBootRequest(folder=str(probe / "netboot"), file="boot.ipxe")
    guest = make("pxe1", 1, nics=[NicRequest(boot=boot)], boot=["nic"])
    guest.client.start(guest.name)
    guest.ready()
    assert guest.hardware()["nic"] == ["1011:0019 tulip"]
    _shut_down(guest)


@pytest.mark.parametrize("internet", ["ipv4", "ipv6"])
def test_generation_2_boots_by_pxe_under_secure_boot(make: MakeGuest, probe: Path, internet: str) -> None:
    boot = NetBootRequest(folder=str(probe / "netboot"), file="shimx64.efi")
    guest = make("pxe2", 2, nics=[NicRequest(boot=boot)], boot=["nic"], pxe_protocol=internet)
    _boots_securely(guest, f"PXE IP{internet[2:]} nic0")


def test_generation_2_boots_by_http_under_secure_boot(make: MakeGuest, probe: Path) -> None:
    # the ISO, which the firmware takes for a RAM disk: Debian 12's GRUB does not speak HTTP after an HTTP boot
    boot = NetBootRequest(folder=str(probe), file="probe.iso", protocol="http")
    guest = make("http", 2, nics=[NicRequest(boot=boot)], boot=["nic"])
    _boots_securely(guest, "HTTP nic0")


def _boots_securely(guest: Guest, entry: str) -> None:
    guest.client.start(guest.name)
    guest.ready()
    seen = guest.hardware()
    assert (seen["firmware"], seen["secure_boot"], seen["lockdown"]) == ("UEFI", "on", "integrity")
    assert (seen["disk"], seen["dvd"]) == ([], [])
    assert guest.booted().description == entry
    _shut_down(guest)


def _shut_down(guest: Guest) -> None:
    assert guest.client.stop(guest.name, timeout=WAIT).reason == "the guest shut down"


@pytest.mark.skipif(not INSTALLER.is_dir(), reason="apt install debian-installer-12-netboot-amd64")
def test_debians_installer_boots_by_pxe_under_secure_boot(make: MakeGuest, root: Path) -> None:
    folder, serial = root / "installer", root / "installer.log"
    shutil.copytree(INSTALLER, folder)
    tree = folder / "debian-installer/amd64"
    # Debian's own menu waits for a person
    (tree / "grub/grub.cfg").write_text(
        "linux debian-installer/amd64/linux console=ttyS0\ninitrd debian-installer/amd64/initrd.gz\nboot\n"
    )
    boot = NetBootRequest(folder=str(folder), file="debian-installer/amd64/bootnetx64.efi")
    com = ComRequest(number=1, kind="file", path=str(serial))
    guest = make("installer", 2, nics=[NicRequest(boot=boot)], boot=["nic"], coms=[com])
    guest.client.start(guest.name)
    wanted = (b"secureboot: Secure boot enabled", b"Kernel is locked down from EFI Secure Boot")
    until(lambda: serial.exists() and all(words in serial.read_bytes() for words in wanted), "the kernel's start")
    guest.picture("installer")
