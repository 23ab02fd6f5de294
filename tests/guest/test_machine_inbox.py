# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 2 with the hardware for guests without virtio drivers: NVMe disk, USB DVD drives, e1000e adapter.

Such guests are Windows, which no test can bring along; a Linux stands in for it. What is shown is that the firmware
boots from these devices with Secure Boot on, and that QEMU and Kiban do with them what they say.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import EFI_VARIABLES, WAIT, Guest, MakeGuest, Service

from kiban.errors import Conflict
from kiban.model.generations import Bus
from kiban.model.requests import DiskRequest, DvdRequest, NicRequest

IPXE = "/usr/lib/ipxe/ipxe.iso"
LABEL = "dd if=/dev/sr0 bs=1 skip=32808 count=32 2>/dev/null"
"""The volume identifier of an ISO 9660 file system (ECMA-119, 8.4)."""
ADDRESS = (
    "i=$(grep -l {mac} /sys/class/net/*/address | cut -d / -f 5); ip link set $i up; "
    "udhcpc -n -q -t 20 -i $i -s /etc/udhcpc.sh >/dev/null 2>&1; ip -4 addr show $i"
)


def _disk(probe: Path, bus: Bus) -> DiskRequest:
    return DiskRequest(path=str(probe / "probe.raw"), format="raw", copy=True, bus=bus)


def test_it_boots_in_the_order_that_guest_and_user_ask_for(make: MakeGuest, service: Service, probe: Path) -> None:
    dvds = [DvdRequest(iso=str(probe / "probe.iso"), bus="usb"), DvdRequest(bus="usb")]
    nics = [NicRequest(model="e1000e")]
    guest = make("inbox", 2, disks=[_disk(probe, "nvme")], dvds=dvds, nics=nics, boot=["disk", "dvd"])
    guest.up()
    assert guest.booted().device == "disk0"
    _sees_its_hardware(guest)
    _refuses_to_be_saved(guest)

    _put_first(guest, "dvd0")
    assert guest.client.stop(guest.name, timeout=WAIT).reason == "the guest shut down"
    guest.up()
    assert guest.booted().device == "dvd0"
    assert guest.hardware()["secure_boot"] == "on"

    guest.off()
    service.kiban("set", guest.name, "--boot", "disk,dvd")
    guest.up()
    assert guest.booted().device == "disk0"


def _sees_its_hardware(guest: Guest) -> None:
    guest.sh("until [ -e /sys/block/sr1 ]; do sleep 0.2; done")  # Linux lets USB storage settle for a second
    seen = guest.hardware()
    assert (seen["secure_boot"], seen["lockdown"]) == ("on", "integrity")
    assert sorted(seen["controller"]) == ["NVMe 1b36:0010 nvme", "SCSI 1af4:1048 virtio-pci"]
    assert seen["disk"] == ["NVMe 28 MiB"]
    assert [line.split()[0] for line in seen["dvd"]] == ["USB", "USB"]
    assert seen["nic"] == ["8086:10d3 e1000e"]
    # where the layout says: an NVMe disk sits on the root bus itself
    assert guest.sh("readlink -f /sys/class/nvme/nvme0/device") == "/sys/devices/pci0000:00/0000:00:07.0"
    assert "inet 10.0.2.15/24" in guest.sh(ADDRESS.format(mac=guest.view.nics[0].mac))


def _refuses_to_be_saved(guest: Guest) -> None:
    with pytest.raises(Conflict, match=r"cannot keep the state of its NVMe disks \(disk0\)") as caught:
        guest.client.save(guest.name)
    assert caught.value.hint == "Shut it down instead: kiban stop inbox"
    assert guest.view.state == "running"
    assert guest.sh("echo on") == "on"


def _put_first(guest: Guest, device: str) -> None:
    name = next(entry.name for entry in guest.view.boot_entries if entry.device == device)
    first = int(name.removeprefix("Boot"), 16).to_bytes(2, "little")
    order = guest.efi_variable("BootOrder")
    numbers = [order[i : i + 2] for i in range(0, len(order), 2)]
    value = b"\x07\0\0\0" + b"".join([first, *(n for n in numbers if n != first)])
    escaped = "".join(f"\\{byte:03o}" for byte in value)
    # in one write, which is how Linux takes a variable
    guest.sh(f"printf '{escaped}' | dd of={EFI_VARIABLES.format('BootOrder')} bs={len(value)}")


def test_usb_dvd_and_e1000e_go_through_saving_and_change_while_it_runs(make: MakeGuest, probe: Path) -> None:
    dvds = [DvdRequest(iso=str(probe / "probe.iso"), bus="usb")]
    guest = make("usb", 2, disks=[_disk(probe, "scsi")], dvds=dvds, nics=[NicRequest(model="e1000e")], boot=["dvd"])
    guest.up()
    assert guest.booted().device == "dvd0"
    assert guest.sh(f"until {LABEL} | grep KIBAN; do sleep 0.5; done") == "KIBAN_PROBE"
    guest.client.insert(guest.name, "dvd0", IPXE)
    assert guest.sh(f"until {LABEL} | grep ISOIMAGE; do sleep 0.5; done") == "ISOIMAGE"
    before = guest.boot_id()

    assert guest.client.save(guest.name).state == "saved"
    guest.client.start(guest.name)
    assert guest.boot_id() == before
    again = f"until {LABEL} | grep ISOIMAGE; do sleep 0.5; done"  # Linux looks whether there is another medium first
    assert guest.sh(f"echo 3 >/proc/sys/vm/drop_caches; {again}") == "ISOIMAGE"
    assert "inet 10.0.2.15/24" in guest.sh(ADDRESS.format(mac=guest.view.nics[0].mac))
    guest.client.eject(guest.name, "dvd0")
    guest.sh(f"while {LABEL} | grep .; do sleep 0.5; done")
    guest.client.insert(guest.name, "dvd0", str(probe / "probe.iso"))
    assert guest.sh(f"until {LABEL} | grep KIBAN; do sleep 0.5; done") == "KIBAN_PROBE"
    _an_e1000e_comes_and_goes(guest)


def _an_e1000e_comes_and_goes(guest: Guest) -> None:
    nic = guest.client.add_nic(guest.name, NicRequest(model="e1000e")).nics[-1]
    guest.sh(f"until grep -l {nic.mac} /sys/class/net/*/address; do sleep 0.2; done")
    assert "inet 10.0.2.15/24" in guest.sh(ADDRESS.format(mac=nic.mac))
    guest.client.remove_device(guest.name, nic.id)
    guest.sh(f"while grep -l {nic.mac} /sys/class/net/*/address; do sleep 0.2; done")
