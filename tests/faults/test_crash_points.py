# SPDX-License-Identifier: GPL-2.0-or-later
"""The service is killed at every single thing it does in an operation, and the next one finds a machine that is whole.

One ground serves all points of an operation: the service that recovers from one death is the one that dies next.
"""

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults_dying import Dying
from faults_ground import Ground, Qmp, eventually
from faults_invariants import check, usable
from free_ports import free_port

from kiban.client import Client
from kiban.model.machine import Forward
from kiban.model.requests import DiskRequest, NicRequest

MIB = 1 << 20
BLOCK = 4096
MOST = 200  # things in one operation; more means that it never ends


def small(client: Client) -> None:
    """A generation 1 machine with a disk in the format that saving has to set aside."""
    client.create("m", generation=1, memory=16 * MIB, disks=(DiskRequest(size=8 * MIB, format="vhdx"),))


@dataclass(frozen=True)
class Operation:
    """`ready` brings about the state in which `act` can be done, from whatever state a death has left."""

    ready: Callable[[Client], None]
    act: Callable[[Client], object]


def _none(client: Client) -> None:
    for machine in client.machines():
        if machine.state not in ("off", "saved"):
            client.stop(machine.name, force=True)
        client.remove(machine.name)


def _off(client: Client) -> None:
    if not client.machines():
        small(client)
    machine = client.machines()[0]
    if machine.name != "m":
        client.rename(machine.name, "m")
    if machine.state == "saved":
        client.discard("m")
    elif machine.state != "off":
        client.stop("m", force=True)


def _running(client: Client) -> None:
    machines = client.machines()
    if machines and machines[0].state == "running":
        return
    if machines and machines[0].state == "paused":
        client.resume("m")
        return
    _off(client)
    client.start("m")


def _room_for_adapters(client: Client) -> None:
    """Running, with few adapters, of which each death may leave one; no guest is there to give one back meanwhile."""
    if client.machines() and len(client.machine("m").nics) > 4:
        _off(client)
        for nic in client.machine("m").nics[1:]:
            client.remove_device("m", nic.id)
    _running(client)


def _saved(client: Client) -> None:
    if not client.machines() or client.machines()[0].state != "saved":
        _running(client)
        client.save("m")


def _one_disk(client: Client) -> None:
    for disk in client.machine("m").disks[1:]:
        client.remove_device("m", disk.id)


def _disk(client: Client) -> object:
    return client.add_disk("m", DiskRequest(size=8 * MIB, format="vhdx", bus="scsi"))


def _plain_running(client: Client) -> None:
    _running(client)
    _one_disk(client)


def _plain_off(client: Client) -> None:
    _off(client)
    _one_disk(client)


def _two_disks(client: Client) -> None:
    _running(client)
    if len(client.machine("m").disks) == 1:
        _disk(client)


def _generation_2(client: Client) -> object:
    return client.create("m", generation=2, memory=128 * MIB, disks=(DiskRequest(size=8 * MIB),))


def _with_tpm(client: Client) -> None:
    if not client.machines():
        client.create("m", generation=2, memory=128 * MIB, tpm=True)
    _off(client)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


OLD, NEW = (
    Forward(protocol="tcp", host_address="127.0.0.1", host_port=port, guest_port=22)
    for port in (free_port(), free_port())
)


def _wired(client: Client) -> None:
    """Running, with one port of the host led into it; whatever a death has left, QEMU has what the definition says."""
    _running(client)
    nic = client.machine("m").nics[0]
    said = {forward.host_port for forward in nic.forwards if nic.network == "nat"}
    eventually(
        "QEMU listens where it should", lambda: said == {f.host_port for f in (OLD, NEW) if _listens(f.host_port)}
    )
    client.change_nic("m", "nic0", network="nat", forwards=(OLD,))
    assert (_listens(OLD.host_port), _listens(NEW.host_port)) == (True, False)


def _unplugged(client: Client) -> None:
    _wired(client)
    client.change_nic("m", "nic0", network="none")
    assert not _listens(OLD.host_port)


LINUX, WINDOWS = ("microsoft-uefi-ca", True), ("microsoft-windows", False)


def _linux_keys(client: Client) -> None:
    """Off, with its first keys and Secure Boot on; a death may have left the old pair or the new one, no mixture.

    New keys may stand with the old number of processors, since NVRAM is written first; never the other way round.
    """
    if not client.machines():
        client.create("m", generation=2, memory=128 * MIB, cpus=1)
    _off(client)
    found, listed, keys = client.machine("m"), client.machines()[0], client.secure_boot("m")
    pair = found.template, found.secure_boot
    assert (pair, found.cpus) in ((LINUX, 1), (WINDOWS, 1), (WINDOWS, 2))
    assert pair == (listed.template, listed.secure_boot) == (keys.template, keys.secure_boot)
    if pair == WINDOWS:
        client.edit("m", template=LINUX[0], secure_boot=LINUX[1], cpus=1)
    elif keys.dbx.own:
        client.reset_keys("m")


def _revoked(client: Client) -> None:
    """With one hash revoked, which can be taken back."""
    _linux_keys(client)
    client.revoke("m", sha256=["ab" * 32])
    assert client.secure_boot("m").undo.startswith("revoke ")


OPERATIONS = {
    "create": Operation(_none, small),
    "create generation 2": Operation(_none, _generation_2),
    "start": Operation(_off, lambda client: client.start("m")),
    "start with a TPM": Operation(_with_tpm, lambda client: client.start("m")),
    "restore": Operation(_saved, lambda client: client.start("m")),
    "save": Operation(_running, lambda client: client.save("m")),
    "turn off": Operation(_running, lambda client: client.stop("m", force=True)),
    "remove": Operation(_off, lambda client: client.remove("m")),
    "remove saved": Operation(_saved, lambda client: client.remove("m")),
    "rename": Operation(_off, lambda client: client.rename("m", "n")),
    "edit": Operation(_off, lambda client: client.edit("m", notes="x")),
    "change Secure Boot": Operation(
        _linux_keys, lambda client: client.edit("m", template=WINDOWS[0], secure_boot=WINDOWS[1], cpus=2)
    ),
    "revoke": Operation(_linux_keys, lambda client: client.revoke("m", sha256=["ab" * 32])),
    "undo": Operation(_revoked, lambda client: client.undo_keys("m")),
    "add a disk": Operation(_plain_off, _disk),
    "hot-add a disk": Operation(_plain_running, _disk),
    "hot-remove a disk": Operation(_two_disks, lambda client: client.remove_device("m", "disk1")),
    "forward another port": Operation(_wired, lambda client: client.change_nic("m", "nic0", forwards=(NEW,))),
    "unplug an adapter": Operation(_wired, lambda client: client.change_nic("m", "nic0", network="none")),
    "plug an adapter in": Operation(
        _unplugged, lambda client: client.change_nic("m", "nic0", network="nat", forwards=(OLD, NEW))
    ),
    "hot-add an adapter": Operation(_room_for_adapters, lambda client: client.add_nic("m", NicRequest())),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_crash_point(ground: Ground, name: str) -> None:
    if "TPM" in name and shutil.which("swtpm") is None:
        pytest.skip("swtpm is not installed")
    ground.paths.state.mkdir()
    operation, points, client = OPERATIONS[name], [], ground.client()
    for count in range(1, MOST):
        service = Dying(ground)
        try:
            check(ground)
            if name == "save":
                service = _write_as_guest(ground, service, count)
            operation.ready(client)
            died = service.interrupt(count, operation.act, client)
            if not died:
                break
            points.append(died)
        finally:
            service.kill()
    assert len(points) > 2, f"too few things were seen to be done: {points}"
    assert count < MOST - 1
    service = Dying(ground)
    try:
        if name == "save":
            _read_back(ground, count)
        for machine in check(ground):
            usable(ground, machine)
    finally:
        service.kill()


def _write_as_guest(ground: Ground, service: Dying, count: int) -> Dying:
    """Write to the disk of a running machine, through the node that its guest's device has."""
    if [m for m in ground.client().machines() if m.state in ("running", "paused")]:
        service.kill()  # QEMU has one caller at a time
        place = ground.paths.of_machine(next(iter(ground.paths.machines.iterdir())).name)
        with Qmp(place / "qmp.sock") as qmp:
            command = f'qemu-io -d /machine/peripheral/disk0 "write -P {count} {count * BLOCK} {BLOCK}"'
            told = qmp.ask("human-monitor-command", **{"command-line": command})
            assert not told, told  # it speaks only to complain
        (ground.folder / "written").open("a").write(f"{count}\n")
        return Dying(ground)
    return service


def _read_back(ground: Ground, count: int) -> None:
    """Every block that was written is in the image, also after all those deaths."""
    written = [int(line) for line in (ground.folder / "written").read_text().split()]
    assert len(written) > count / 3, "hardly anything was written; this proves nothing"
    client = ground.client()
    image = Path(client.machines()[0].directory) / "disk0.vhdx"
    assert client.machines()[0].state == "saved"
    lost = []
    for n in written:
        command = ["qemu-io", "-U", "-r", "-f", "vhdx", "-c", f"read -P {n} {n * BLOCK} {BLOCK}", str(image)]
        done = ground.run(command)
        assert "read" in done.stdout, done
        lost += [n] if "verification failed" in done.stdout else []
    assert not lost, f"of the blocks {written} these were lost: {lost}"
