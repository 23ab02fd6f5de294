# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a log lies in a guest's memory: as OVMF and Linux leave it, and as a hostile guest would."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import machines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tpm_eventlog import DATA

from kiban.adapters.firmware import eventlog, memorylog
from kiban.engine import guestmemory
from kiban.engine.handle import Handle
from kiban.errors import Failed, NotFound

MIB = 1 << 20
TOP = 24 * MIB
FINAL = UUID("1e2ed096-30e2-4254-bd89-863bbef82325").bytes_le
LINUX = UUID("b7799cb0-eca2-4943-9667-1fae07b747fa").bytes_le
EVENTS = [event.raw for event in eventlog.parse(DATA).events]
BEFORE = DATA[: -len(b"".join(EVENTS[-2:]))]  # without the two events of ExitBootServices


class Memory:
    """A guest's memory of TOP bytes; `find` looks for the log in it."""

    def __init__(self) -> None:
        self.data = bytearray(TOP)
        self.most = self.reads = 0

    def put(self, address: int, data: bytes) -> None:
        self.data[address : address + len(data)] = data

    async def read(self, address: int, size: int) -> bytes:
        assert 0 <= address <= address + size <= TOP, "nothing outside of memory may be asked for"
        self.most, self.reads = max(self.most, size), self.reads + 1
        return bytes(self.data[address : address + size])

    def find(self) -> bytes:
        return asyncio.run(memorylog.find(self.read, TOP))

    def tables(self, at: int, *entries: tuple[bytes, int]) -> None:
        self.put(at, b"".join(guid + address.to_bytes(8, "little") for guid, address in entries))

    def linux(self, *, final: list[bytes], at: int = 20 * MIB + 8) -> None:
        """What Linux's stub and OVMF leave behind: a copy of the log, and the events after it."""
        self.tables(at, (FINAL, 21 * MIB), (bytes(range(16)), 1), (LINUX, 18 * MIB + 24))
        self.put(21 * MIB, struct.pack("<QQ", 1, len(final)) + b"".join(final))
        self.put(18 * MIB + 24, struct.pack("<IIB", len(BEFORE), 0, 2) + BEFORE)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.mark.parametrize("address", [TOP - 65536, 16 * MIB, 20 * MIB - 4096])
def test_the_firmwares_own_log_is_found_wherever_it_lies(memory: Memory, address: int) -> None:
    memory.put(address, b"\xff" * 65536)
    memory.put(address, DATA)
    assert memory.find() == DATA


def test_linuxs_copy_is_found_with_the_events_after_it(memory: Memory) -> None:
    memory.linux(final=EVENTS[-2:])
    assert memory.find() == DATA


def test_final_events_that_the_copy_has_already_come_once(memory: Memory) -> None:
    memory.linux(final=EVENTS[-5:])
    assert memory.find() == DATA


def test_tables_across_the_border_of_two_pieces(memory: Memory) -> None:
    memory.linux(final=EVENTS[-2:], at=20 * MIB - 20)
    assert memory.find() == DATA


def test_pages_that_were_used_again_are_no_log(memory: Memory) -> None:
    memory.put(22 * MIB, b"\xff" * 65536)
    memory.put(22 * MIB, DATA)
    memory.put(22 * MIB + 20000, b"something of the operating system's")
    with pytest.raises(NotFound):
        memory.find()
    memory.linux(final=EVENTS[-2:])
    assert memory.find() == DATA


def test_no_log(memory: Memory) -> None:
    with pytest.raises(NotFound) as caught:
        memory.find()
    assert caught.value.reason == "no-log"


def test_a_hostile_guest_costs_no_more_than_so_many_reads(memory: Memory) -> None:
    memory.data[:] = (FINAL + (16 * MIB).to_bytes(8, "little")) * (TOP // 24)
    memory.put(16 * MIB, struct.pack("<QQ", 1, 4000))
    with pytest.raises(NotFound):
        memory.find()
    assert memory.reads < 300
    assert memory.most <= guestmemory.MAX_PIECE


@settings(max_examples=60, deadline=None)
@given(final=st.integers(0, 2**64 - 1), copy=st.integers(0, 2**64 - 1), size=st.integers(0, 2**32 - 1))
def test_addresses_and_sizes_that_lead_anywhere(final: int, copy: int, size: int) -> None:
    memory = Memory()
    memory.linux(final=EVENTS[-2:])
    memory.tables(20 * MIB + 8, (FINAL, final), (bytes(range(16)), 1), (LINUX, copy))
    if 0 < copy <= TOP - 9:
        memory.put(copy, struct.pack("<IIB", size, 0, 2))
    with pytest.raises(NotFound):
        memory.find()


# through QEMU


def handle_of(runtime: Path, answer: bytes | None) -> tuple[Handle, list[dict[str, Any]]]:
    """A running machine whose QEMU writes `answer`, as long as it was asked for; nothing with None."""
    asked: list[dict[str, Any]] = []

    async def run(command: str, arguments: dict[str, Any]) -> None:
        assert command == "pmemsave"
        asked.append(arguments)
        if answer is not None:
            Path(arguments["filename"]).write_bytes(answer[: arguments["size"]])

    machine = machines.make(2, nics=())
    return cast(
        "Handle", SimpleNamespace(runtime=runtime, machine=machine, name="web", live=SimpleNamespace(run=run))
    ), asked


def test_a_piece_of_memory_goes_through_a_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    handle, asked = handle_of(tmp_path, bytes(range(256)) * 16)

    async def scenario() -> None:
        async with guestmemory.reader(handle) as read:
            assert await read(4 * MIB, 300) == (bytes(range(256)) * 2)[:300]
            (file,) = tmp_path.iterdir()
            assert file.stat().st_mode & 0o777 == 0o600
            assert await read(4 * MIB, 4096) == bytes(range(256)) * 16

    asyncio.run(scenario())
    assert [(a["val"], a["size"]) for a in asked] == [(4 * MIB, 300), (4 * MIB, 4096)]
    assert list(tmp_path.iterdir()) == []


def test_qemu_is_never_asked_for_what_is_no_memory(tmp_path: Path) -> None:
    handle, asked = handle_of(tmp_path, b"")
    top = guestmemory.low_memory(handle.machine)

    async def scenario() -> None:
        async with guestmemory.reader(handle) as read:
            for address, size in ((0xA0000, 16), (top - 8, 16), (0xFEE00000, 16), (2**63, 16), (4 * MIB, 2**40)):
                assert not any(await read(address, size))

    asyncio.run(scenario())
    assert asked == []


def test_a_file_that_is_put_in_the_way_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the host" * 100)
    handle, _ = handle_of(tmp_path, None)

    async def scenario() -> None:
        async with guestmemory.reader(handle) as read:
            place = next(path for path in tmp_path.iterdir() if path != secret)
            place.unlink()
            place.symlink_to(secret)
            with pytest.raises(Failed):
                await read(4 * MIB, 100)

    asyncio.run(scenario())


@pytest.mark.parametrize(("memory", "end"), [(512, 512), (2815, 2815), (2816, 2048), (8192, 2048)])
def test_where_low_memory_ends(memory: int, end: int) -> None:
    assert guestmemory.low_memory(machines.make(2, memory=memory * MIB)) == end * MIB
