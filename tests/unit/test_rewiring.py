# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing an adapter in its place: wholly when the machine is off, what it leads to while it runs, or not at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import World, run, world
from free_ports import free_port
from test_engine_creating import needs_ovmf

from kiban.adapters.store import directory as store
from kiban.engine import cables, creating, life, nvram, rewiring, view
from kiban.engine.handle import REWIRING, Handle
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, Failed, KibanError, NotFound, NotInGeneration
from kiban.model import nics
from kiban.model.machine import Forward, Machine
from kiban.model.requests import MachineRequest, NetBootRequest, NicChanges, NicRequest

MIB = machines.MIB
BUILT = ["net-nic0", "net-nic0-user", "net-nic0-user-port"]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def to(port: int, guest: int = 22, **fields: Any) -> Forward:
    plain: dict[str, Any] = {"protocol": "tcp", "host_address": "127.0.0.1"}
    return Forward(host_port=port, guest_port=guest, **plain | fields)


def changed(machine: Machine, **changes: Any) -> Machine:
    return nics.change(
        machine, "nic0", NicChanges(**changes), replace(machines.fresh(), mac=lambda: "52:54:00:00:00:99")
    )


async def running(there: World, *adapters: NicRequest) -> tuple[Host, Handle]:
    host = await Host.open(there.paths)
    handle = await creating.create(
        host, MachineRequest(name="web", generation=1, memory=64 * MIB, nics=adapters or (NicRequest(),))
    )
    await life.start(host, handle)
    return host, handle


async def net(handle: Handle) -> dict[str, Any]:
    """What the QEMU of a machine has."""
    return dict(await handle.live.run("x-net"))


# the contract


def test_it_keeps_its_id_its_slot_and_what_is_not_named() -> None:
    machine = machines.make(2, nics=(NicRequest(), NicRequest(forwards=(to(2222),)), NicRequest()))
    after = nics.change(machine, "nic1", NicChanges(model="e1000e"), machines.fresh())
    assert after == replace(machine, nics=(machine.nics[0], replace(machine.nics[1], model="e1000e"), machine.nics[2]))
    assert changed(machine) == machine
    assert changed(machine, mac=machine.nics[0].mac) == machine
    assert changed(machine, mac="new").nics[0].mac == "52:54:00:00:00:99"
    assert changed(machine, network="none", forwards=(to(80),)).nics[0].forwards == (to(80),)


def test_on_generation_1_it_becomes_a_legacy_adapter_and_back() -> None:
    machine = machines.make(1, nics=(NicRequest(), NicRequest(kind="legacy")))
    legacy = changed(machine, kind="legacy")
    assert [(n.id, n.kind, n.model, n.slot, n.mac) for n in legacy.nics] == [
        ("nic0", "legacy", "tulip", 1, machine.nics[0].mac),
        ("nic1", "legacy", "tulip", 0, machine.nics[1].mac),
    ]
    assert changed(legacy, kind="synthetic") == machine
    served = changed(legacy, boot=NetBootRequest(folder="/srv", file="a"))
    with pytest.raises(NotInGeneration, match="boots from the network only with a legacy adapter"):
        changed(served, kind="synthetic")
    assert changed(served, kind="synthetic", boot="none") == machine


def test_what_the_contract_does_not_have_is_refused() -> None:
    machine = machines.make(2, nics=(NicRequest(forwards=(to(2222),)), NicRequest()))
    with pytest.raises(NotInGeneration, match="no legacy network adapter"):
        changed(machine, kind="legacy")
    with pytest.raises(NotFound, match="no network adapter nic7"):
        nics.change(machine, "nic7", NicChanges(), machines.fresh())
    with pytest.raises(Conflict, match="has an adapter with the address"):
        changed(machine, mac=machine.nics[1].mac)
    with pytest.raises(BadInput, match="is not a network adapter's address"):
        changed(machine, mac="01:00:00:00:00:01")
    with pytest.raises(BadInput, match="forwards tcp port 2222 of the host twice"):
        nics.change(machine, "nic1", NicChanges(forwards=(to(2222, 80),)), machines.fresh())
    assert changed(machine, forwards=(to(2222, 80),)).nics[0].forwards == (to(2222, 80),)  # its own may be another


def test_a_boot_folder_keeps_its_port_and_secret_until_it_is_another() -> None:
    folder = NetBootRequest(folder="/srv", file="a.iso", protocol="http")
    machine = creating.with_ports(machines.make(2, nics=(NicRequest(boot=folder),)))
    assert machine.nics[0].boot is not None
    assert machine.nics[0].boot.port
    assert changed(machine, boot=folder) == changed(machine, mac=machine.nics[0].mac) == machine
    other = changed(machine, boot=replace(folder, file="b.iso")).nics[0].boot
    assert other is not None
    assert (other.file, other.port) == ("b.iso", 0)
    assert changed(machine, boot="none").nics[0].boot is None


# off


@needs_ovmf
def test_off_its_place_in_the_boot_order_stays_with_another_address(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        request = MachineRequest(name="web", memory=128 * MIB, nics=(NicRequest(), NicRequest()), boot=("nic1", "nic0"))
        handle = await creating.create(host, request)
        await rewiring.change(host, handle, "nic1", NicChanges(mac="52:54:00:00:00:07"))
        assert store.load(handle.directory) == handle.machine
        assert handle.machine.nics[1].mac == "52:54:00:00:00:07"
        assert view.of(handle).boot_order == ("nic1", "nic0")
        assert [e.device for e in nvram.entries(handle.directory, handle.machine)].count(None) == 0  # no stale ones
        await rewiring.change(host, handle, "nic1", NicChanges(model="e1000e"))  # which the firmware cannot drive
        assert view.of(handle).boot_order == ("nic0",)
        await rewiring.change(host, handle, "nic1", NicChanges(model="virtio"))
        assert view.of(handle).boot_order == ("nic0", "nic1")
        gone = NetBootRequest(folder="/nowhere", file="a.efi")
        with pytest.raises(NotFound, match="nowhere"):
            await rewiring.change(host, handle, "nic1", NicChanges(boot=gone))
        await life.start(host, handle)

    run(go())


def test_what_another_machine_has_too_is_told_of(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        one = await creating.create(host, MachineRequest(name="one", generation=1, memory=64 * MIB))
        two = await creating.create(host, MachineRequest(name="two", generation=1, memory=64 * MIB))
        mac, port = one.machine.nics[0].mac, free_port()
        await rewiring.change(host, one, "nic0", NicChanges(forwards=(to(port),)))
        await rewiring.change(host, two, "nic0", NicChanges(forwards=(to(port),), mac=mac))
        assert any(f"one has an adapter with the address {mac} too" in said for said in two.warnings)
        assert any(f"one forwards tcp port {port} too" in said for said in two.warnings)
        await rewiring.change(host, two, "nic0", NicChanges(network="none"))  # which opens no ports
        assert [said for said in two.warnings if "forwards" in said] == []
        await rewiring.change(host, two, "nic0", NicChanges(mac="new"))
        assert two.warnings == []

    run(go())


# while it runs


def test_forwards_come_and_go_while_it_runs(there: World) -> None:
    async def go() -> None:
        first, second = free_port(), free_port()
        host, handle = await running(there, NicRequest(forwards=(to(first),)))
        assert await net(handle) == {
            "netdevs": BUILT,
            "on a hub": ["net-nic0-user"],
            "down": [],
            "forwards": [f"net-nic0-user tcp:127.0.0.1:{first}"],
        }
        both = (to(first), to(second, 80))
        await rewiring.change(host, handle, "nic0", NicChanges(forwards=both))
        assert len((await net(handle))["forwards"]) == 2
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", first)):
            pass  # the stand-in listens for those that came while it runs alone
        with socket.create_connection(("127.0.0.1", second)):
            pass
        await rewiring.change(
            host, handle, "nic0", NicChanges(forwards=(to(second, 8080),))
        )  # to another of the guest's
        assert (await net(handle))["forwards"] == [f"net-nic0-user tcp:127.0.0.1:{second}"]
        assert store.load(handle.directory) == handle.machine
        await rewiring.change(host, handle, "nic0", NicChanges(forwards=()))
        assert (await net(handle))["forwards"] == []
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", second)):
            pass
        assert not (handle.directory / REWIRING).exists()

    run(go())


def test_the_cable_is_unplugged_and_plugged_in_while_it_runs(there: World) -> None:
    async def go() -> None:
        port = free_port()
        host, handle = await running(there, NicRequest(forwards=(to(port),)), NicRequest(network="none"))
        assert (await net(handle))["down"] == ["nic1"]
        await rewiring.change(host, handle, "nic0", NicChanges(network="none"))
        said = await net(handle)
        assert (said["netdevs"], said["forwards"], said["down"]) == (["net-nic0", "net-nic1"], [], ["nic0", "nic1"])
        assert handle.machine.nics[0].forwards == (to(port),)  # they come back with the network
        await rewiring.change(host, handle, "nic1", NicChanges(network="nat"))
        await rewiring.change(host, handle, "nic0", NicChanges(network="nat"))
        said = await net(handle)
        assert said["on a hub"] == ["net-nic0-user", "net-nic1-user"]
        assert (said["forwards"], said["down"]) == ([f"net-nic0-user tcp:127.0.0.1:{port}"], [])

    run(go())


@pytest.mark.parametrize("changes", [
    NicChanges(mac="new"),
    NicChanges(kind="legacy"),
    NicChanges(kind="legacy", boot=NetBootRequest(folder="/srv", file="a")),
])  # fmt: skip
def test_what_the_guest_has_found_is_refused_while_it_runs(there: World, changes: NicChanges) -> None:
    async def go() -> None:
        host, handle = await running(there)
        before = handle.machine
        with pytest.raises(Conflict, match=r"of nic0 can(not)? be changed while web is running: firmware") as caught:
            await rewiring.change(host, handle, "nic0", replace(changes, network="none"))
        assert "kiban stop web" in caught.value.hint
        assert store.load(handle.directory) == handle.machine == before
        assert (await net(handle))["netdevs"] == BUILT
        await rewiring.change(host, handle, "nic0", NicChanges(mac=before.nics[0].mac, kind="synthetic"))  # as it is

    run(go())


def test_a_port_that_is_taken_changes_nothing(there: World) -> None:
    async def go() -> None:
        kept, port = free_port(), free_port()
        host, handle = await running(there, NicRequest(forwards=(to(kept),)))
        before = handle.machine
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            with pytest.raises(Conflict, match=f"The tcp port {port} on 127.0.0.1 is taken") as caught:
                await rewiring.change(host, handle, "nic0", NicChanges(forwards=(to(free_port()), to(port))))
            assert "ss -tulpn" in caught.value.hint
        assert store.load(handle.directory) == handle.machine == before
        assert (await net(handle))["forwards"] == [f"net-nic0-user tcp:127.0.0.1:{kept}"]

    run(go())


@pytest.mark.parametrize(("mode", "network", "changes"), [
    ("no-forward", "nat", {"forwards": "other"}),
    ("no-forward", "none", {"network": "nat", "forwards": "other"}),
    ("no-net", "none", {"network": "nat"}),
])  # fmt: skip
def test_what_qemu_refuses_is_left_as_it_was(
    there: World, monkeypatch: pytest.MonkeyPatch, mode: str, network: Any, changes: dict[str, Any]
) -> None:
    monkeypatch.setenv("FAKE_QEMU", mode)

    async def go() -> None:
        host, handle = await running(there, NicRequest(network=network))
        before, had = handle.machine, await net(handle)
        wanted = {**changes, "forwards": (to(free_port()),)} if "forwards" in changes else changes
        with pytest.raises(Failed, match="QEMU refused"):
            await rewiring.change(host, handle, "nic0", NicChanges(**wanted))
        assert store.load(handle.directory) == handle.machine == before
        assert await net(handle) == had
        assert not (handle.directory / REWIRING).exists()

    run(go())


def test_a_definition_that_cannot_be_written_is_left_as_it_was(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        host, handle = await running(there, NicRequest(network="nat"))
        before, had = handle.machine, await net(handle)

        def full(*_: object) -> None:
            raise KibanError("The disk is full.")

        with monkeypatch.context() as patch:
            patch.setattr(store, "save", full)
            with pytest.raises(KibanError, match="disk is full"):
                await rewiring.change(host, handle, "nic0", NicChanges(network="none"))
        assert store.load(handle.directory) == handle.machine == before
        # the forwards and the link are what they were; the network was made anew
        assert await net(handle) == had

    run(go())


def test_a_killed_services_change_is_brought_to_its_end_by_the_next(there: World) -> None:
    async def go() -> None:
        host, handle = await running(there)
        port = free_port()
        nic = replace(handle.machine.nics[0], forwards=(to(port),))
        # as a service leaves it that was killed after the definition was written
        (handle.directory / REWIRING).touch()
        handle.save(replace(handle.machine, nics=(nic,)))
        await handle.live.run("netdev_del", {"id": "net-nic0-user-port"})
        await handle.live.run("netdev_del", {"id": "net-nic0-user"})
        await cables.settle(handle)
        said = await net(handle)
        assert (said["netdevs"], said["forwards"]) == (BUILT, [f"net-nic0-user tcp:127.0.0.1:{port}"])
        assert not (handle.directory / REWIRING).exists()
        await rewiring.change(host, handle, "nic0", NicChanges(forwards=()))

    run(go())


def test_a_mark_of_a_machine_that_ended_meanwhile_goes(there: World) -> None:
    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await creating.create(host, MachineRequest(name="web", generation=1, memory=64 * MIB))
        (handle.directory / REWIRING).touch()
        await Host.open(there.paths)
        assert not (handle.directory / REWIRING).exists()

    run(go())


def test_a_qemu_of_an_older_kiban_is_told_from_others(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        host, handle = await running(there)

        async def older(command: str) -> str:
            assert command == "info network"
            return "nic0: index=0,type=nic\r\n \\ net-nic0: index=0,type=user"

        monkeypatch.setattr(handle.live, "human", older)
        with pytest.raises(Conflict, match="an older Kiban has started it"):
            await rewiring.change(host, handle, "nic0", NicChanges(network="none"))
        assert store.load(handle.directory) == handle.machine

    run(go())


def test_a_boot_folder_that_is_gone_keeps_nobody_from_unplugging(there: World, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")

    async def go() -> None:
        folder = NetBootRequest(folder=str(tmp_path), file="a")
        host, handle = await running(there, NicRequest(kind="legacy", boot=folder))
        (tmp_path / "a").unlink()
        await rewiring.change(host, handle, "nic0", NicChanges(network="none"))
        assert (await net(handle))["netdevs"] == ["net-nic0"]
        with pytest.raises(NotFound):
            await rewiring.change(host, handle, "nic0", NicChanges(network="nat"))
        assert handle.machine.nics[0].network == "none"
        assert (await net(handle))["netdevs"] == ["net-nic0"]

    run(go())
