# SPDX-License-Identifier: GPL-2.0-or-later
"""Two services on one state directory, and one machine that is started from several places at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from rig import Guest, MakeGuest, Service, qemus, until

from kiban.errors import Conflict

STRANGER = """
import asyncio, json, sys
from kiban.engine import life
from kiban.engine.host import Host
from kiban.paths import Paths
from kiban.errors import KibanError

async def main(name):
    host = await Host.open(Paths.default())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await life.start(host, host.find(name))
        print(json.dumps("started"))
    except KibanError as error:
        print(json.dumps([error.reason, error.message]))
    await host.close()

asyncio.run(main(sys.argv[1]))
"""
"""A program that uses the engine on the service's own state directory, behind the service's back."""


def test_a_second_service_is_refused(service: Service) -> None:
    refused = service.kiban("serve", code=4)
    assert "Traceback" not in refused.stderr
    assert str(service.process.pid if service.process else None) in refused.stderr
    assert service.client.version().pid == (service.process.pid if service.process else None)


@pytest.mark.parametrize("generation", [1, 2])
def test_two_callers_start_one_qemu(make: MakeGuest, generation: int) -> None:
    guest = make("race", generation, nics=[])
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(_start, [guest] * 4))
    _one_won(outcomes)
    assert qemus(guest.view.id) == [guest.pid()]


@pytest.mark.parametrize("generation", [1, 2])
def test_a_stranger_and_the_service_start_one_qemu(service: Service, make: MakeGuest, generation: int) -> None:
    guest = make("race", generation, nics=[])
    stranger = subprocess.Popen(
        [sys.executable, "-c", STRANGER, guest.name],
        env=service.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with stranger, ThreadPoolExecutor(1) as pool:
        assert stranger.stdin is not None
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "ready\n"
        ours = pool.submit(_start, guest)
        stranger.stdin.write("go\n")
        stranger.stdin.flush()
        theirs = json.loads(stranger.stdout.readline())
    _one_won([ours.result(), "" if theirs == "started" else theirs[0]])
    if theirs != "started":
        assert theirs[1].startswith("race is running already")
    until(lambda: [guest.view.pid] == qemus(guest.view.id), "the service to see it, whoever started it")
    (pid,) = qemus(guest.view.id)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not qemus(guest.view.id) and guest.view.state == "off", "the machine to be off")


def _start(guest: Guest) -> str:
    """The code of the refusal, or nothing."""
    try:
        guest.client.start(guest.name)
    except Conflict as error:
        return error.reason
    return ""


def _one_won(outcomes: list[str]) -> None:
    assert outcomes.count("") == 1
    assert set(outcomes) - {""} <= {"is-running", "is-starting"}
