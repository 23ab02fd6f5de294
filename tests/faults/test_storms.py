# SPDX-License-Identifier: GPL-2.0-or-later
"""Many callers at once, who do not agree on what they want."""

import random
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from faults_ground import KIBAN, Ground, Said, attempt, eventually
from faults_invariants import check, usable

from kiban.client import Client
from kiban.client.records import Job
from kiban.model.requests import DiskRequest, NicRequest

MIB = 1 << 20
SEED = 1995


def small(client: Client, name: str) -> None:
    client.create(name, generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))


def together(*commands: subprocess.Popen[str]) -> list[Said]:
    """Wait for commands that run at the same time."""
    ends = [(command, *command.communicate(timeout=120)) for command in commands]
    return [Said(command.returncode, out, err) for command, out, err in ends]


def test_two_commands_on_an_empty_host_start_one_service(ground: Ground) -> None:
    said = together(*(ground.begin("ls") for _ in range(4)))
    assert [s.code for s in said] == [0, 0, 0, 0], said
    services = [words for words in ground.processes().values() if "kiban.api" in words]
    assert len(services) == 1
    check(ground)


def test_a_second_service_is_refused_and_changes_nothing(ground: Ground) -> None:
    first = ground.serve()
    small(ground.client(), "m")
    ground.client().start("m")
    before = ground.tree()
    said = ground.kiban("serve")
    assert said.code == 4
    assert f"pid {first.pid}" in said.err
    assert len(said.err.strip().splitlines()) == 2, said.err
    assert ground.tree() == before
    assert check(ground)["m"].state == "running"


def test_two_starts_at_once_give_one_qemu_and_one_clear_error(ground: Ground) -> None:
    ground.serve()
    small(ground.client(), "m")
    said = together(ground.begin("start", "m"), ground.begin("start", "m"))
    assert sorted(s.code for s in said) == [0, 4], said
    [refused] = [s for s in said if s.code == 4]
    assert refused.err.startswith("Cannot start m: it is "), refused.err
    assert "hint: " in refused.err
    check(ground)
    usable(ground, "m")


def test_start_and_remove_at_once(ground: Ground) -> None:
    """One of them wins; the other is told in words, never by an accident inside."""
    ground.serve()
    client = ground.client()
    with ThreadPoolExecutor(2) as pool:
        for number in range(8):
            small(client, name := f"m{number}")
            first: list[Callable[..., object]] = [client.start, client.remove]
            if number % 2:
                first.reverse()
            refusals = [f.result() for f in [pool.submit(attempt, action, name) for action in first]]
            there = name in check(ground)
            assert refusals.count(None) == 1, refusals
            if there:
                usable(ground, name)


def test_create_of_one_name_at_once(ground: Ground) -> None:
    ground.serve()
    client = ground.client()
    with ThreadPoolExecutor(4) as pool:
        refusals = list(pool.map(lambda _: attempt(small, client, "m"), range(4)))
    assert refusals.count(None) == 1, refusals
    assert {r.reason for r in refusals if r} == {"name-taken"}
    check(ground)


def test_a_storm(ground: Ground) -> None:
    """Six callers, three machines, anything in any order; nothing inside Kiban is surprised."""
    ground.serve()
    client = ground.client()
    for name in ("a", "b", "c"):
        small(client, name)
    with ThreadPoolExecutor(6) as pool:
        ends = [pool.submit(_caller, ground, seed) for seed in range(SEED, SEED + 6)]
    assert "Traceback" not in ground.log(), ground.log()
    assert [end.result() for end in ends] == [None] * len(ends)
    for name, machine in check(ground).items():
        if machine.state == "paused":
            client.resume(name)
        usable(ground, name)


def _caller(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # it shall be the same each time
    client = ground.client()
    actions: list[Callable[[str], object]] = [
        client.start,
        client.start,
        client.save,
        lambda name: client.stop(name, force=True),
        lambda name: client.stop(name, timeout=0.1),
        lambda name: client.restart(name, timeout=0.1),
        client.pause,
        client.resume,
        client.reset,
        client.discard,
        client.screenshot,
        lambda name: client.edit(name, notes=str(chance.random())),
        lambda name: client.rename(name, chance.choice("abc")),
        lambda name: client.add_disk(name, DiskRequest(size=MIB, bus="scsi")),
        lambda name: client.add_nic(name, NicRequest()),
        lambda name: client.change_nic(name, "nic0", network=chance.choice(("nat", "none"))),
        lambda name: client.remove_device(name, "disk1"),
        client.remove,
        lambda name: small(client, name),
        lambda name: client.machines(),
    ]
    for _ in range(40):
        attempt(chance.choice(actions), chance.choice("abc"))


def starts(client: Client) -> list[Job]:
    return [job for job in client.jobs() if job.command == "life.start"]


def test_clients_that_go_away_hold_nothing_up(ground: Ground) -> None:
    """Commands that are killed while they wait: the work goes on or ends, and the next caller is served."""
    ground.serve()
    small(ground.client(), "m")
    client = ground.client()
    for number in range(1, 5):
        caller = subprocess.Popen([*KIBAN, "start", "m"], env=ground.environment, stderr=subprocess.DEVNULL)
        eventually("it has been asked for", lambda: len(starts(client)) == number)  # noqa: B023  # it is called at once
        caller.kill()
        caller.wait()
        attempt(client.stop, "m", force=True)
        eventually("it is over", lambda: starts(client)[-1].ended)
        attempt(client.stop, "m", force=True)
    check(ground)
    usable(ground, "m")
