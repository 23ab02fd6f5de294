# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot order: changed by the user on both generations, by the guest on generation 2, and kept."""

from __future__ import annotations

from pathlib import Path

from rig import EFI_VARIABLES, WAIT, Guest, MakeGuest, Service, until
from vgatext import read_text

from kiban.model.requests import DiskRequest

MEMTEST = "/usr/lib/memtest86+/memtest86+x64.iso"  # once it has started it stays on the screen


def test_the_guests_order_and_then_the_users(make: MakeGuest, service: Service, probe: Path) -> None:
    disk = DiskRequest(path=str(probe / "probe.raw"), format="raw", copy=True)
    guest = make("order", 2, disks=[disk], dvds=[str(probe / "probe.iso")], nics=[], boot=["disk", "dvd"])
    guest.up()
    assert guest.booted().device == "disk0"
    _put_first(guest, _number(guest, "dvd0"))
    assert guest.view.boot_entries[0].device == "dvd0"  # a view of a running machine shows it at once

    assert guest.client.stop(guest.name, timeout=WAIT).reason == "the guest shut down"
    guest.up()
    assert guest.booted().device == "dvd0"
    seen = guest.hardware()
    assert (seen["secure_boot"], seen["lockdown"]) == ("on", "integrity")
    guest.picture("dvd-generation2")

    guest.off()
    assert [entry.device for entry in guest.view.boot_entries][:2] == ["dvd0", "disk0"]
    service.kiban("set", guest.name, "--boot", "disk,dvd")
    guest.up()
    assert guest.booted().device == "disk0"


def _number(guest: Guest, device: str) -> int:
    name = next(entry.name for entry in guest.view.boot_entries if entry.device == device)
    return int(name.removeprefix("Boot"), 16)


def _put_first(guest: Guest, number: int) -> None:
    order = guest.efi_variable("BootOrder")
    numbers = [order[i : i + 2] for i in range(0, len(order), 2)]
    first = number.to_bytes(2, "little")
    value = b"\x07\0\0\0" + b"".join([first, *(n for n in numbers if n != first)])
    escaped = "".join(f"\\{byte:03o}" for byte in value)
    # in one write, which is how Linux takes a variable
    guest.sh(f"printf '{escaped}' | dd of={EFI_VARIABLES.format('BootOrder')} bs={len(value)}")
    assert guest.efi_variable("BootOrder")[:2] == first


def test_generation_1_boots_what_the_user_puts_first(make: MakeGuest, service: Service, probe: Path) -> None:
    disk = DiskRequest(path=str(probe / "probe.raw"), format="raw", copy=True)
    guest = make("classes", 1, disks=[disk], dvds=[MEMTEST], nics=[], boot=["disk", "dvd"])
    service.kiban("set", guest.name, "--boot", "dvd,disk")
    for _ in range(2):
        guest.client.start(guest.name)
        until(lambda: "Memtest86+" in read_text(guest.picture("order-generation1")), "the start from the DVD")
        guest.off()
    service.kiban("set", guest.name, "--boot", "disk,dvd")
    guest.up()
    assert "ATA 28 MiB" in guest.hardware()["disk"]
