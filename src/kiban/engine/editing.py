# SPDX-License-Identifier: GPL-2.0-or-later
"""Editing, renaming and removing a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kiban.adapters.disk import media
from kiban.adapters.qemu import process
from kiban.adapters.store import directory as store
from kiban.adapters.whole import in_thread
from kiban.engine import diskuse, hotplug, keyview, nvram, profiles, secureboot, tpm
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model import contract, edit
from kiban.model.generations import Bus
from kiban.model.machine import Machine, Uefi
from kiban.model.requests import Changes


async def change(host: Host, handle: Handle, changes: Changes) -> None:
    """Apply changes; those that a running guest would notice want the machine off.

    NVRAM is written first, the definition last, each as a whole. A service that is killed in between leaves the new
    keys or boot order with the other settings of before. That does no harm: none of them needs the other, the view
    tells keys and order from NVRAM, and asking for the same again does the rest.
    """
    async with handle.lock:
        handle.check("edit offline" if edit.wants_off(changes) else "edit")
        if changes.guest:
            await profiles.check_suits(changes.guest, handle.machine.generation)
        if changes.floppy:
            media.check_floppy(Path(changes.floppy))
        machine = edit.apply(handle.machine, changes)
        if edit.wants_off(changes):
            machine = await in_thread(_firmware, handle, machine, changes)
            if machine.tpm and not handle.machine.tpm:
                await tpm.make(handle.directory, host.account())
        elif changes.floppy is not None and handle.alive:
            await hotplug.change_floppy(handle, changes.floppy)
        handle.save(machine)


async def move_drive(handle: Handle, drive_id: str, bus: Bus | None, slot: int | None) -> None:
    """Attach a disk or DVD drive elsewhere; it keeps its place in the boot order."""
    async with handle.lock:
        handle.check("edit offline")
        before = handle.machine
        machine = contract.move_drive(before, drive_id, bus, slot)
        handle.save(await in_thread(nvram.follow, handle.directory, machine, alive=False, before=before))


def _firmware(handle: Handle, after: Machine, changes: Changes) -> Machine:
    """Write the changes that are kept in NVRAM there, compared with what it says: the guest may have changed it."""
    old, new = handle.machine.uefi, after.uefi
    if old is None or new is None:
        return after
    if edit.wants_keys(changes):
        info, measured = secureboot.settings(handle.directory, old, changes)
        if measured and handle.machine.tpm and keyview.SEALED not in handle.warnings:
            handle.warnings.append(keyview.SEALED)  # it stands until the machine is started
        new = replace(new, secure_boot=info.secure_boot, template=info.template)
        after = replace(after, uefi=new)
    if changes.boot is not None:
        # also when it is the order asked for before: the guest may have changed it since
        nvram.write_order(handle.directory, after, new)
    elif _order_settings(old) != _order_settings(new):
        return nvram.follow(handle.directory, after, alive=False)
    return after


def _order_settings(uefi: Uefi) -> tuple[object, ...]:
    return uefi.pause_after_boot_failure, uefi.pxe_protocol


async def rename(host: Host, handle: Handle, name: str) -> None:
    """Give a machine another name; its directory, named by its id, stays where it is."""
    contract.check_name(name)
    async with handle.lock:
        if name != handle.machine.name:
            with host.taking(name):
                handle.save(replace(handle.machine, name=name))


async def _check_disks_go(host: Host, handle: Handle) -> None:
    """Conflict when a command works on a disk of Kiban's own, or the disk of another machine is made on it."""
    disks = handle.definition.disks if handle.definition else ()
    keys = {key for disk in disks if disk.owned and (key := diskuse.key_of(handle.directory / disk.path))}
    host.claims.check((), keys)
    for one in await in_thread(diskuse.chains, host, children_only=True):
        if one.machine != handle.name and keys & {link.key for link in one.links}:
            raise diskuse.has_children(handle.directory, one)


async def remove(host: Host, handle: Handle) -> None:
    """Remove a machine that is off, with its directory and the disks in it. Images elsewhere stay."""
    async with handle.lock:
        handle.check("remove")
        await _check_disks_go(host, handle)
        try:
            with process.locked(handle.directory / "lock"):  # somebody else's service may have started it
                await in_thread(store.remove, handle.directory)
        finally:
            # also when the directory went some other way, or the thread finishes what nobody waits for
            if not handle.directory.exists():
                host.forget(handle)
    handle.tell("removed")
