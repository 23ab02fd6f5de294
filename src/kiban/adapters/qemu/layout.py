# SPDX-License-Identifier: GPL-2.0-or-later
"""Which device sits at which PCI address.

A layout is frozen once released: machines name theirs by number, so a guest sees the same addresses for life. To change
one, add the next number. Addresses are `device.function` on the root bus; a generation 2 SCSI controller or network
adapter sits alone behind the PCI Express root port at that address, which is what lets an adapter be hot-plugged. An
NVMe disk sits at its address itself: it is not hot-plugged, and a root port costs time at each start.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiban.errors import Damaged


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Addresses of one generation's devices; index i of a tuple is for the i-th slot."""

    video: str
    scsi: tuple[str, ...]
    synthetic: tuple[str, ...]
    legacy: tuple[str, ...]
    rng: str
    serial: str
    usb: str
    nvme: tuple[str, ...]
    usb_dvds: tuple[int, ...]  # ports of the USB controller; 1 and 2 are the keyboard's and the tablet's


LAYOUTS: dict[tuple[int, int], Layout] = {
    # generation 1: the PIIX4 has 01.0 to 01.3
    (1, 1): Layout(
        video="02.0",
        legacy=("03.0", "04.0", "05.0", "06.0"),
        scsi=("07.0", "08.0", "09.0", "0a.0"),
        synthetic=("0b.0", "0c.0", "0d.0", "0e.0", "0f.0", "10.0", "11.0", "12.0"),
        serial="13.0",
        rng="14.0",
        usb="",
        nvme=(),
        usb_dvds=(),
    ),
    # generation 2: the ICH9 has 1f.0 and 1f.3
    (2, 1): Layout(
        video="01.0",
        scsi=("02.0", "02.1", "02.2", "02.3"),
        synthetic=("03.0", "03.1", "03.2", "03.3", "03.4", "03.5", "03.6", "03.7"),
        legacy=(),
        usb="04.0",
        rng="05.0",
        serial="06.0",
        nvme=("07.0", "08.0", "09.0", "0a.0", "0b.0", "0c.0", "0d.0", "0e.0"),
        usb_dvds=(3, 4),
    ),
}


def layout(generation: int, number: int) -> Layout:
    """The layout `number` of a generation; Damaged for one that this Kiban does not know."""
    if (generation, number) not in LAYOUTS:
        raise Damaged(
            f"There is no layout {number} of generation {generation} machines.",
            "Use the Kiban that made the machine, or a newer one.",
            code="other-version",
        )
    return LAYOUTS[(generation, number)]


def numbers(address: str) -> tuple[int, int]:
    """An address as numbers: `03.1` is (3, 1)."""
    device, function = address.split(".")
    return int(device, 16), int(function, 16)
