# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a machine with a guest in it: pause, reset, power button, power cut, and an end that nobody wanted."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from rig import Guest, Service, qemus, until

from kiban.errors import Conflict, TimedOut

ACPID = "acpid -f -l /dev/null -c /etc/acpi </dev/null >/dev/null 2>&1 &"


def test_a_paused_guest_stands_still(guest: Guest) -> None:
    before, pid = guest.boot_id(), guest.pid()
    assert guest.client.pause(guest.name).state == "paused"
    with pytest.raises(TimedOut):
        guest.run(["/bin/true"], timeout=2)
    with pytest.raises(Conflict, match="it is paused"):
        guest.client.pause(guest.name)
    assert guest.client.resume(guest.name).state == "running"
    assert (guest.boot_id(), guest.pid()) == (before, pid)


def test_a_guest_that_does_not_listen_is_left_running(guest: Guest) -> None:
    before, pid = guest.boot_id(), guest.pid()
    guest.sh("killall acpid; while pidof acpid; do sleep 0.1; done")
    with pytest.raises(TimedOut, match="did not shut down within 2 s"):
        guest.client.stop(guest.name, timeout=2)
    assert (guest.view.state, guest.boot_id(), guest.pid()) == ("running", before, pid)
    guest.sh(ACPID)


def test_reset_boots_the_guest_again(guest: Guest) -> None:
    before, pid = guest.boot_id(), guest.pid()
    with guest.client.events(guest.name) as events:
        assert guest.client.reset(guest.name).state == "running"
        assert next(event for event in events if event.kind == "reset").data["guest"] is False
    guest.ready()
    assert guest.boot_id() != before
    assert guest.pid() == pid


def test_the_power_can_be_cut(machine: Guest) -> None:
    with contextlib.suppress(Conflict):
        machine.client.start(machine.name)
    assert qemus(machine.view.id) == [machine.pid()]
    view = machine.client.stop(machine.name, force=True)
    assert (view.state, view.reason, view.pid) == ("off", "turned off", None)
    assert not qemus(view.id)


def test_why_qemu_died_is_kept(machine: Guest, service: Service) -> None:
    machine.off()
    machine.client.start(machine.name)
    os.kill(machine.pid(), signal.SIGKILL)
    until(lambda: machine.view.state == "off", "noticing that QEMU is gone")
    assert machine.view.reason == "QEMU was ended by SIGKILL"
    service.stop()
    service.start()
    assert (machine.view.state, machine.view.reason) == ("off", "QEMU was ended by SIGKILL")
