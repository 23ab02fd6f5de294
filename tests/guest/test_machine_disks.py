# SPDX-License-Identifier: GPL-2.0-or-later
"""Linked machines with a real guest: it grows its disk, and goes on while its disk is merged into the parent."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import MIB, MakeGuest, Service

from kiban.errors import Conflict
from kiban.model.requests import DiskRequest

WRITER = """i=0
while [ ! -e /stop ]; do
    i=$((i+1)); echo $i | dd of=/dev/{0} bs=512 seek=40000 conv=fsync; echo $i >/next; mv /next /written
done
touch /stopped"""
"""Writes numbers to a sector, one after the other; the last one that is there for sure stands in a file, too."""
ANOTHER = "last() { cat /written || echo 0; }; n=$(last); until [ $(last) -gt $n ]; do sleep 0.1; done 2>/dev/null"


def test_a_linked_machine_grows_and_merges_under_its_guest(make: MakeGuest, service: Service, probe: Path) -> None:
    folder = probe.parent / "linked"
    folder.mkdir()
    base, data = folder / "base.qcow2", folder / "data.qcow2"
    shutil.copyfile(probe / "probe.qcow2", base)
    service.client.create_disk(str(data), 64 * MIB)
    before = base.read_bytes()
    linked = [DiskRequest(path=str(base), format="qcow2", link=True, bus="scsi")]
    make("other", 2, disks=linked)
    guest = make("linked", 2, disks=[*linked, DiskRequest(path=str(data), format="qcow2", link=True, bus="scsi")])
    guest.up()
    assert base.read_bytes() == before

    # the guest grows its disk
    client = guest.client
    device = guest.sh("for d in /sys/block/sd*; do if [ $(cat $d/size) = 131072 ]; then echo ${d##*/}; fi; done")
    client.resize_disk("linked:disk1", 96 * MIB)
    guest.sh(f"until [ $(cat /sys/block/{device}/size) = {96 * MIB // 512} ]; do sleep 0.2; done")

    # nobody takes the disk away from it
    attempts: list[Callable[[], Any]] = [
        lambda: client.compact_disk("linked:disk1"),
        lambda: client.clone_disk("linked:disk1", str(folder / "copy.qcow2")),
        lambda: client.merge_disk("linked:disk0"),  # another machine is made on that parent
        lambda: client.resize_disk(str(base), 1 << 33),
    ]
    for refused in attempts:
        with pytest.raises(Conflict):
            refused()

    # it goes on while its disk goes into the parent, and not one write is lost
    guest.sh(f"dd if=/dev/urandom of=/dev/{device} bs=1M count=16 seek=70 conv=fsync 2>/dev/null")
    guest.sh(f"({WRITER.format(device)}) >/dev/null 2>&1 &\n{ANOTHER}")
    child = Path(guest.view.directory) / guest.view.disks[1].path
    made = client.merge_disk("linked:disk1")
    assert (made.path, made.links[0].virtual_size) == (str(data), 96 * MIB)
    assert guest.view.state == "running"
    assert not child.exists()
    assert guest.view.disks[1].path == str(data)
    guest.sh(f"{ANOTHER}; touch /stop; until [ -e /stopped ]; do sleep 0.2; done; sync")
    last = guest.sh(f"dd if=/dev/{device} bs=512 skip=40000 count=1 2>/dev/null | head -n 1")
    digest = guest.sh(f"sha256sum /dev/{device} | cut -d ' ' -f 1")
    client.resize_disk("linked:disk1", 100 * MIB)  # by the node that the guest uses now
    guest.sh(f"until [ $(cat /sys/block/{device}/size) = {100 * MIB // 512} ]; do sleep 0.2; done")
    guest.off()
    raw = folder / "data.raw"
    client.convert_disk(str(data), str(raw))
    content = raw.read_bytes()[: 96 * MIB]
    assert hashlib.sha256(content).hexdigest() == digest
    assert content[40000 * 512 :].split(b"\n")[0].decode() == last
    assert int(last) > 1

    assert base.read_bytes() == before  # on which the other machine is made
