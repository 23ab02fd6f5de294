# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's memory goes to disk and comes back, with VHDX and qcow2 disks open and, on generation 2, a TPM in use."""

from __future__ import annotations

from pathlib import Path

from rig import MIB, Guest, qemus

STATE = "cat /proc/sys/kernel/random/boot_id /run/kept"
COUNTER = "while :; do n=$((n+1)); echo $n >/run/next; mv /run/next /run/counter; sleep 0.1; done"
"""Each number is there whole, whenever somebody looks."""
PCRS = "cat /sys/class/tpm/tpm0/pcr-sha256/[0-7]"
FIND_DATA = "for d in /sys/block/sd*; do [ $(cat $d/size) = 131072 ] && data=/dev/${d##*/}; done"
"""The 64 MiB disk, in 512-byte sectors."""


def test_everything_survives_saving(guest: Guest) -> None:
    tpm = guest.view.tpm
    guest.sh(f"({COUNTER}) >/dev/null 2>&1 </dev/null & until [ -e /run/counter ]; do sleep 0.1; done")
    guest.sh("head -c 30 /dev/urandom | base64 >/run/kept")
    guest.sh(f"{FIND_DATA}; echo written before | dd of=$data bs=512 seek=5 conv=sync,fsync")
    before, pcrs = guest.sh(STATE), guest.sh(PCRS) if tpm else ""
    counter, uptime, pid = int(guest.sh("cat /run/counter")), _uptime(guest), guest.pid()

    saved = guest.client.save(guest.name)
    assert (saved.state, saved.reason, saved.pid) == ("saved", "saved", None)
    assert not qemus(saved.id)
    memory = Path(saved.directory) / "memory.saved"
    assert memory.stat().st_size > 32 * MIB
    assert memory.stat().st_mode & 0o077 == 0

    restored = guest.client.start(guest.name)
    assert restored.state == "running"
    assert restored.pid != pid
    assert not memory.exists()
    assert guest.sh(STATE) == before
    assert int(guest.sh("cat /run/counter")) >= counter
    assert _uptime(guest) >= uptime
    if tpm:
        assert guest.sh(PCRS) == pcrs
        assert len(set(pcrs.split())) > 2  # the firmware has measured something
    _counts_on(guest)
    _disk_works(guest)


def _uptime(guest: Guest) -> float:
    return float(guest.sh("cut -d ' ' -f 1 /proc/uptime"))


def _counts_on(guest: Guest) -> None:
    guest.sh("n=$(cat /run/counter); until [ $(cat /run/counter) -gt $n ] 2>/dev/null; do sleep 0.1; done")


def _disk_works(guest: Guest) -> None:
    read = "echo 3 >/proc/sys/vm/drop_caches; dd if=$data bs=512 count=1 2>/dev/null"
    assert guest.sh(f"{FIND_DATA}; {read} skip=5 | tr -d '\\000'") == "written before"
    guest.sh(f"{FIND_DATA}; echo written after | dd of=$data bs=512 seek=6 conv=sync,fsync")
    assert guest.sh(f"{FIND_DATA}; {read} skip=6 | tr -d '\\000'") == "written after"
