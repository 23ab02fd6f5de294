# SPDX-License-Identifier: GPL-2.0-or-later
"""What is true of a host whenever nobody is doing anything to it, whatever was done, or killed, before."""

from pathlib import Path
from typing import Any
from uuid import UUID

from faults_ground import Ground, eventually

from kiban.adapters.qemu import process
from kiban.model.states import ALIVE


def check(ground: Ground) -> dict[str, Any]:
    """Compare what the service says with the processes and files that there are; the machines by name."""
    [machines] = eventually("the service has taken on the QEMUs that it found", lambda: _taken_on(ground))
    names = [m.name for m in machines]
    assert len(set(names)) == len(names), f"a machine is listed twice: {names}"
    there = sorted(entry.name for entry in ground.paths.machines.iterdir())
    assert sorted(m.id for m in machines) == there, "machines that are listed, and directories, differ"
    for machine in machines:
        _machine(ground, machine)
    _nobody_else(ground, machines)
    assert "Traceback" not in ground.log(), ground.log()
    return {m.name: m for m in machines}


def _taken_on(ground: Ground) -> list[list[Any]]:
    """The machines, unless a QEMU has not answered yet; the service waits for it for two seconds before it is up."""
    machines = ground.client().machines()
    return [] if any(m.state in ALIVE and not m.accelerator for m in machines) else [machines]


def usable(ground: Ground, name: str) -> None:
    """The machine can be started from where it is, stopped and removed."""
    client = ground.client()
    if client.machine(name).state in ("off", "saved"):
        client.start(name)
        check(ground)
    client.stop(name, force=True)
    assert check(ground)[name].state == "off"
    client.remove(name)
    assert name not in check(ground)


def _machine(ground: Ground, machine: Any) -> None:
    place, what = Path(machine.directory), f"{machine.name}, {machine.state}"
    assert str(UUID(machine.id)) == machine.id
    assert not machine.problem, machine.problem
    assert machine.state in ("off", "saved", "running", "paused"), f"{what}: nobody is doing anything"
    alive = machine.state in ALIVE
    held = process.is_locked(place / "lock")
    assert held == alive, f"{what}, but its lock is {'held' if held else 'free'}"
    assert ground.qemu(machine.id) == ([machine.pid] if alive else []), f"{what}: its QEMUs"
    assert (ground.paths.of_machine(machine.id)).exists() == alive, f"{what}: its runtime directory"
    assert (place / "memory.saved").exists() == (machine.state == "saved"), f"{what}: memory.saved"
    files = {entry.name for entry in place.iterdir()}
    known = {"vm.json", "status.json", "lock", "tpm.lock", "qemu.log", "qemu.log.1", "nvram.fd", "tpm", "memory.saved"}
    known |= {"keys.json", "keys.undo.json"}
    known |= {disk.path for disk in machine.disks}
    left = {name for name in files - known if not name.startswith("removed-")}
    assert not left, f"{what}: something half made was left: {left}"
    missing = {disk.path for disk in machine.disks if "/" not in disk.path} - files
    assert not missing, f"{what}: disks are gone: {missing}"


def _have_tpms(ground: Ground, wanted: list[str]) -> bool:
    tpms = [" ".join(words) for _, words in ground.running("swtpm")]
    return len(tpms) == len(wanted) and all(any(machine in words for words in tpms) for machine in wanted)


def _nobody_else(ground: Ground, machines: list[Any]) -> None:
    pids = {m.pid for m in machines if m.pid}
    eventually("QEMUs of machines only", lambda: {pid for pid, _ in ground.running("qemu-system-x86_64")} == pids)
    wanted = sorted(m.id for m in machines if m.tpm and m.state in ALIVE)
    eventually("TPMs run of machines that run only: each ends by itself", lambda: _have_tpms(ground, wanted))
    others = {"python3", "python", "qemu-system-x86_64", "swtpm", "sh"}
    eventually(
        "helpers of a killed service end by themselves",
        lambda: not [w for w in ground.processes().values() if w[0] and Path(w[0]).name not in others],
    )
