# SPDX-License-Identifier: GPL-2.0-or-later
"""A running machine from the host's side: keyboard, console and sandbox, and a service that is killed over it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from rig import MIB, WAIT, Guest, MakeGuest, Service, qemus, until

from kiban.client.records_usage import GuestState, Sample
from kiban.errors import TimedOut

READER = """rm -f /run/enough
(until [ -e /run/enough ]; do
  for disk in /sys/block/sd*; do cat /dev/${disk##*/}; done; echo 3 >/proc/sys/vm/drop_caches
done) >/dev/null 2>&1 &"""
LISTEN = "0A"  # a socket's state in /proc/net/tcp


def test_what_is_typed_arrives(guest: Guest) -> None:
    guest.client.type_text(guest.name, "echo Typed: it, >/run/typed\n")
    assert guest.sh("until [ -s /run/typed ]; do sleep 0.2; done; cat /run/typed") == "Typed: it,"
    picture = guest.picture(f"typed-generation{guest.view.generation}")
    assert picture.startswith(b"\x89PNG\r\n")


def test_the_console_leads_to_the_com_port(guest: Guest, service: Service) -> None:
    if guest.view.generation == 2:
        refused = service.kiban("console", guest.name, code=3)
        assert f"{guest.name} has no COM1" in refused.stderr
        return
    with guest.client.console(guest.name) as com, guest.client.console(guest.name) as other:
        com.write(b"echo and-the-answer-is-$((6*7))\r")
        for line in (com, other):
            said = b""
            while b"answer-is-42" not in said:
                said += line.read(WAIT)
    with guest.client.console(guest.name) as com:
        com.write(b"echo left >/run/left\r")
    assert guest.sh("until [ -s /run/left ]; do sleep 0.2; done; cat /run/left") == "left"


def test_what_it_uses_and_how_its_guest_is(guest: Guest) -> None:
    client = guest.client
    until(lambda: _told(client.guest(guest.name)) == ("ok", True), "the guest's heartbeat and address")
    guest.sh(READER)
    busy = until(lambda: [s for s in client.usage(guest.name).samples if _busy(s)], "load, and a count of its network")
    guest.sh("touch /run/enough")
    assert busy[0].cpu > 0
    assert busy[0].memory > 16 * MIB
    # a guest that had much to do may have been too slow to answer
    until(lambda: _told(client.guest(guest.name)) == ("ok", True), "its heartbeat again")
    client.pause(guest.name)
    assert _told(client.guest(guest.name)) == ("paused", True)
    client.resume(guest.name)


def _told(state: GuestState) -> tuple[str, bool]:
    """The heartbeat, and whether the address by IPv4 is known; those by IPv6 come when they like."""
    return state.heartbeat, "10.0.2.15" in state.addresses


def _busy(sample: Sample) -> bool:
    return (sample.disk_read or 0) > MIB and sample.net_received is not None


def test_qemu_is_locked_in(guest: Guest) -> None:
    process = Path(f"/proc/{guest.pid()}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert status["Seccomp"] == "2"
    if os.geteuid() == 0:
        user = pwd.getpwnam("kiban-qemu")
        assert status["Uid"].split() == [str(user.pw_uid)] * 4
        assert status["Gid"].split() == [str(user.pw_gid)] * 4
        assert set(map(int, status["Groups"].split())) == set(os.getgrouplist(user.pw_name, user.pw_gid))
    for held in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[held], 16) == 0, held
    assert not _sockets(process) & _tcp_listeners(process)


def _sockets(process: Path) -> set[str]:
    targets = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
    return {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}


def _tcp_listeners(process: Path) -> set[str]:
    """Inodes of the TCP sockets that listen, of anybody in the process's network namespace."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                found.add(fields[9])
    return found


def test_a_killed_service_comes_back_to_its_machines(guest: Guest, service: Service, make: MakeGuest) -> None:
    boot_id = guest.boot_id()
    other = make("other", 3 - guest.view.generation, nics=[])
    other.client.start(other.name)
    other.client.pause(other.name)
    before = {g.name: (g.view.pid, g.view.state, g.view.started) for g in (guest, other)}

    service.kill()
    assert all(Path(f"/proc/{pid}").exists() for pid, _, _ in before.values())
    service.start()

    assert {g.name: (g.view.pid, g.view.state, g.view.started) for g in (guest, other)} == before
    assert guest.view.accelerator == other.view.accelerator != ""
    assert guest.picture(f"adopted-generation{guest.view.generation}").startswith(b"\x89PNG\r\n")
    guest.client.pause(guest.name)
    with pytest.raises(TimedOut):
        guest.run(["/bin/true"], timeout=2)
    guest.client.resume(guest.name)
    assert guest.boot_id() == boot_id
    other.client.resume(other.name)
    other.client.stop(other.name, force=True)

    view = guest.client.stop(guest.name, timeout=WAIT)
    assert (view.state, view.reason) == ("off", "the guest shut down")
    until(lambda: not qemus(view.id), "the end of QEMU")
    assert not Path(view.runtime).exists()
