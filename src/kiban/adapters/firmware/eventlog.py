# SPDX-License-Identifier: GPL-2.0-or-later
"""The measured-boot event log: what was measured into a TPM 2.0, in which order, and which PCR values that makes.

Source: TCG PC Client Platform Firmware Profile 1.05 revision 23, section 10 (the crypto-agile log: TCG_PCR_EVENT with
the specification ID event first, then TCG_PCR_EVENT2). A guest can have written every byte of it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from kiban.errors import Damaged

MAX_LOG = 256 << 10
"""Longest log that is taken, in bytes; OVMF has room for 64 KiB of events."""
MAX_EVENTS = 4096
PCRS = 24
SIGNATURE = b"Spec ID Event03\0"

NO_ACTION = 0x3
SEPARATOR = 0x4

TYPES = {
    0x0: "EV_PREBOOT_CERT",
    0x1: "EV_POST_CODE",
    NO_ACTION: "EV_NO_ACTION",
    SEPARATOR: "EV_SEPARATOR",
    0x5: "EV_ACTION",
    0x6: "EV_EVENT_TAG",
    0x7: "EV_S_CRTM_CONTENTS",
    0x8: "EV_S_CRTM_VERSION",
    0x9: "EV_CPU_MICROCODE",
    0xA: "EV_PLATFORM_CONFIG_FLAGS",
    0xB: "EV_TABLE_OF_DEVICES",
    0xC: "EV_COMPACT_HASH",
    0xD: "EV_IPL",
    0xE: "EV_IPL_PARTITION_DATA",
    0xF: "EV_NONHOST_CODE",
    0x10: "EV_NONHOST_CONFIG",
    0x11: "EV_NONHOST_INFO",
    0x12: "EV_OMIT_BOOT_DEVICE_EVENTS",
    0x80000001: "EV_EFI_VARIABLE_DRIVER_CONFIG",
    0x80000002: "EV_EFI_VARIABLE_BOOT",
    0x80000003: "EV_EFI_BOOT_SERVICES_APPLICATION",
    0x80000004: "EV_EFI_BOOT_SERVICES_DRIVER",
    0x80000005: "EV_EFI_RUNTIME_SERVICES_DRIVER",
    0x80000006: "EV_EFI_GPT_EVENT",
    0x80000007: "EV_EFI_ACTION",
    0x80000008: "EV_EFI_PLATFORM_FIRMWARE_BLOB",
    0x80000009: "EV_EFI_HANDOFF_TABLES",
    0x8000000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
    0x8000000B: "EV_EFI_HANDOFF_TABLES2",
    0x8000000C: "EV_EFI_VARIABLE_BOOT2",
    0x8000000D: "EV_EFI_GPT_EVENT2",
    0x80000010: "EV_EFI_HCRTM_EVENT",
    0x800000E0: "EV_EFI_VARIABLE_AUTHORITY",
    0x800000E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
    0x800000E2: "EV_EFI_SPDM_FIRMWARE_CONFIG",
    0x800000E3: "EV_EFI_SPDM_DEVICE_POLICY",
    0x800000E4: "EV_EFI_SPDM_DEVICE_AUTHORITY",
}
"""Names of the event types: section 10.4.1, table 27."""

# Types whose digest is of the event's data: section 10.4.1. Of a boot variable EDK2 measures the value alone, and GRUB
# measures its commands without the prefix that it logs.
_OF_DATA = frozenset({SEPARATOR, 0x5, 0x8, 0x80000001, 0x80000006, 0x80000007, 0x8000000C, 0x8000000D, 0x800000E0})
_BOOT_VARIABLE = 0x80000002
_IPL = 0xD
_COMMANDS = (b"grub_cmd: ", b"kernel_cmdline: ")
_VARIABLE = struct.Struct("<16sQQ")  # UEFI_VARIABLE_DATA: vendor, characters of the name, bytes of data

_ALGORITHMS = {0x4: "sha1", 0xB: "sha256", 0xC: "sha384", 0xD: "sha512", 0x12: "sm3_256"}  # TPM_ALG_ID
_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "sm3_256": 32}
_HEAD = struct.Struct("<II20sI")  # TCG_PCR_EVENT: PCR, type, SHA-1, size
_SPEC_ID = struct.Struct("<16sIBBBBI")  # signature, platform class, version (3 bytes), size of UINTN, algorithms
_LOCALITY = b"StartupLocality\0"


@dataclass(frozen=True, slots=True)
class Event:
    """One measurement: `digests` by bank, `data` what it says was measured, `raw` the whole record."""

    pcr: int
    type: int
    digests: Mapping[str, bytes]
    data: bytes
    raw: bytes

    @property
    def name(self) -> str:
        """The type's name in the specification, or its number."""
        return TYPES.get(self.type, f"0x{self.type:08X}")


@dataclass(frozen=True, slots=True)
class EventLog:
    """A log: its banks (`sha256`, …), its events without the specification ID event, and how it ends.

    `size` is the length in bytes of all that could be read; `unread` is what follows and is neither padding nor an
    event.
    """

    banks: tuple[str, ...]
    events: tuple[Event, ...]
    size: int
    unread: int


def parse(data: bytes) -> EventLog:
    """Read a log, up to its end or to the first thing in it that is no event.

    Raises Damaged when it does not begin as a log of a TPM 2.0 does.
    """
    data = data[:MAX_LOG]
    banks, position = _banks(data)
    events = list(read_events(data[position:], banks))
    position += sum(len(event.raw) for event in events)
    rest = data[position:]
    padding = not rest.strip(b"\xff") or not rest.strip(b"\0")
    return EventLog(tuple(banks), tuple(events), position, 0 if padding else len(rest))


def read_events(data: bytes, banks: Mapping[str, int], limit: int = MAX_EVENTS) -> list[Event]:
    """The events at the beginning of `data`, `limit` at most, until something is no event.

    Args:
        banks: the log's banks with the size of a digest in each, as its first event names them.
    """
    events: list[Event] = []
    position = 0
    while len(events) < limit:
        try:
            event = _event(data, position, banks)
        except (struct.error, _NoEvent):
            break
        events.append(event)
        position += len(event.raw)
    return events


def bank_sizes(log: EventLog) -> dict[str, int]:
    """The banks of a log with the size of a digest in each, in bytes."""
    return {bank: _SIZES[bank] for bank in log.banks}


def replay(log: EventLog) -> dict[str, dict[int, bytes]]:
    """The PCR values that the log's measurements make, by bank; only of PCRs that something was measured into.

    Banks whose hash this Python does not have are left out.
    """
    values: dict[str, dict[int, bytes]] = {}
    for bank in log.banks:
        if bank in hashlib.algorithms_available:
            values[bank] = _replay(log, bank)
    return values


def _replay(log: EventLog, bank: str) -> dict[int, bytes]:
    pcrs: dict[int, bytes] = {}
    locality = 0
    for event in log.events:
        if event.type == NO_ACTION:
            # section 10.4.5.3: where the first TPM command came from decides what PCR 0 begins with
            if event.data.startswith(_LOCALITY) and len(event.data) > len(_LOCALITY):
                locality = event.data[len(_LOCALITY)]
            continue
        size = _SIZES[bank]
        first = b"\xff" * size if 17 <= event.pcr <= 22 else bytes(size)
        if event.pcr == 0:
            first = bytes(size - 1) + bytes((locality,))
        before = pcrs.get(event.pcr, first)
        if bank in event.digests:
            pcrs[event.pcr] = hashlib.new(bank, before + event.digests[bank]).digest()
    return pcrs


def proven(event: Event) -> bool | None:
    """Whether an event's data is what was measured; None where the digest is of something that the log does not hold.

    A log whose replay equals the registers can still lie in its data: only the digests are bound to the TPM.
    """
    candidates = _measured(event)
    known = {bank: digest for bank, digest in event.digests.items() if bank in hashlib.algorithms_available}
    if not candidates or not known:
        return None
    return any(all(hashlib.new(bank, data).digest() == digest for bank, digest in known.items()) for data in candidates)


def _measured(event: Event) -> list[bytes]:
    """What the event's digests may be of; empty where that is not in the log."""
    data = event.data
    if event.type in _OF_DATA:
        return [data]
    if event.type == _BOOT_VARIABLE and len(data) >= _VARIABLE.size:
        _, characters, size = _VARIABLE.unpack_from(data)
        start = _VARIABLE.size + 2 * characters
        return [data, data[start : start + size]]
    if event.type == _IPL:
        return [data.removeprefix(prefix).rstrip(b"\0") for prefix in _COMMANDS if data.startswith(prefix)]
    return []


class _NoEvent(Exception):  # noqa: N818  # it never leaves this module
    """What stands here is no event: the log is over, or damaged."""


def _banks(data: bytes) -> tuple[dict[str, int], int]:
    """The banks that the specification ID event names, and where the events begin."""
    try:
        pcr, kind, digest, size = _HEAD.unpack_from(data)
        signature, *_, count = _SPEC_ID.unpack_from(data, _HEAD.size)
        if (pcr, kind, digest, signature) != (0, NO_ACTION, bytes(20), SIGNATURE) or not 1 <= count <= len(_ALGORITHMS):
            raise _NoEvent
        pairs = [struct.unpack_from("<HH", data, _HEAD.size + _SPEC_ID.size + 4 * n) for n in range(count)]
        banks = {_ALGORITHMS[number]: length for number, length in pairs}
    except (struct.error, KeyError, _NoEvent) as error:
        raise Damaged("That is not the event log of a TPM 2.0.") from error
    end = _HEAD.size + size
    if any(_SIZES[bank] != length for bank, length in banks.items()) or end > len(data):
        raise Damaged("The event log of the TPM is damaged in its first event.")
    return banks, end


def _event(data: bytes, start: int, banks: Mapping[str, int]) -> Event:
    pcr, kind, count = struct.unpack_from("<III", data, start)
    if pcr >= PCRS or not 1 <= count <= len(banks):
        raise _NoEvent
    position, digests = start + 12, {}
    for _ in range(count):
        bank = _ALGORITHMS.get(struct.unpack_from("<H", data, position)[0], "")
        if bank not in banks:
            raise _NoEvent
        digests[bank] = data[position + 2 : position + 2 + banks[bank]]
        position += 2 + banks[bank]
    (size,) = struct.unpack_from("<I", data, position)
    position += 4
    if position + size > len(data):
        raise _NoEvent
    return Event(pcr, kind, digests, data[position : position + size], data[start : position + size])
