# SPDX-License-Identifier: GPL-2.0-or-later
"""The measured-boot event log: a real one read, replayed and put in words, and hostile ones survived.

The log is that of a generation 2 machine of Kiban's own (OVMF 2022.11, Debian's shim, GRUB and kernel, Secure Boot on);
the registers below are what the guest's TPM had at that moment, read in the guest.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiban.adapters.firmware import devicepath, eventlog, eventwords, loadoption
from kiban.adapters.firmware.eventlog import Event
from kiban.errors import Damaged

LOG = Path(__file__).with_name("data") / "tpm_log_debian_secure_boot.bin"
DATA = LOG.read_bytes()
REGISTERS = """
0 A687A77E325A368034DF6261EDF525A75E98533FA3426669ECE1A5A51151D510
1 4DE10307DEA61C60250E9338149010B1060A56C2CD408132A11DBF6158F877A5
2 3D458CFE55CC03EA1F443F1562BEEC8DF51C75E14A9FCF9A7234A13F198E7969
3 3D458CFE55CC03EA1F443F1562BEEC8DF51C75E14A9FCF9A7234A13F198E7969
4 060E9DE2A8BA0BF1E4846483D9BB34FC54DF20581DA42A4FD18ECEF9F4747491
5 438752BC6CDBCC069E624D33C23DF6654B1531E73F97F9EF41B283CA1A721E54
6 3D458CFE55CC03EA1F443F1562BEEC8DF51C75E14A9FCF9A7234A13F198E7969
7 C45170D1ED5149022CF73E3A72C387CCE3F91888170B68991C420C0D17308174
8 D0B180ADD8BF880FE286BD7EBB45F76CEB7984695033AF8DD404ADA9814FE533
9 D77026D89DA59993344979829AAAF4C5F7FF5E93A18A9C1C03453935EE9F3A4F
14 B9C97933FE323334271A718FDF2966E0609AFCB793F3B68AAF18FC31EA39DC0A
"""
DISK = loadoption.pci(2, 0) + loadoption.scsi(0, 0)
HEAD = DATA[: 32 + 33]


def event(kind: int, data: bytes, *, pcr: int = 7, digest: bytes = b"\x11" * 32) -> bytes:
    return struct.pack("<IIIH", pcr, kind, 1, 0xB) + digest + struct.pack("<I", len(data)) + data


def words(kind: int, data: bytes, pcr: int = 7) -> str:
    (found,) = eventlog.parse(HEAD + event(kind, data, pcr=pcr)).events
    return eventwords.describe(found)


def test_a_real_log_replays_to_the_registers_of_the_tpm() -> None:
    log = eventlog.parse(DATA)
    assert (log.banks, len(log.events), log.size, log.unread) == (("sha256",), 53, len(DATA), 0)
    expected = {int(n): bytes.fromhex(value) for n, value in map(str.split, REGISTERS.strip().splitlines())}
    assert eventlog.replay(log) == {"sha256": expected}


@pytest.mark.skipif(shutil.which("tpm2_eventlog") is None, reason="tpm2-tools is not installed")
def test_an_independent_reader_sees_the_same_events() -> None:
    read = subprocess.run(["tpm2_eventlog", str(LOG)], capture_output=True, text=True, check=True).stdout
    theirs = re.findall(
        r"PCRIndex: (\d+)\n +EventType: (\w+)\n(?: +DigestCount.*\n(?:.*\n){2} +Digest: \"(\w+)\")?", read
    )
    ours = [(str(e.pcr), e.name, e.digests["sha256"].hex()) for e in eventlog.parse(DATA).events]
    assert theirs == [("0", "EV_NO_ACTION", ""), *ours]


def test_a_real_log_in_words() -> None:
    said = [eventwords.describe(e, {DISK: "disk0"}) for e in eventlog.parse(DATA).events]
    for expected in (
        "Secure Boot is on",
        "Platform key (PK): Windows OEM Devices PK",
        "Allowed (db): Microsoft Corporation UEFI CA 2011 and Microsoft UEFI CA 2023",
        "Forbidden (dbx): 443 hashes",
        "Boot order: 0000, 0001, 0002, 0003, 0004, 0005, 0006, 0007, 0008, 0009",
        "Boot entry 0000: Disk disk0: disk0",
        "The next program was vouched for by Microsoft Corporation UEFI CA 2011 (db)",
        "Loaded: disk0, partition 2, \\EFI\\BOOT\\BOOTX64.EFI; Authenticode sha256 "
        "80a66d53a945d2286fcadd780fae1c225aa732079cd67b5225dc78aaab4e2ff8",
        "Revocation levels of shim (SBAT): sbat,1,2025021800 shim,4 grub,5",
        "The next program was vouched for by Debian Secure Boot CA (MokListRT)",
        "Partition table of disk 98186059-b01c-9540-8f0d-1eaa2efc2c26: bios, esp",
        "GRUB read: /vmlinuz",
        "Kernel command line: /vmlinuz quiet console=ttyS0 console=tty0 panic=10",
    ):
        assert expected in said


def test_a_log_that_replays_and_lies_in_its_words_is_caught() -> None:
    """Only digests are bound to the registers; so Secure Boot that was off could be said to be on."""
    log = eventlog.parse(DATA)
    proofs = [eventlog.proven(e) for e in log.events]
    assert (proofs.count(True), proofs.count(False)) == (41, 0)
    secure, boot = variable("SecureBoot", b"\1"), variable("BootOrder", b"\0\0")
    for kind, data, pcr in (
        (0x80000001, secure, 7),
        (0x80000002, boot, 1),
        (0xD, b"grub_cmd: boot\0", 8),
        (4, bytes(4), 0),
    ):
        (lie,) = eventlog.parse(HEAD + event(kind, data, pcr=pcr)).events
        assert eventlog.proven(lie) is False
    at = DATA.index(b"grub_cmd: linux /vmlinuz quiet")
    forged = eventlog.parse(DATA[:at] + b"grub_cmd: linux /vmlinuZ quiet" + DATA[at + 30 :])
    assert eventlog.replay(forged) == eventlog.replay(log)
    assert [eventlog.proven(e) for e in forged.events].count(False) == 1


def test_a_log_ends_at_its_padding_and_says_what_follows_it() -> None:
    for padding in (b"\xff" * 500, bytes(500)):
        log = eventlog.parse(DATA + padding)
        assert (log.size, log.unread) == (len(DATA), 0)
    cut = eventlog.parse(DATA[:-1])
    assert (len(cut.events), cut.unread) == (52, len(DATA) - 1 - cut.size)
    assert eventlog.parse(DATA + b"not an event").unread == 12


def test_what_is_no_log_is_refused() -> None:
    for data in (b"", DATA[:40], b"\xff" * 4096, DATA[1:], HEAD.replace(b"Event03", b"Event02")):
        with pytest.raises(Damaged):
            eventlog.parse(data)


def test_registers_begin_where_the_specification_says() -> None:
    digest = b"\x22" * 32
    locality = event(eventlog.NO_ACTION, b"StartupLocality\0\x03", pcr=0, digest=bytes(32))
    log = eventlog.parse(HEAD + locality + event(8, b"", pcr=0, digest=digest) + event(4, b"", pcr=17, digest=digest))
    assert eventlog.replay(log)["sha256"] == {
        0: hashlib.sha256(bytes(31) + b"\3" + digest).digest(),
        17: hashlib.sha256(b"\xff" * 32 + digest).digest(),
    }
    assert eventwords.describe(log.events[0]) == "The TPM was started from locality 3"


def variable(name: str, data: bytes) -> bytes:
    return bytes(16) + struct.pack("<QQ", len(name), len(data)) + name.encode("utf-16-le") + data


def test_words_of_what_the_real_log_does_not_hold() -> None:
    assert words(0x80000001, variable("SecureBoot", b"\0")) == "Secure Boot is off"
    assert words(0x80000001, variable("dbx", b"")) == "Forbidden (dbx): nothing"
    assert words(0xD, "console=tty0\0".encode("utf-16-le"), pcr=12) == "Kernel command line: console=tty0"
    assert words(0xD, b".linux\0", pcr=11) == "Part of the unified kernel image: .linux"
    assert words(6, struct.pack("<II", 0x8F3B22ED, 13) + b"Linux initrd\0", pcr=9).endswith("loader: Linux initrd")
    assert words(4, b"\1\0\0\0", pcr=0) == "The firmware reports an error"
    assert words(0x800000E0, variable("db", bytes(16) + b"\xab" * 32)).endswith(f"the hash {'ab' * 32} (db)")
    path = devicepath.describe(loadoption.pci(3, 0) + loadoption.mac("52:54:00:12:34:56") + loadoption.ipv4())
    assert path == "PCI 03.0, PCI 00.0, network adapter 52:54:00:12:34:56, IPv4"


@pytest.mark.parametrize("kind", [0x80000001, 0x80000003, 0x80000006, 0x800000E0, 0x80000008, 4])
def test_an_event_that_lies_about_itself_is_said_so(kind: int) -> None:
    assert words(kind, b"\xfe" * 40 if kind == 0x80000006 else b"\xfe" * 5).endswith("are not what such an event holds")


# hostile


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_log_never_gives_more_than_a_clear_error(data: st.DataObject) -> None:
    damaged = bytearray(DATA[: data.draw(st.integers(0, len(DATA)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            piece = data.draw(st.binary(min_size=1, max_size=8))
            damaged[at : at + len(piece)] = piece
    try:
        log = eventlog.parse(bytes(damaged))
    except Damaged:
        return
    assert len(log.events) <= eventlog.MAX_EVENTS
    assert log.size <= len(damaged)
    eventlog.replay(log)
    assert all(len(eventwords.describe(e)) <= 600 for e in log.events)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(eventlog.TYPES)), st.integers(0, 23), st.binary(max_size=300))
def test_any_bytes_in_any_event_have_words(kind: int, pcr: int, data: bytes) -> None:
    found = Event(pcr, kind, {"sha256": bytes(32)}, data, b"")
    eventlog.proven(found)
    assert eventwords.describe(found, {DISK: "disk0"})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.binary(max_size=40)), max_size=6))
def test_any_device_path_has_words(parts: list[tuple[int, int, bytes]]) -> None:
    path = b"".join(loadoption.node(kind, subtype, data) for kind, subtype, data in parts)
    assert isinstance(devicepath.describe(path), str)
