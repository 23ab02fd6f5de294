# SPDX-License-Identifier: GPL-2.0-or-later
"""What the adapters of a running machine lead to: the networks on their hubs, their cables, ports of the host.

QEMU gives up what goes before the definition is written, and gets what comes after that: wherever a service is killed,
QEMU has no port open that the definition does not name. A mark in the machine's directory tells the next service to
give it the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kiban.adapters.files import replace_file
from kiban.adapters.net.user import user_id
from kiban.adapters.qemu.devices import netdev_id
from kiban.engine import netdev
from kiban.engine.handle import REWIRING, Handle
from kiban.errors import Conflict, Failed, KibanError
from kiban.model import nics
from kiban.model.machine import Forward, Machine, Nic


async def pull(handle: Handle, nic: Nic) -> None:
    """Let the guest see that the cable of an adapter is unplugged, if it leads nowhere."""
    if nic.network == "none":
        await handle.live.run("set_link", {"name": nic.id, "up": False})


async def settle(handle: Handle) -> None:
    """Give the QEMU of a machine whose service was killed in a change what the definition says."""
    mark = handle.directory / REWIRING
    if mark.exists():
        for nic in handle.machine.nics:
            nowhere = replace(nic, network="none")
            await _Cables(handle, bold=True).give(handle.machine, nowhere, nic)
        mark.unlink()


async def change(handle: Handle, before: Machine, after: Machine, nic_id: str) -> None:
    """Lead an adapter to what it leads to in `after`, and make that the definition; or leave both as they were."""
    old, new = nics.find(before, nic_id), nics.find(after, nic_id)
    for forward in netdev.open_ports(new):
        if not any(nics.same_port(forward, has) for has in netdev.open_ports(old)):
            netdev.check_port(forward)
    await _check_hub(handle, new)
    mark, cables, back = handle.directory / REWIRING, _Cables(handle), _Cables(handle, bold=True)
    replace_file(mark, b"")
    try:
        await cables.take(before, old, new)
        handle.save(after)
        await cables.give(after, old, new)
    except BaseException:
        await back.take(after, new, old)
        if handle.machine is not before:
            handle.save(before)
        await back.give(before, new, old)
        mark.unlink()
        raise
    mark.unlink()


async def _check_hub(handle: Handle, nic: Nic) -> None:
    if f"{netdev_id(nic)}: {nic.id}: " not in await handle.live.human("info network"):
        raise Conflict(
            f"What {nic.id} leads to cannot be changed while {handle.name} is {handle.state}: an older Kiban has "
            "started it.",
            f"Stop the machine first: kiban stop {handle.name}",
        )


class _Cables:
    """What the adapters of a running machine lead to. `bold` goes on where QEMU refuses: it may have it so already."""

    def __init__(self, handle: Handle, *, bold: bool = False) -> None:
        self._handle = handle
        self._bold = bold

    async def take(self, machine: Machine, old: Nic, new: Nic) -> None:
        """Take from QEMU what `old`, as it is in `machine`, leads to and `new` does not."""
        if old.network != "none" and new.network == "none":
            await self._run("set_link", {"name": old.id, "up": False})
            for name in reversed(netdev.names(machine, old)):
                await self._run("netdev_del", {"id": name})
            return
        kept = netdev.open_ports(new)
        for forward in netdev.open_ports(old):
            if forward not in kept:
                # "removed" or "not found", which is as well
                command = f"hostfwd_remove {_user(old)} {netdev.rule(forward).place}"
                await self._forward(command, "removed", "found")

    async def give(self, machine: Machine, old: Nic, new: Nic) -> None:
        """Give QEMU what `new`, as it is in `machine`, leads to and `old` does not."""
        comes = new.network != "none" and old.network == "none"
        if comes:
            with self._bravely():  # its boot folder may be gone
                for props in netdev.network(machine, replace(new, forwards=()), self._handle.runtime):
                    await self._run("netdev_add", props)
        had = netdev.open_ports(old)
        for forward in netdev.open_ports(new):
            if forward not in had:
                await self._open(new, forward)
        if comes:
            await self._run("set_link", {"name": new.id, "up": True})

    async def _open(self, nic: Nic, forward: Forward) -> None:
        try:
            await self._forward(f"hostfwd_add {_user(nic)} {netdev.rule(forward).rule}", "")
        except Failed:
            netdev.check_port(forward)  # says it better, if it is the port
            raise

    def _bravely(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.suppress(KibanError) if self._bold else contextlib.nullcontext()

    async def _forward(self, command: str, *good: str) -> None:
        with self._bravely():
            said = await self._handle.live.human(command)
            if said.rpartition(" ")[2] not in good:
                raise Failed(f"QEMU refused {command}: {said}")

    async def _run(self, command: str, arguments: Mapping[str, Any]) -> None:
        with self._bravely():
            await self._handle.live.run(command, arguments)


def _user(nic: Nic) -> str:
    return user_id(netdev_id(nic))
