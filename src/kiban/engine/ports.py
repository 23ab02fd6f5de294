# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's ports that machines forward: one that cannot be had is refused at the start, and told of before."""

from __future__ import annotations

from kiban.engine import netdev
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import KibanError
from kiban.model.machine import Forward, Nic
from kiban.model.nics import same_port


def warnings(host: Host, handle: Handle, nics: tuple[Nic, ...] | None = None) -> list[str]:
    """A sentence for each port of `nics` (all by default) that another machine forwards too or that is taken now."""
    nics = handle.machine.nics if nics is None else nics
    return [said for nic in nics for forward in netdev.open_ports(nic) if (said := _trouble(host, handle, forward))]


def _trouble(host: Host, handle: Handle, forward: Forward) -> str:
    for other in host.handles.values():
        if other is handle or other.definition is None:
            continue
        if any(same_port(forward, theirs) for n in other.definition.nics for theirs in netdev.open_ports(n)):
            return (
                f"{other.name} forwards {forward.protocol} port {forward.host_port} too: "
                "only one of them can run at a time."
            )
    if handle.alive:
        return ""  # it has the port itself
    try:
        netdev.check_port(forward)
    except KibanError as error:
        return " ".join((error.message, f"{handle.name} does not start while that is so."))
    return ""
