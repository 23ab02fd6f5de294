# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is killed from outside, by chance or on seeing something: the next look finds everything in order."""

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults_dying import Dying
from faults_ground import Ground, attempt, end, eventually
from faults_invariants import check, usable

from kiban.client import Client
from kiban.errors import NoService
from kiban.model.requests import DiskRequest

MIB = 1 << 20
SEED = 2012
ROUNDS = 25


def small(client: Client, name: str) -> None:
    client.create(name, generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))


def _life(client: Client, name: str) -> list[Callable[[], object]]:
    """A machine's whole life, in steps that make sense after each other."""
    return [
        lambda: small(client, name),
        lambda: client.start(name),
        lambda: client.save(name),
        lambda: client.start(name),
        lambda: client.add_disk(name, DiskRequest(size=MIB, bus="scsi")),
        lambda: client.stop(name, force=True),
        lambda: client.edit(name, notes="x"),
        lambda: client.remove(name),
    ]


def test_the_service_dies_by_chance(ground: Ground) -> None:
    """Two machines are kept busy while the service is killed after random times, again and again."""
    chance = random.Random(SEED)  # noqa: S311  # it shall be the same each time
    ground.paths.state.mkdir()
    for number in range(ROUNDS):
        service = Dying(ground)
        try:
            for name, machine in check(ground).items():
                if number % 5 == 4:
                    usable(ground, name)
                elif machine.state == "paused":
                    ground.client().resume(name)
            people = [threading.Thread(target=_busy, args=(ground.client(), name)) for name in ("a", "b")]
            for person in people:
                person.start()
            time.sleep(chance.uniform(0.0, 0.6))
            service.kill()
            for person in people:
                person.join()
        finally:
            service.kill()
    service = Dying(ground)
    try:
        for name in check(ground):
            usable(ground, name)
    finally:
        service.kill()


def _busy(client: Client, name: str) -> None:
    """Go through the life of a machine from wherever it is, until the service is gone."""
    while True:
        for step in _life(client, name):
            if isinstance(attempt(step), NoService):
                return


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM], ids=lambda n: n.name)
def test_a_qemu_that_is_ended_leaves_the_machine_off_with_the_reason(ground: Ground, number: signal.Signals) -> None:
    ground.serve()
    client = ground.client()
    small(client, "m")
    pid = client.start("m").pid
    assert pid is not None
    end(pid, number)
    machine = eventually("the machine is off", lambda: (m := client.machine("m")).state == "off" and m)
    check(ground)
    told = {signal.SIGKILL: "SIGKILL", signal.SIGSEGV: "SIGSEGV", signal.SIGTERM: "a signal"}[number]
    assert told in machine.reason
    shown = ground.kiban("info", "m", "-o", "json")
    assert json.loads(shown.out)["reason"] == machine.reason
    ground.kill_service()
    ground.serve()
    assert ground.client().machine("m").reason == machine.reason, "the reason does not outlive the service"
    usable(ground, "m")


def test_a_qemu_that_ends_while_no_service_runs_leaves_the_machine_off(ground: Ground) -> None:
    ground.serve()
    small(ground.client(), "m")
    pid = ground.client().start("m").pid
    assert pid is not None
    ground.kill_service()
    end(pid)
    ground.serve()
    machine = check(ground)["m"]
    assert machine.state == "off"
    assert "while the service was not running" in machine.reason
    usable(ground, "m")


def test_a_tpm_that_is_killed_takes_no_machine_with_it(ground: Ground) -> None:
    ground.serve()
    client = ground.client()
    client.create("m", generation=2, memory=128 * MIB, tpm=True)
    client.start("m")
    [(tpm, _)] = ground.running("swtpm")
    end(tpm)
    # what QEMU makes of it is its own business; but the machine is told about as it is, and can be run again
    machine = client.machine("m")
    eventually("it is as it is told", lambda: (client.machine("m").state == "running") == bool(ground.qemu(machine.id)))
    refused = attempt(client.stop, "m", force=True)
    assert refused is None or client.machine("m").state == "off", refused
    assert check(ground)["m"].state == "off"
    client.start("m")
    check(ground)
    usable(ground, "m")


def test_a_qemu_that_dies_while_it_is_saved_is_off_and_nothing_is_left_of_it(ground: Ground) -> None:
    ground.serve()
    client = ground.client()
    small(client, "m")
    for pause in (0.0, 0.01, 0.02, 0.04, 0.08):
        pid = client.start("m").pid
        assert pid is not None
        killer = threading.Timer(pause, end, [pid])
        killer.start()
        refused = attempt(client.save, "m")
        killer.join()
        eventually("the machine has ended", lambda: client.machine("m").state in ("off", "saved"))
        machine = check(ground)["m"]
        assert (refused is None) == (machine.state == "saved")
        if machine.state == "saved":
            client.discard("m")


def test_a_stopped_qemu_can_be_turned_off(ground: Ground) -> None:
    """One that does not answer, which is what a hanging one does, is ended all the same, and others go on meanwhile."""
    ground.serve()
    client = ground.client()
    for name in ("m", "other"):
        small(client, name)
    pid = client.start("m").pid
    assert pid is not None
    end_of = subprocess.run(["kill", "-STOP", str(pid)], check=True)
    assert end_of.returncode == 0
    stop = threading.Thread(target=client.stop, args=("m",), kwargs={"force": True})
    stop.start()
    client.start("other")
    client.stop("other", force=True)
    stop.join()
    assert check(ground)["m"].state == "off"


def test_a_machine_that_appears_is_whole(ground: Ground) -> None:
    """Kill the service at the moment at which the directory of a new machine is seen."""
    ground.paths.state.mkdir()
    for number in range(5):
        service = Dying(ground)
        try:
            known = set(ground.paths.machines.iterdir())
            maker = threading.Thread(target=attempt, args=(small, ground.client(), f"m{number}"))
            maker.start()
            _until_new(ground.paths.machines, known, hidden=number % 2 == 0)
            service.kill()
            maker.join()
        finally:
            service.kill()
    service = Dying(ground)
    try:
        machines = check(ground)
        for name in machines:
            usable(ground, name)
    finally:
        service.kill()


def _until_new(folder: Path, known: set[Path], *, hidden: bool) -> None:
    limit = time.monotonic() + 60
    while not [e for e in folder.iterdir() if e not in known and (hidden or not e.name.startswith("."))]:
        assert time.monotonic() < limit
