# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's life: start and stop it in all its ways."""

from __future__ import annotations

from kiban.engine import life, saving, view
from kiban.engine.host import Host
from kiban.engine.progress import Progress
from kiban.engine.view import MachineView


async def start(host: Host, name: str, *, progress: Progress) -> MachineView:
    """Start a machine, or restore a saved one."""
    handle = host.find(name)
    await life.start(host, handle, progress)
    return view.of(handle)


async def shut_down(host: Host, name: str, *, timeout: float, progress: Progress) -> MachineView:
    """Ask the guest to shut down, and wait for it up to `timeout` seconds."""
    handle = host.find(name)
    await life.shut_down(handle, timeout, progress)
    return view.of(handle)


async def turn_off(host: Host, name: str) -> MachineView:
    """Cut the power."""
    handle = host.find(name)
    await life.turn_off(handle)
    return view.of(handle)


async def restart(host: Host, name: str, *, timeout: float, progress: Progress) -> MachineView:
    """Shut down, then start."""
    handle = host.find(name)
    await life.restart(host, handle, timeout, progress)
    return view.of(handle)


async def reset(host: Host, name: str) -> MachineView:
    """Press the reset button."""
    handle = host.find(name)
    await life.reset(handle)
    return view.of(handle)


async def pause(host: Host, name: str) -> MachineView:
    """Stop the processors."""
    handle = host.find(name)
    await life.pause(handle)
    return view.of(handle)


async def resume(host: Host, name: str) -> MachineView:
    """Let the processors go on."""
    handle = host.find(name)
    await life.resume(handle)
    return view.of(handle)


async def save(host: Host, name: str, *, progress: Progress) -> MachineView:
    """Write the memory to disk and end QEMU."""
    handle = host.find(name)
    await saving.save(handle, progress)
    return view.of(handle)
