# SPDX-License-Identifier: GPL-2.0-or-later
"""The generation contract of network adapters: one more, or another one in the place of one."""

from __future__ import annotations

import re
from dataclasses import replace

from kiban.errors import BadInput, Conflict, NotFound, NotInGeneration
from kiban.model.fresh import Fresh
from kiban.model.generations import AdapterKind, AdapterModel, Generation, generation
from kiban.model.machine import Forward, Machine, NetBoot, Nic, next_id
from kiban.model.requests import NetBootRequest, NicChanges, NicRequest

MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not listened on


def find(machine: Machine, nic_id: str) -> Nic:
    """An adapter by its id; NotFound with those that there are."""
    for nic in machine.nics:
        if nic.id == nic_id:
            return nic
    known = ", ".join(nic.id for nic in machine.nics) or "none"
    raise NotFound(f"{machine.name} has no network adapter {nic_id}.", f"It has: {known}.")


def add(machine: Machine, request: NicRequest, fresh: Fresh, *, wants_boot: bool = False) -> Machine:
    """`machine` with one more network adapter. `wants_boot`: the boot order names adapters."""
    gen = generation(machine.generation)
    boots = wants_boot or request.boot is not None
    kind = request.kind or (gen.pxe_adapter if boots else "synthetic")
    return replace(machine, nics=(*machine.nics, _made(machine, replace(request, kind=kind), kind, fresh)))


def change(machine: Machine, nic_id: str, changes: NicChanges, fresh: Fresh) -> Machine:
    """`machine` with an adapter changed. It keeps its id, and its slot unless it becomes one of the other kind."""
    old = find(machine, nic_id)
    kind = changes.kind or old.kind
    served = None
    if old.boot:
        served = NetBootRequest(folder=old.boot.folder, file=old.boot.file, protocol=old.boot.protocol)
    boot = served if changes.boot is None else None if changes.boot == "none" else changes.boot
    wanted = NicRequest(
        network=changes.network or old.network,
        kind=kind,
        model=changes.model or (old.model if kind == old.kind else None),
        mac={None: old.mac, "new": None}.get(changes.mac, changes.mac),
        forwards=old.forwards if changes.forwards is None else changes.forwards,
        boot=boot,
    )
    others = replace(machine, nics=tuple(nic for nic in machine.nics if nic is not old))
    made = replace(_made(others, wanted, kind, fresh), id=old.id)
    made = replace(made, slot=old.slot) if kind == old.kind else made
    made = replace(made, boot=old.boot) if boot == served else made  # with the port and the secret it has
    return replace(machine, nics=tuple(made if nic is old else nic for nic in machine.nics))


def _made(machine: Machine, request: NicRequest, kind: AdapterKind, fresh: Fresh) -> Nic:
    """The adapter that is asked for, beside those of the machine."""
    gen = generation(machine.generation)
    if kind == "legacy" and not gen.legacy_adapters:
        raise NotInGeneration(
            "A generation 2 machine has no legacy network adapter: it boots from the network with its synthetic one.",
            "Leave out kind=legacy.",
        )
    model = _model(gen, kind, request.model)
    if request.boot:
        _check_boots(gen, kind, model)
    _check_forwards(machine, request.forwards)
    limit = gen.legacy_adapters if kind == "legacy" else gen.synthetic_adapters
    taken = {n.slot for n in machine.nics if n.kind == kind}
    if len(taken) >= limit:
        first = next(n.id for n in machine.nics if n.kind == kind)
        raise Conflict(
            f"{machine.name} has {limit} {kind} adapters already, the most there can be.",
            f"Remove one first: kiban set {machine.name} --remove-device {first}",
        )
    return Nic(
        id=next_id("nic", [n.id for n in machine.nics]),
        kind=kind,
        model=model,
        slot=min(set(range(limit)) - taken),
        mac=_mac(machine, request.mac, fresh),
        network=request.network,
        forwards=request.forwards,
        boot=_net_boot(gen, request.boot, fresh),
    )


def _check_boots(gen: Generation, kind: AdapterKind, model: AdapterModel) -> None:
    if kind != gen.pxe_adapter:
        raise NotInGeneration(
            f"A generation {gen.number} machine boots from the network only with a {gen.pxe_adapter} adapter.",
            f"Say kind={gen.pxe_adapter}.",
        )
    if model != gen.pxe_model:
        raise NotInGeneration(
            f"The firmware has no driver for {model}: a generation {gen.number} machine boots from the network only "
            f"with {gen.pxe_model}.",
            f"Leave out model={model}.",
        )


def same_port(one: Forward, other: Forward) -> bool:
    """Whether two forwards want one port of the host; without an address it is on all of them."""
    addresses = {one.host_address, other.host_address}
    meet = len(addresses) == 1 or bool(addresses & EVERYWHERE)
    return meet and (one.protocol, one.host_port) == (other.protocol, other.host_port)


def _check_forwards(machine: Machine, wanted: tuple[Forward, ...]) -> None:
    known = [forward for nic in machine.nics for forward in nic.forwards]
    for number, forward in enumerate(wanted):
        if any(same_port(forward, other) for other in [*known, *wanted[:number]]):
            raise BadInput(
                f"{machine.name} forwards {forward.protocol} port {forward.host_port} of the host twice.",
                "Leave one of them out, or choose another port of the host.",
            )


def _model(gen: Generation, kind: AdapterKind, wanted: AdapterModel | None) -> AdapterModel:
    models: tuple[AdapterModel, ...] = ("tulip",) if kind == "legacy" else gen.synthetic_models
    if wanted is not None and wanted not in models:
        raise NotInGeneration(
            f"A {kind} adapter of a generation {gen.number} machine is {' or '.join(models)}, not {wanted}.",
            f"Leave out model={wanted}.",
        )
    return wanted or models[0]


def _mac(machine: Machine, wanted: str | None, fresh: Fresh) -> str:
    mac = (wanted or fresh.mac()).lower().replace("-", ":")
    if not MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
        raise BadInput(f"{wanted} is not a network adapter's address.", "Say mac=52:54:00:12:34:56, for example.")
    if any(nic.mac == mac for nic in machine.nics):
        raise Conflict(f"{machine.name} has an adapter with the address {mac} already.", "Leave out mac=.")
    return mac


def _net_boot(gen: Generation, request: NetBootRequest | None, fresh: Fresh) -> NetBoot | None:
    if request is None:
        return None
    if request.protocol == "http" and not gen.http_boot:
        raise NotInGeneration(
            "A generation 1 machine cannot boot over HTTP.", "Use --generation 2, or leave out protocol=http."
        )
    secret = fresh.secret() if request.protocol == "http" else ""
    return NetBoot(folder=request.folder, file=request.file, protocol=request.protocol, port=0, secret=secret)
