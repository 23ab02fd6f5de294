# SPDX-License-Identifier: GPL-2.0-or-later
"""The network adapters of a foreign machine: their kinds and their addresses are kept."""

from __future__ import annotations

from kiban.model.foreign import ForeignMachine, ForeignNic
from kiban.model.generations import AdapterKind, AdapterModel, Generation
from kiban.model.nics import MAC
from kiban.model.requests import NicRequest
from kiban.model.takeover import Notebook


def plan_nics(
    machine: ForeignMachine, gen: Generation, windows: bool | None, book: Notebook
) -> tuple[NicRequest, ...] | None:
    """The adapters to ask for; None, which means the one that a new machine has, for a source that knows of none."""
    if machine.origin == "disk":
        book.row("nic0", "not said", "nat, with a new address")
        return None
    made: list[NicRequest] = []
    for nic in machine.nics:
        kind: AdapterKind = "legacy" if nic.kind == "legacy" and gen.legacy_adapters else "synthetic"
        most = gen.legacy_adapters if kind == "legacy" else gen.synthetic_adapters
        if sum(other.kind == kind for other in made) == most:
            book.left.append(f"The adapter {_shown(nic.name)} ({nic.mac}): a machine has {most} {kind} ones at most.")
            continue
        taken = {other.mac for other in made}
        mac = _address(nic, taken, book)
        model = _model(kind, gen, windows)
        made.append(NicRequest(network="nat" if nic.connected else "none", kind=kind, model=model, mac=mac))
        where = f"switch {_shown(nic.switch)}" if nic.switch else "no switch" if nic.connected else "not connected"
        book.row(
            f"nic{len(made) - 1}",
            f"{f'{nic.kind} {_shown(nic.model)}'.strip()}, {nic.mac or 'no address'}, {where}",
            f"{kind} {model}, {mac or 'a new address'}, {made[-1].network}",
        )
    return tuple(made)


def _model(kind: AdapterKind, gen: Generation, windows: bool | None) -> AdapterModel:
    """What the guest has a driver for: no Windows has virtio's, and on generation 2 there is one that it knows."""
    if kind == "legacy":
        return "tulip"
    return "e1000e" if windows and "e1000e" in gen.synthetic_models else gen.synthetic_models[0]


def _address(nic: ForeignNic, taken: set[str | None], book: Notebook) -> str | None:
    """Its own, unless that is none for an adapter or another one has it."""
    if MAC.fullmatch(nic.mac) and not int(nic.mac[:2], 16) & 1 and nic.mac not in taken:
        return nic.mac
    if nic.mac:
        book.left.append(f"The address {_shown(nic.mac)} of the adapter {_shown(nic.name)}: it gets a new one.")
    return None


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:80]
