# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines use: counters made into rates, meters that run while somebody looks, and the guest's own word."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import WAIT, World, one, run, world

from kiban.adapters.guest import interfaces
from kiban.adapters.guest.agent import Agent
from kiban.commands import usage as commands
from kiban.engine import drives, heartbeat, life, supervision, usage
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.requests import DvdRequest, NicRequest
from kiban.model.usage import GuestState, Heartbeat, Usage, rates

MAC = machines.make(2).nics[0].mac
LIST = "guest-network-get-interfaces"


def interface(received: Any = 1000, sent: Any = 500, mac: str = MAC, *addresses: str) -> dict[str, Any]:
    told = [{"ip-address": address, "ip-address-type": "ipv4", "prefix": 24} for address in addresses]
    counted = {"rx-bytes": received, "tx-bytes": sent}
    return {"name": "eth0", "hardware-address": mac, "ip-addresses": told, "statistics": counted}


# counters


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"a": (10, 0)}, {"a": (30, 4)}, (10, 2)),
        ({"a": (10, 0), "b": (5, 5)}, {"a": (20, 0), "b": (15, 9)}, (10, 2)),
        ({}, {"a": (20, 2)}, (10, 1)),  # plugged in
        ({"a": (10, 0), "b": (9, 9)}, {"a": (10, 0)}, (0, 0)),  # taken out
        ({"a": (100, 9)}, {"a": (20, 10)}, (10, 5)),  # began anew
        ({"a": (1, 2, 3)}, {"a": (20, 2)}, (10, 1)),
        ({"a": (1, 2)}, {}, None),
    ],
)
def test_rates_are_of_what_has_grown(before: Any, now: Any, expected: Any) -> None:
    assert rates(before, now, 2.0) == expected


def test_no_time_makes_no_rate() -> None:
    assert rates({"a": (1,)}, {"a": (2,)}, 0.0) is None


# what a guest says


def test_interfaces_are_those_of_the_machine() -> None:
    bridge = interface(7, 7, "02:42:00:00:00:01", "172.17.0.1")
    mine = interface(1, 2, MAC.upper(), "10.0.2.15", "fe80::1%eth0", "fec0::A")
    (found,) = interfaces.read([{"name": "lo"}, bridge, mine, interface(9, 9)], [MAC])
    assert found == interfaces.Interface(MAC, ("10.0.2.15", "fe80::1", "fec0::a"), (1, 2))


@pytest.mark.parametrize("answer", [None, 7, {}, "x", [7, None, []], [{"hardware-address": [MAC]}]])
def test_nonsense_is_no_interface(answer: object) -> None:
    assert interfaces.read(answer, [MAC]) == []


@pytest.mark.parametrize("count", [-1, 1.5, "1", None, True, 1 << 64, 10**400])
def test_a_counter_is_a_number_that_a_machine_can_count_to(count: Any) -> None:
    (found,) = interfaces.read([interface(count, 1)], [MAC])
    assert found.counted is None


def test_addresses_are_addresses_and_few() -> None:
    told = ["<script>", "10.0.2.15\x1b[2J", "1" * 100000, "10.0.2.15", *(f"10.0.0.{n}" for n in range(200))]
    (found,) = interfaces.read([interface(1, 1, MAC, *told)], [MAC])
    assert found.addresses[0] == "10.0.2.15"
    assert len(found.addresses) <= interfaces.MOST_ADDRESSES
    others: list[Any] = [None, {}, [7], [{"ip-address": 3232235777}]]
    for each in others:
        (found,) = interfaces.read([interface() | {"ip-addresses": each, "statistics": [1]}], [MAC])
        assert (found.addresses, found.counted) == ((), None)


# meters, on a QEMU that counts what a test says


class Ground:
    """A host with a machine that runs, what its drives count, and its guest's agent."""

    def __init__(self, there: World) -> None:
        self.there = there
        self.stats, self.agent = there.root / "stats", there.root / "agent"
        self.host: Host
        self.handle: Handle

    def count(self, *counters: int) -> None:
        self._write(self.stats, {"/machine/peripheral/dvd0": counters, "other": (9, 9, 9, 9)})

    def answer(self, *found: dict[str, Any], **more: Any) -> None:
        self._write(self.agent, {LIST: [*found], **more})

    def _write(self, file: Path, value: Any) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps(value))
        part.replace(file)

    async def start(self, **request: Any) -> None:
        self.count(0, 0, 0, 0)
        self.host, self.handle = await one(self.there, **{"dvds": (DvdRequest(),), "nics": (NicRequest(),)} | request)
        await life.start(self.host, self.handle)

    async def show(self) -> Usage:
        return await commands.show(self.host, "m1")

    async def guest(self) -> GuestState:
        """The guest's word, not an old one."""
        pulse = self.host.meters._of(self.handle).pulse
        pulse._due = pulse._asked = -inf
        return await commands.guest(self.host, "m1")


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with world(monkeypatch) as there:
        made = Ground(there)
        monkeypatch.setenv("FAKE_QEMU_STATS", str(made.stats))
        monkeypatch.setenv("FAKE_QEMU_AGENT", str(made.agent))
        monkeypatch.setattr(heartbeat, "SECONDS", 20.0)  # who answers is heard, however slow the host
        monkeypatch.setattr(usage, "EVERY", 0.02)
        monkeypatch.setattr(usage, "SOON", 0.02)
        yield made


async def until(look: Any, what: Any) -> Any:
    """What `look` comes to once that satisfies `what`; a test is bounded as a whole."""
    while not what(found := await look()):
        await asyncio.sleep(0.02)
    return found


def test_what_its_drives_do_is_told(ground: Ground) -> None:
    async def main() -> None:
        await ground.start()
        first = await ground.show()
        assert (first.machine, first.state, first.guest.heartbeat) == ("m1", "running", "no-contact")
        now = first.samples[-1]
        assert (now.disk_read, now.disk_writes, now.net_sent) == (0, 0, None)
        assert 0 <= now.cpu <= 100
        assert now.memory > 0
        ground.count(1 << 20, 1 << 10, 20, 10)
        found = await until(ground.show, lambda found: any(sample.disk_read for sample in found.samples))
        busy = next(sample for sample in found.samples if sample.disk_read)
        assert (busy.disk_read, busy.disk_reads) == (1024 * busy.disk_written, 2 * busy.disk_writes)
        assert [sample.time for sample in found.samples] == sorted(sample.time for sample in found.samples)
        (brief,) = await commands.running(ground.host)
        assert (brief.machine, len(brief.samples)) == ("m1", 1)
        await ground.host.close()

    run(main())


def test_another_qemu_counts_from_the_beginning(ground: Ground) -> None:
    async def main() -> None:
        await ground.start()
        ground.count(1 << 40, 0, 1 << 20, 0)
        assert (await ground.show()).samples
        assert ground.handle.process is not None
        os.kill(ground.handle.process.pid, signal.SIGKILL)
        await supervision.until_off(ground.handle)
        off = await ground.show()
        assert (off.state, off.samples, off.guest) == ("off", (), GuestState())
        assert await commands.running(ground.host) == []
        ground.count(0, 0, 0, 0)
        await life.start(ground.host, ground.handle)
        assert [sample.disk_read for sample in (await ground.show()).samples] == [0]
        await ground.host.close()

    run(main())


def test_it_may_end_while_it_is_looked_at(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two questions; whoever looks gets an answer, and no error."""
    asked = drives.counters

    async def dying(handle: Handle) -> Any:
        assert handle.process is not None
        os.kill(handle.process.pid, signal.SIGKILL)
        return await asked(handle)

    async def main() -> None:
        await ground.start()
        monkeypatch.setattr(drives, "counters", dying)
        assert (await ground.show()).samples == ()
        await supervision.until_off(ground.handle)
        assert (await ground.show()).state == "off"
        await ground.host.close()

    run(main())


def test_a_qemu_that_does_not_answer_is_measured_from_outside(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        await ground.start()
        monitor, ground.handle.monitor = ground.handle.monitor, None
        found = await ground.show()
        assert (found.samples[-1].disk_read, found.guest.heartbeat) == (None, "unknown")
        assert found.samples[-1].memory > 0
        ground.handle.monitor = monitor
        await ground.host.close()

    run(main())


def test_many_lookers_cost_no_more_than_one(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "EVERY", WAIT)
    asked, readings = drives.counters, 0

    async def counting(handle: Handle) -> Any:
        nonlocal readings
        readings += 1
        return await asked(handle)

    async def main() -> None:
        await ground.start()
        monkeypatch.setattr(drives, "counters", counting)
        found = await asyncio.gather(*(ground.show() for _ in range(50)))
        assert {len(each.samples) for each in found} == {1}
        assert readings == 2
        await ground.host.close()

    run(main())


def test_nothing_is_measured_when_nobody_looks(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "LOOKED", 0.1)

    async def main() -> None:
        await ground.start()
        assert ground.host.meters._meters == {}
        first = await ground.show()
        measuring = ground.host.meters._of(ground.handle)._measuring
        assert measuring is not None
        await measuring
        ground.count(1 << 40, 0, 1, 0)
        again = await ground.show()
        assert again.samples[: len(first.samples)] == first.samples
        assert again.samples[-1].disk_read == 0, "what it did while nobody looked is no rate"
        await ground.host.close()

    run(main())


def test_meters_do_not_pile_up(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "METERS", 2)

    def handle(number: int) -> Any:
        made = Handle(
            ground.there.put(machines.make(1, serial=number, nics=())), ground.host.events, ground.there.paths
        )
        made.process = object()  # type: ignore[assignment]  # only that there is one counts here
        return made

    async def main() -> None:
        await ground.start()
        await ground.show()
        there = [handle(number) for number in (2, 3)]
        for each in there:
            ground.host.meters._of(each)
        assert list(ground.host.meters._meters) == [each.id for each in there]
        monkeypatch.setattr(usage, "KEPT", 1e-9)
        ground.host.meters._of(there[1])
        assert list(ground.host.meters._meters) == [there[1].id]
        await ground.host.close()

    run(main())


# heartbeat


def test_a_heartbeat_comes_and_goes(ground: Ground) -> None:
    async def main() -> None:
        await ground.start()
        assert (await ground.guest()).heartbeat == "no-contact"
        ground.answer(interface(1, 1, ground.handle.machine.nics[0].mac, "10.0.2.15"))
        assert await ground.guest() == GuestState(heartbeat="ok", addresses=("10.0.2.15",))
        await life.pause(ground.handle)
        assert await ground.guest() == GuestState(heartbeat="paused", addresses=("10.0.2.15",))
        await life.resume(ground.handle)
        ground.agent.unlink()
        assert await ground.guest() == GuestState(heartbeat="lost")
        resets = ground.handle.resets
        await life.reset(ground.handle)
        await until(lambda: asyncio.sleep(0), lambda _: ground.handle.resets > resets)
        assert (await ground.guest()).heartbeat == "no-contact"
        await life.turn_off(ground.handle)
        assert await ground.guest() == GuestState()
        await ground.host.close()

    run(main())


def test_the_network_is_what_the_guest_counts(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "FRESH", 0.02)

    async def main() -> None:
        await ground.start()
        mac = ground.handle.machine.nics[0].mac
        ground.answer(interface(0, 0, mac))
        await until(ground.show, lambda found: found.samples[-1].net_received == 0)
        ground.answer(interface(1 << 20, 1 << 10, mac))
        found = await until(ground.show, lambda found: any(sample.net_received for sample in found.samples))
        busy = next(sample for sample in found.samples if sample.net_received)
        assert busy.net_received == 1024 * busy.net_sent
        ground.answer(interface(5, 5, mac))  # its driver was loaded again
        await until(ground.show, lambda found: found.samples[-1].net_received == 0)
        ground.agent.unlink()
        await until(ground.show, lambda found: found.samples[-1].net_received is None)
        await ground.host.close()

    run(main())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "ok"),  # it lives, and does not tell
        ({LIST: {"a": 1}}, "ok"),
        ({LIST: "[" * 1000}, "ok"),
        ({"noise": "x" * (2 * heartbeat.MOST)}, "lost"),
        ({"noise": "{}\n" * heartbeat.MOST}, "lost"),
        ({"noise": "[" * 60000 + "\n"}, "ok"),  # dropped, as all is that stands before the handshake's answer
    ],
)
def test_a_hostile_guest_is_heard_briefly(ground: Ground, said: dict[str, Any], expected: Heartbeat) -> None:
    async def main() -> None:
        await ground.start()
        ground._write(ground.agent, said)
        assert await ground.guest() == GuestState(heartbeat=expected)
        await ground.host.close()

    run(main())


def test_a_guest_that_does_not_answer_is_left_alone(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.2)
    conversations = 0

    @contextlib.asynccontextmanager
    async def silent(*_: Any, **__: Any) -> Any:
        nonlocal conversations
        conversations += 1
        await asyncio.sleep(WAIT)
        yield

    async def main() -> None:
        await ground.start()
        ground.answer()
        monkeypatch.setattr(Agent, "connect", silent)
        for _ in range(5):
            assert (await commands.guest(ground.host, "m1")).heartbeat == "lost"
        assert conversations == 1
        await ground.host.close()

    run(main())


def test_a_guest_that_is_paused_while_it_is_asked_is_not_lost(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def stands_still(*_: Any, **__: Any) -> Any:
        asked.set()
        await asyncio.sleep(WAIT)
        yield

    async def main() -> None:
        await ground.start()
        ground.answer(interface(1, 1, ground.handle.machine.nics[0].mac, "10.0.2.15"))
        assert (await ground.guest()).heartbeat == "ok"
        monkeypatch.setattr(heartbeat, "SECONDS", 0.2)
        with monkeypatch.context() as patch:
            patch.setattr(Agent, "connect", stands_still)
            asking = asyncio.create_task(ground.guest())
            await asked.wait()
            await life.pause(ground.handle)
            await asking
        assert await ground.guest() == GuestState(heartbeat="paused", addresses=("10.0.2.15",))
        monkeypatch.setattr(heartbeat, "SECONDS", 20.0)
        await life.resume(ground.handle)
        assert (await commands.guest(ground.host, "m1")).heartbeat == "ok"
        await ground.host.close()

    run(main())


def test_whoever_talks_to_the_agent_is_not_disturbed(ground: Ground) -> None:
    async def main() -> None:
        await ground.start()
        ground.answer(echo="mine")
        async with Agent.connect(ground.handle.runtime / "agent.sock") as agent:
            assert (await ground.guest()).heartbeat == "unknown"
            assert await agent.command("echo") == "mine"
        assert (await until(ground.guest, lambda found: found.heartbeat != "unknown")).heartbeat == "ok"
        async with Agent.connect(ground.handle.runtime / "agent.sock") as agent:
            assert (await ground.guest()).heartbeat == "ok"
            assert await agent.command("echo") == "mine"
        await ground.host.close()

    run(main())


def test_a_damaged_definition_is_no_error(ground: Ground) -> None:
    async def main() -> None:
        await ground.start()
        (ground.handle.directory / "vm.json").write_text("{")
        ground.handle.read()
        damaged = await commands.show(ground.host, ground.handle.id)
        assert (damaged.state, damaged.samples) == ("running", ())
        await ground.host.close()

    run(main())
