# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices and media that come and go while a guest runs, as the guest notices them."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from free_ports import free_port
from rig import MIB, Guest, until

from kiban.errors import Conflict
from kiban.model.machine import Forward
from kiban.model.requests import DiskRequest, NicRequest

SECTORS = 96 * MIB // 512
LABEL = "dd if=/dev/sr0 bs=1 skip=32808 count=32 2>/dev/null"
"""The volume identifier of an ISO 9660 file system (ECMA-119, 8.4)."""


def test_a_scsi_disk_comes_and_goes(guest: Guest) -> None:
    wanted = DiskRequest(size=SECTORS * 512, format="raw", bus="scsi", sectors="4k")
    view = guest.client.add_disk(guest.name, wanted)
    disk = view.disks[-1]
    find = f"for d in /sys/block/sd*; do [ $(cat $d/size) = {SECTORS} ] && new=${{d##*/}}; done"
    guest.sh(f'until {find}; [ -n "$new" ]; do sleep 0.2; done; echo plugged in | dd of=/dev/$new conv=fsync')
    sizes = "cat /sys/block/$new/queue/logical_block_size /sys/block/$new/queue/physical_block_size"
    assert guest.sh(f"{find}; {sizes}").split() == ["4096", "4096"]
    image = Path(view.directory) / disk.path
    assert image.read_bytes()[:10] == b"plugged in"

    view = guest.client.remove_device(guest.name, disk.id)
    assert disk.id not in [d.id for d in view.disks]
    guest.sh(f'while {find}; [ -n "$new" ]; do unset new; sleep 0.2; done')
    kept = list(image.parent.glob("removed-*"))
    assert [file.read_bytes()[:10] for file in kept] == [b"plugged in"]


def test_an_adapter_comes_and_goes(guest: Guest) -> None:
    nic = guest.client.add_nic(guest.name, NicRequest()).nics[-1]
    find = f"new=$(grep -l {nic.mac} /sys/class/net/*/address | cut -d / -f 5)"
    address = guest.sh(
        f'until {find}; [ -n "$new" ]; do sleep 0.2; done\n'
        "ip link set $new up; udhcpc -n -q -t 20 -i $new -s /etc/udhcpc.sh >/dev/null 2>&1; ip -4 addr show $new"
    )
    assert "inet 10.0.2.15/24" in address
    guest.client.remove_device(guest.name, nic.id)
    guest.sh(f'while {find}; [ -n "$new" ]; do sleep 0.2; done')
    assert nic.id not in [n.id for n in guest.view.nics]


def test_an_adapter_is_changed_in_its_place(guest: Guest) -> None:
    """Ports that lead in open and close, and the cable is unplugged and plugged in, as guest and host see it."""
    port = free_port()
    way = Forward(protocol="tcp", host_address="127.0.0.1", host_port=port, guest_port=7007)
    nic = guest.view.nics[0]
    card = f"card=$(grep -l {nic.mac} /sys/class/net/*/address | cut -d / -f 5)"
    guest.sh(f"{card}; ip link set $card up; udhcpc -n -q -t 20 -i $card -s /etc/udhcpc.sh >/dev/null 2>&1")
    served = "setsid nc -ll -p 7007 -e cat /proc/sys/kernel/random/boot_id </dev/null >/dev/null 2>&1 &"
    guest.sh(served)

    def heard() -> str:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as link:
            return link.makefile().readline().strip()
        return ""

    assert heard() == ""
    guest.client.change_nic(guest.name, nic.id, forwards=[way])
    assert until(heard, "the guest is heard through the port") == guest.boot_id()
    guest.client.change_nic(guest.name, nic.id, network="none")
    assert heard() == ""
    guest.sh(f"{card}; until [ $(cat /sys/class/net/$card/carrier) = 0 ]; do sleep 0.2; done")
    guest.client.change_nic(guest.name, nic.id, network="nat")
    guest.sh(f"{card}; until [ $(cat /sys/class/net/$card/carrier) = 1 ]; do sleep 0.2; done")
    assert until(heard, "the guest is heard again") == guest.boot_id()
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        view = guest.client.change_nic(guest.name, nic.id, forwards=[])
    assert heard() == ""
    assert (view.nics[0].mac, view.nics[0].network, view.nics[0].forwards) == (nic.mac, "nat", [])
    with pytest.raises(Conflict, match="MAC address of nic0 cannot be changed while"):
        guest.client.change_nic(guest.name, nic.id, mac="new")


def test_the_guest_reads_the_dvd_that_is_in(guest: Guest, probe: Path) -> None:
    drive = guest.view.dvds[0].id
    guest.client.insert(guest.name, drive, str(probe / "probe.iso"))
    assert guest.sh(f"until {LABEL} | grep KIBAN; do sleep 0.5; done") == "KIBAN_PROBE"
    guest.client.insert(guest.name, drive, "/usr/lib/ipxe/ipxe.iso")
    assert guest.sh(f"until {LABEL} | grep ISOIMAGE; do sleep 0.5; done") == "ISOIMAGE"
    assert guest.client.eject(guest.name, drive).dvds[0].medium == ""
    guest.sh(f"while {LABEL} | grep .; do sleep 0.5; done")


def test_what_a_running_machine_cannot_take_is_refused(guest: Guest) -> None:
    if guest.view.generation == 1:
        with pytest.raises(Conflict, match="IDE has no hot-plug"):
            guest.client.add_disk(guest.name, DiskRequest(size=MIB, bus="ide"))
        with pytest.raises(Conflict, match="legacy adapter cannot be added"):
            guest.client.add_nic(guest.name, NicRequest(kind="legacy"))
    with pytest.raises(Conflict, match="is running"):
        guest.client.edit(guest.name, cpus=1)


def test_the_guest_reads_the_floppy_that_is_in(guest: Guest, root: Path) -> None:
    if guest.view.generation == 2:
        assert guest.view.floppy is None
        return
    image = root / "floppy.img"
    image.write_bytes(b"on a floppy".ljust(1440 * 1024, b"\0"))
    guest.client.edit(guest.name, floppy=str(image))
    assert guest.sh("until dd if=/dev/fd0 bs=11 count=1 2>/dev/null | grep floppy; do sleep 0.5; done") == "on a floppy"
    assert guest.client.edit(guest.name, floppy="").floppy == ""
