# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C on a command that waits: it ends at once with 130, the job with it, and the machine is what it was."""

import signal
import subprocess
import time

import pytest
from faults_ground import Ground, eventually
from faults_invariants import check, usable

from kiban.model.requests import DiskRequest

MIB = 1 << 20


def interrupt(ground: Ground, *command: str, when: str, after: float = 0.0) -> str:
    """Ctrl-C once the service has a job of that command; returns what became of the job."""
    before = {job.id for job in ground.client().jobs()}
    running = ground.begin(*command)
    found = lambda: [j for j in ground.client().jobs() if j.command == when and j.id not in before]  # noqa: E731
    [job] = eventually("the job is there", found)
    time.sleep(after)
    return _finish(ground, running, job.id)


def _finish(ground: Ground, running: subprocess.Popen[str], job: str) -> str:
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert "Traceback" not in err
    state = str(ground.client().job(job, wait=60).state)
    # a command that is through already ends by itself, or by the signal once Python has packed up
    assert running.returncode == 130 or (out and state == "done"), (running.returncode, out, err)
    return state


@pytest.mark.parametrize("after", [0.0, 1.0], ids=["at once", "later"])
def test_ctrl_c_on_stop_leaves_the_machine_running(ground: Ground, after: float) -> None:
    """A guest without an operating system does not listen to the power button, so `stop` waits."""
    ground.serve()
    client = ground.client()
    client.create("m", generation=1, memory=16 * MIB, disks=(DiskRequest(size=MIB),))
    client.start("m")
    assert interrupt(ground, "stop", "m", when="life.shut_down", after=after) == "cancelled"
    assert check(ground)["m"].state == "running"
    usable(ground, "m")


@pytest.mark.parametrize("after", [0.0, 0.3, 0.7], ids=["at once", "soon", "later"])
def test_ctrl_c_on_create_leaves_nothing(ground: Ground, after: float) -> None:
    """The keys of a TPM take a second to make, so there is time to change one's mind."""
    ground.serve()
    before = ground.tree()
    state = interrupt(ground, "create", "m", "--memory", "128M", "--tpm", when="machines.create", after=after)
    machines = check(ground)
    assert (state == "cancelled") == (not machines), (state, machines)
    if not machines:
        assert ground.tree() == before
        assert ground.kiban("create", "m", "--memory", "128M").code == 0
    usable(ground, "m")


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.15])
def test_ctrl_c_on_start_leaves_no_qemu_behind(ground: Ground, after: float) -> None:
    ground.serve()
    ground.client().create("m", generation=2, memory=128 * MIB)
    state = interrupt(ground, "start", "m", when="life.start", after=after)
    assert check(ground)["m"].state == ("running" if state == "done" else "off")
    usable(ground, "m")


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1])
def test_ctrl_c_on_save_and_restore_leaves_one_of_both_states(ground: Ground, after: float) -> None:
    ground.serve()
    client = ground.client()
    client.create("m", generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))
    client.start("m")
    interrupt(ground, "save", "m", when="life.save", after=after)
    machine = check(ground)["m"]
    assert machine.state in ("running", "saved")
    if machine.state == "running":
        client.save("m")
    started = len([j for j in client.jobs() if j.command == "life.start"])
    running = ground.begin("start", "m")
    jobs = eventually("the job", lambda: [j for j in client.jobs() if j.command == "life.start"][started:])
    time.sleep(after)
    _finish(ground, running, jobs[-1].id)
    assert check(ground)["m"].state in ("running", "saved")
    usable(ground, "m")
