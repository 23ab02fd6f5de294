# SPDX-License-Identifier: GPL-2.0-or-later
"""MAC addresses that two machines have: kept, since a guest's settings hang on its own, and told of."""

from __future__ import annotations

from collections.abc import Iterable

from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.machine import Nic


def warnings(host: Host, handle: Handle, nics: tuple[Nic, ...] | None = None) -> list[str]:
    """A sentence for each of `nics` (all by default) whose address another machine here has too."""
    return shared(host, (nic.mac for nic in (handle.machine.nics if nics is None else nics)), handle)


def shared(host: Host, macs: Iterable[str], but: Handle | None = None) -> list[str]:
    """The same of addresses that a machine is to have; `but` is the machine itself."""
    owners: dict[str, str] = {}
    for other in host.handles.values():
        if other is not but and other.definition is not None:
            owners |= {nic.mac.lower(): other.name for nic in other.definition.nics}
    return [
        f"{owners[mac.lower()]} has an adapter with the address {mac} too: never put both on one network."
        for mac in macs
        if mac.lower() in owners
    ]
