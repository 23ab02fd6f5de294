# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with nothing but a DVD in its drive boots from it, on either generation."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import WAIT, MakeGuest


@pytest.mark.parametrize(("generation", "bus"), [(1, "ATA"), (2, "SCSI")])
def test_a_machine_boots_from_dvd(make: MakeGuest, probe: Path, generation: int, bus: str) -> None:
    guest = make("dvd", generation, dvds=[str(probe / "probe.iso")], nics=[])
    guest.up()
    seen = guest.hardware()
    assert seen["disk"] == []
    assert [line.split()[0] for line in seen["dvd"]] == [bus]
    assert seen["secure_boot"] == ("on" if generation == 2 else "none")
    guest.picture(f"dvd-generation{generation}")
    assert guest.client.stop(guest.name, timeout=WAIT).reason == "the guest shut down"
