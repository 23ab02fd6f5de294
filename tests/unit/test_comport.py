# SPDX-License-Identifier: GPL-2.0-or-later
"""A COM port for several at a time, at the fake QEMU's port, which takes one client as QEMU's does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from engine_world import World, one, run, world

from kiban.engine import comport, life, supervision
from kiban.engine.comport import Port
from kiban.engine.handle import Handle
from kiban.errors import Conflict, NotFound
from kiban.model.requests import ComRequest


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def at(there: World, work: Callable[[Handle], Awaitable[None]]) -> None:
    """Do something with a machine that runs: COM1 is a socket, COM2 a file."""

    async def go() -> None:
        coms = (ComRequest(number=1, kind="socket"), ComRequest(number=2, kind="file", path=str(there.root / "com2")))
        host, handle = await one(there, coms=coms)
        await life.start(host, handle)
        await work(handle)
        await supervision.end(handle)

    run(go())


async def hear(port: Port, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        data = await port.read()
        assert data, said
        said += data
    return said


def test_all_hear_the_guest_and_each_may_type(there: World) -> None:
    async def work(handle: Handle) -> None:
        first = await comport.attach(handle, 1)
        assert await hear(first, b"\n") == b"ready\r\n"
        second = await comport.attach(handle, 1)
        assert await hear(second, b"\n") == b"ready\r\n", "what was said before"
        for port, word in ((first, b"a"), (second, b"b")):
            await port.write(word)
            assert await hear(first, word * 2) == await hear(second, word * 2) == word * 2

    at(there, work)


def test_of_several_terminals_one_answers_the_guest(there: World) -> None:
    async def work(handle: Handle) -> None:
        ports = [await comport.attach(handle, 1) for _ in range(3)]
        await ports[0].write(b"\x1b[5n")
        for port in ports:
            await hear(port, b"\x1b[5n" * 2)  # two questions: the guest here says everything twice
        for port in ports:
            port.type(b"\x1b[0n")
        ports[0].type(b"!")
        said = b""
        while said.count(b"!") < 2:
            said += await ports[0].read()
        assert said.count(b"\x1b[0n") == 2 * 2

    at(there, work)


def test_the_last_who_leaves_frees_the_port(there: World) -> None:
    async def work(handle: Handle) -> None:
        ports = [await comport.attach(handle, 1) for _ in range(2)]
        ports[0].close()
        await ports[1].write(b"x")
        await hear(ports[1], b"xx")
        ports[1].close()
        ports[1].close()
        port = await comport.attach(handle, 1)
        assert await hear(port, b"\n") == b"ready\r\n", "another connection"

    at(there, work)


def test_what_was_typed_last_is_waited_for(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(handle: Handle) -> None:
        on_the_way = [True]
        monkeypatch.setattr(comport, "_on_the_way", lambda writer: on_the_way[0])
        port = await comport.attach(handle, 1)
        await port.write(b"x")
        await hear(port, b"xx")
        port.close()
        port = await comport.attach(handle, 1)
        assert await hear(port, b"xx") == b"ready\r\nxx", "the same connection"
        port.close()
        line = comport._lines[handle][1]
        assert line._leaving is not None
        on_the_way[0] = False
        await line._leaving
        assert await hear(await comport.attach(handle, 1), b"\n") == b"ready\r\n", "another connection"

    at(there, work)


def test_all_of_much_that_is_typed_arrives(there: World) -> None:
    async def work(handle: Handle) -> None:
        ports = [await comport.attach(handle, 1) for _ in range(2)]
        await asyncio.gather(*(port.write(word * 200_000) for port, word in zip(ports, (b"a", b"b"), strict=True)))
        await ports[0].write(b"!")
        for port in ports:
            await hear(port, b"!")
        ports[0].type(b"?")
        await hear(ports[1], b"?")

    at(there, work)


def test_a_port_that_another_program_has_is_refused(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comport, "LET_GO_SECONDS", 0.1)

    async def work(handle: Handle) -> None:
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(handle.runtime / "com1.sock"))
            assert console.recv(100) == b"ready\r\n"
            with pytest.raises(Conflict, match="Another program") as refused:
                await comport.attach(handle, 1)
        assert refused.value.reason == "port-busy"

    at(there, work)


def test_the_end_of_the_machine_is_told(there: World) -> None:
    async def work(handle: Handle) -> None:
        ports = [await comport.attach(handle, 1) for _ in range(2)]
        await hear(ports[0], b"\n")
        await supervision.end(handle)
        assert await ports[0].read() == b""
        assert await hear(ports[1], b"\n") == b"ready\r\n"
        assert await ports[1].read() == b"", "after what was said"
        await ports[1].write(b"late")
        with pytest.raises(Conflict, match="it is off"):
            await comport.attach(handle, 1)

    at(there, work)


def test_ports_that_lead_elsewhere_are_refused(there: World) -> None:
    async def work(handle: Handle) -> None:
        with pytest.raises(Conflict, match="goes into a file"):
            await comport.attach(handle, 2)
        with pytest.raises(NotFound):
            await comport.attach(handle, 3)

    at(there, work)


def test_who_is_slow_misses_what_is_old_and_no_more_is_kept(there: World) -> None:
    async def work(handle: Handle) -> None:
        slow = await comport.attach(handle, 1)
        quick = await comport.attach(handle, 1)
        await hear(quick, b"\n")
        for _ in range(20):
            await quick.write(b"y" * 4096)
            await hear(quick, b"y" * 4096)
        await quick.write(b"!")
        await hear(quick, b"!")
        said = await hear(slow, b"!")
        assert len(said) <= comport.KEPT
        assert b"ready" not in said

    at(there, work)


def test_a_path_is_the_definitions_or_the_machines_own(there: World) -> None:
    async def work(handle: Handle) -> None:
        assert comport._path(handle, comport._com(handle, 1)) == Path(handle.runtime) / "com1.sock"

    at(there, work)
