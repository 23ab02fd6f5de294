# SPDX-License-Identifier: GPL-2.0-or-later
"""An ISO whose loader nobody has signed: refused under Secure Boot, run without it, and run by a BIOS."""

from __future__ import annotations

from pathlib import Path

from rig import MakeGuest, until
from vgatext import read_text

from kiban.model.requests import ComRequest

UNSIGNED = "/usr/lib/ipxe/ipxe.iso"  # starts by BIOS and by UEFI, and says its name first
RUNS = "iPXE 1."


def test_generation_2_refuses_an_unsigned_loader(make: MakeGuest, root: Path) -> None:
    serial = root / "secure.log"
    guest = make("secure", 2, dvds=[UNSIGNED], nics=[], coms=[ComRequest(number=1, kind="file", path=str(serial))])
    guest.client.start(guest.name)
    until(lambda: "No bootable option or device was found" in _said(serial), "the firmware giving up")
    guest.picture("access-denied")
    assert "Access Denied" in _said(serial)
    assert RUNS not in _said(serial)

    guest.off()
    guest.client.edit(guest.name, secure_boot=False)
    guest.client.start(guest.name)
    until(lambda: RUNS in _said(serial), "the start of the loader")
    guest.picture("unsigned-without-secure-boot")


def _said(serial: Path) -> str:
    return serial.read_text(errors="replace") if serial.exists() else ""


def test_generation_1_runs_it(make: MakeGuest) -> None:
    guest = make("plain", 1, dvds=[UNSIGNED], nics=[])
    guest.client.start(guest.name)
    until(lambda: RUNS in read_text(guest.picture("unsigned-generation1")), "the start of the loader")
