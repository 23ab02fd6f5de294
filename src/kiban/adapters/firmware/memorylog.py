# SPDX-License-Identifier: GPL-2.0-or-later
"""The event log in a guest's memory, found without the guest's help.

QEMU's ACPI table TPM2 names a log area (LASA) that OVMF leaves empty, so the log is looked for where EDK2 and Linux
keep it: EDK2's Tcg2Dxe in whole pages padded with 0xFF, which are the operating system's once it runs; Linux's boot
stub in a copy that the EFI configuration table names (LINUX_EFI_TPM_EVENT_LOG_GUID: size, size of the final events it
has already, version, log), to which come the events after it (EFI_TCG2_FINAL_EVENTS_TABLE: version, count, events;
TCG EFI Protocol Specification, section 7). The guest may have written any of it: each address is checked against the
memory's size, and the number of places looked at is bounded.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from kiban.adapters.firmware import eventlog
from kiban.errors import Damaged, NotFound

Read = Callable[[int, int], Awaitable[bytes]]
"""Reads guest memory: physical address, length in bytes."""

CHUNK = 4 << 20
WINDOW = 128 << 20
"""How far below the end of low memory is looked; OVMF keeps all its own within the first 64 MiB there."""

_FINAL = UUID("1e2ed096-30e2-4254-bd89-863bbef82325").bytes_le
_LINUX = UUID("b7799cb0-eca2-4943-9667-1fae07b747fa").bytes_le
_PAGE = 4096
_AREA = 64 << 10  # EDK2's PcdTcgLogAreaMinLen
_ENTRY = 24  # EFI_CONFIGURATION_TABLE: a GUID and a pointer
_NEIGHBOURS = 64  # entries on either side that may be of the same table; OVMF with Linux has about 15
_MAX_PLACES = 64
_LINUX_HEAD = struct.Struct("<IIB")
_FINAL_HEAD = struct.Struct("<QQ")
_SIGNATURE_AT = 32  # from the beginning of a log


@dataclass
class _Found:
    """Where logs may be: pages that begin as one does, and entries of a configuration table."""

    areas: list[int] = field(default_factory=list)
    entries: list[tuple[int, int]] = field(default_factory=list)  # own address, and what it points to


async def find(read: Read, top: int) -> bytes:
    """The event log of the present boot, as the memory below `top` (bytes, the end of low memory) has it.

    Raises NotFound when there is none: the firmware is not so far, or the operating system keeps it elsewhere.
    """
    found = await _search(read, top)
    for area in found.areas:
        log = await _area(read, top, area)
        if log:
            return log
    for entry, address in found.entries:
        log = await _linux(read, top, entry, address)
        if log:
            return log
    raise NotFound(
        "There is no measured-boot log in the guest's memory.",
        "Wait until the firmware has begun to boot; or install qemu-guest-agent in the guest, which can read it.",
        code="no-log",
    )


async def _search(read: Read, top: int) -> _Found:
    found = _Found()
    end = top // CHUNK * CHUNK + CHUNK  # so that chunks begin on pages
    for start in range(end - CHUNK, max(0, top - WINDOW), -CHUNK):
        # an entry may reach into what comes next
        size = min(CHUNK + _ENTRY, top - start)
        if size > 0:
            await asyncio.to_thread(_note, found, start, await read(start, size))
        await asyncio.sleep(0)
    return found


def _note(found: _Found, start: int, data: bytes) -> None:
    for at in _all(data, eventlog.SIGNATURE):
        address = start + at - _SIGNATURE_AT
        if address % _PAGE == 0 and len(found.areas) < _MAX_PLACES:
            found.areas.append(address)
    for at in _all(data, _FINAL):
        if at + _ENTRY <= len(data) and len(found.entries) < _MAX_PLACES:
            found.entries.append((start + at, int.from_bytes(data[at + 16 : at + _ENTRY], "little")))


def _all(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


async def _area(read: Read, top: int, address: int) -> bytes:
    """The log in EDK2's own pages, or nothing when they hold something else by now."""
    data = await read(address, min(_AREA, top - address))
    try:
        log = eventlog.parse(data)
    except Damaged:
        return b""
    intact = log.events and not log.unread and not data[log.size :].strip(b"\xff")
    intact = intact and all(eventlog.proven(event) is not False for event in log.events)
    return data[: log.size] if intact else b""


async def _linux(read: Read, top: int, entry: int, final: int) -> bytes:
    """The log that Linux copied, with the events after it; `final` is where the final events should be."""
    if not 0 < final <= top - _FINAL_HEAD.size:
        return b""
    version, count = _FINAL_HEAD.unpack(await read(final, _FINAL_HEAD.size))
    if version != 1 or count > eventlog.MAX_EVENTS:
        return b""
    copy = await _copy(read, top, entry)
    try:
        log = eventlog.parse(copy)
    except Damaged:
        return b""
    tail = await read(final + _FINAL_HEAD.size, min(_AREA, top - final - _FINAL_HEAD.size))
    events = eventlog.read_events(tail, eventlog.bank_sizes(log), count)
    return copy[: log.size] + b"".join(event.raw for event in _after(log.events, events))


async def _copy(read: Read, top: int, entry: int) -> bytes:
    """Linux's copy, by the entry of the same configuration table that names it; empty without one."""
    reach = min(_NEIGHBOURS, entry // _ENTRY)
    start = entry - reach * _ENTRY
    table = await read(start, min(2 * reach * _ENTRY, top - start))
    for at in range(0, len(table) - _ENTRY + 1, _ENTRY):
        address = int.from_bytes(table[at + 16 : at + _ENTRY], "little")
        if table[at : at + 16] == _LINUX and 0 < address <= top - _LINUX_HEAD.size:
            size, _, version = _LINUX_HEAD.unpack(await read(address, _LINUX_HEAD.size))
            begin = address + _LINUX_HEAD.size
            if version == 2 and 0 < size <= min(eventlog.MAX_LOG, top - begin):
                return await read(begin, size)
    return b""


def _after(log: tuple[eventlog.Event, ...], final: list[eventlog.Event]) -> list[eventlog.Event]:
    """The final events without those at their beginning that the log ends with."""
    raw = [event.raw for event in log]
    for common in range(min(len(final), len(raw)), 0, -1):
        if raw[-common:] == [event.raw for event in final[:common]]:
            return final[common:]
    return final
