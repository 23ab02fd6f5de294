# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as things: list, look at, make, edit, rename, remove."""

from __future__ import annotations

import asyncio

from kiban.engine import creating, editing, nvram, saving, view
from kiban.engine.host import Host
from kiban.engine.progress import Progress
from kiban.engine.view import MachineView
from kiban.model.requests import Changes, MachineRequest


async def list_all(host: Host) -> list[MachineView]:
    """All machines by name."""
    host.look_again()
    handles = sorted(host.handles.values(), key=lambda h: h.name)
    await asyncio.to_thread(nvram.look, [(h.directory, h.definition.uefi) for h in handles if h.definition])
    return [view.of(h, entries=False) for h in handles]


async def info(host: Host, name: str) -> MachineView:
    """One machine, by name or id."""
    return view.of(host.find(name))


async def create(host: Host, request: MachineRequest, *, progress: Progress) -> MachineView:
    """Make a machine."""
    return view.of(await creating.create(host, request, progress))


async def edit(host: Host, name: str, changes: Changes) -> MachineView:
    """Change a machine's settings."""
    handle = host.find(name)
    await editing.change(host, handle, changes)
    return view.of(handle)


async def rename(host: Host, name: str, new_name: str) -> MachineView:
    """Give a machine another name."""
    handle = host.find(name)
    await editing.rename(host, handle, new_name)
    return view.of(handle)


async def remove(host: Host, name: str) -> None:
    """Remove a machine and what is in its directory."""
    await editing.remove(host, host.find(name))


async def discard(host: Host, name: str) -> MachineView:
    """Give a saved machine's memory up."""
    handle = host.find(name)
    await saving.discard(handle)
    return view.of(handle)
