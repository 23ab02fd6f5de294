# SPDX-License-Identifier: GPL-2.0-or-later
"""The measured-boot event log of real machines with Secure Boot: read outside and inside, before and after the boot.

Two independent readers agree with Kiban's: the guest's own TPM about the registers, and tpm2-tools about the events.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import MIB, Guest, MakeGuest, Service, until

from kiban.client.records import MeasuredBoot
from kiban.errors import Conflict, KibanError, NotFound, NotInGeneration
from kiban.model.requests import DiskRequest


@pytest.fixture(scope="module")
def booted(service: Service, probe: Path) -> Iterator[Guest]:
    """A machine with a TPM, booted once for all tests here: they only look, and the last one resets it."""
    disk = DiskRequest(path=str(probe / "probe.qcow2"), format="qcow2", copy=True)
    service.client.create("measured", generation=2, memory=512 * MIB, disks=[disk], nics=[], tpm=True)
    guest = Guest(service.client, "measured")
    yield guest
    guest.off()
    service.client.remove(guest.name)


@pytest.fixture
def measured(booted: Guest) -> Guest:
    """The same machine with its guest up."""
    booted.up()
    booted.sh("[ -d /sys/kernel/security/tpm0 ] || mount -t securityfs none /sys/kernel/security")
    return booted


def texts(log: MeasuredBoot) -> list[str]:
    return [event.text for event in log.events]


def test_outside_and_inside_agree_and_replay_to_the_guests_registers(measured: Guest) -> None:
    outside = measured.client.tpm_log(measured.name, source="memory")
    inside = measured.client.tpm_log(measured.name, source="agent")
    assert (outside.source, inside.source) == ("memory", "agent")
    assert outside.events == inside.events
    raw = measured.client.tpm_raw_log(measured.name, source="memory")
    assert raw == measured.client.tpm_raw_log(measured.name, source="agent")

    read = measured.sh("cd /sys/class/tpm/tpm0/pcr-sha256; for n in $(seq 0 23); do echo $n $(cat $n); done")
    registers = {int(number): value.lower() for number, value in map(str.split, read.splitlines())}
    replayed = {pcr.number: pcr.replayed for pcr in outside.pcrs if pcr.bank == "sha256"}
    assert set(replayed) == {*range(10), 14}
    assert replayed == {number: registers[number] for number in replayed}

    shown = measured.client.tpm(measured.name)
    assert (shown.present, shown.running, shown.matches, shown.source) == (True, True, True, "agent")
    assert {pcr.number: pcr.guest for pcr in shown.pcrs} == registers


def test_the_words_say_what_was_booted_and_who_vouched_for_it(measured: Guest) -> None:
    said = texts(measured.client.tpm_log(measured.name))
    assert "Secure Boot is on" in said
    assert "Allowed (db): Microsoft Corporation UEFI CA 2011 and Microsoft UEFI CA 2023" in said
    assert "The next program was vouched for by Debian Secure Boot CA (MokListRT)" in said
    shim = r"Loaded: disk0, partition \d+, \\EFI\\BOOT\\BOOTX64.EFI; Authenticode sha256 [0-9a-f]{64}"
    assert [text for text in said if re.fullmatch(shim, text)]
    assert said[-1] == "Action: Exit Boot Services Returned with Success"


@pytest.mark.skipif(shutil.which("tpm2_eventlog") is None, reason="tpm2-tools is not installed")
def test_an_independent_reader_replays_the_same(measured: Guest, service: Service, tmp_path: Path) -> None:
    saved = tmp_path / "boot.log"
    service.kiban("tpm", "log", measured.name, "--source", "memory", "--raw", str(saved))
    read = subprocess.run(["tpm2_eventlog", str(saved)], capture_output=True, text=True, check=True).stdout
    theirs = {int(n): value for n, value in re.findall(r"^ +(\d+) *: 0x([0-9a-f]{64})$", read, re.MULTILINE)}
    log = json.loads(service.kiban("tpm", "log", measured.name, "-o", "json").stdout)
    assert theirs == {pcr["number"]: pcr["replayed"] for pcr in log["pcrs"]}
    assert len(re.findall(r"^- EventNum:", read, re.MULTILINE)) == len(log["events"]) + 1  # and the log's own head


def test_a_reset_begins_a_new_log(measured: Guest) -> None:
    before = measured.boot_id()
    measured.reset()
    measured.ready()
    assert measured.boot_id() != before
    measured.sh("[ -d /sys/kernel/security/tpm0 ] || mount -t securityfs none /sys/kernel/security")
    outside = measured.client.tpm_raw_log(measured.name, source="memory")
    assert outside == measured.client.tpm_raw_log(measured.name, source="agent")
    assert measured.client.tpm(measured.name).matches is True


def _log_outside(guest: Guest) -> MeasuredBoot | None:
    try:
        return guest.client.tpm_log(guest.name)
    except NotFound:
        return None


def test_a_machine_stuck_in_its_firmware_has_a_log_too(make: MakeGuest) -> None:
    guest = make("stuck", 2, disks=[], nics=[], tpm=True)
    with pytest.raises(Conflict, match="is off"):
        guest.client.tpm_log(guest.name)
    guest.client.start(guest.name)
    log = until(lambda: _with_shell(_log_outside(guest)), "the firmware's last resort, its shell")
    assert log is not None
    assert log.source == "memory"
    assert "Secure Boot is on" in texts(log)
    with pytest.raises(KibanError, match="No guest agent"):
        guest.client.tpm_log(guest.name, source="agent")
    shown = guest.client.tpm(guest.name)
    assert (shown.source, shown.matches) == ("memory", None)


def _with_shell(log: MeasuredBoot | None) -> MeasuredBoot | None:
    """The log once it is whole: it is read while the firmware writes."""
    is_whole = log and not log.unread and any("the firmware's own shell" in text for text in texts(log))
    return log if is_whole else None


def test_a_machine_without_a_tpm_says_how_to_get_one(make: MakeGuest) -> None:
    plain = make("untrusting", 2, disks=[], nics=[])
    with pytest.raises(NotFound, match="has no TPM") as caught:
        plain.client.tpm_log(plain.name)
    assert caught.value.hint == "While it is off: kiban set untrusting --tpm on"
    plain.client.edit(plain.name, tpm=True)
    assert plain.client.tpm(plain.name).present
    old = make("old", 1, disks=[DiskRequest(size=64 * MIB)], nics=[])
    with pytest.raises(NotInGeneration, match="generation 1"):
        old.client.tpm_log(old.name)
