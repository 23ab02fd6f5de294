# SPDX-License-Identifier: GPL-2.0-or-later
"""Watching the screen of a machine that boots, with a QEMU that shows what the test puts there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
import screens
from engine_world import World, run, world

from kiban.engine import bootwatch, life, saving, screen, supervision, view
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.model.outcome import Boot, BootState

STARTING = 'BdsDxe: starting Boot0000 "Disk disk0" from PciRoot(0x0)/Pci(0x2,0x0)'
DENIED = 'BdsDxe: failed to load Boot0000 "Disk disk0" from PciRoot(0x0)/Pci(0x2,0x0): Access Denied'
MENU = ("Device Manager", "Boot Manager", "Boot Maintenance Manager", "Continue", "Reset", "and more to read")


class Display:
    """What the fake QEMU shows."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def show(self, *lines: str, size: tuple[int, int] = (1280, 800)) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_bytes(screens.drawn(lines, size=size))
        fresh.replace(self.file)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        monkeypatch.setenv("FAKE_QEMU_SCREEN", str(made.root / "screen"))
        monkeypatch.setattr(bootwatch, "QUICK", 0.02)
        monkeypatch.setattr(bootwatch, "SLOW", 0.02)
        yield made


@pytest.fixture
def display(there: World) -> Display:
    made = Display(there.root / "screen")
    made.show()
    return made


def put(there: World, *, serial: int = 1, **request: Any) -> str:
    """A generation 2 machine with a file in the place of its firmware and an empty NVRAM; returns its name."""
    firmware = there.root / "firmware"
    firmware.touch()
    board = {"firmware_code": str(firmware)}
    machine = machines.make(2, serial=serial, board_changes=board, **{"nics": ()} | request)
    (there.put(machine) / "nvram.fd").touch()
    return machine.name


async def opened(there: World, **request: Any) -> tuple[Host, Handle]:
    """A host with that machine."""
    name = put(there, **request)
    host = await Host.open(there.paths)
    return host, host.find(name)


async def until(handle: Handle, state: BootState) -> Boot:
    while handle.boot.state != state:
        await asyncio.sleep(0.01)
    return handle.boot


def state(handle: Handle) -> str:
    """As a call, since a type checker narrows attributes."""
    return handle.boot.state


def test_a_boot_from_the_logo_to_the_operating_system(there: World, display: Display) -> None:
    async def go() -> None:
        host, handle = await opened(there)
        told: list[str] = []

        async def listen() -> None:
            async for event in host.events.subscribe(host.events.id_of()):
                told.extend([str(event.data["state"])] if event.kind == "boot" else [])

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        await life.start(host, handle)
        assert view.of(handle).boot == Boot(state="firmware")
        display.show(DENIED)
        await until(handle, "refused")
        display.show(DENIED, STARTING, "Welcome to GRUB!")
        await until(handle, "started")
        await life.turn_off(handle)
        assert view.of(handle).boot == Boot()
        listening.cancel()
        assert told == ["firmware", "refused", "started"]
        await host.close()

    run(go())


def test_a_refusal_says_what_was_read(there: World, display: Display) -> None:
    async def go() -> None:
        host, handle = await opened(there)
        display.show(DENIED)
        await life.start(host, handle)
        boot = await until(handle, "refused")
        assert boot.text == 'failed to load Boot0000 "Disk disk0": Access Denied'
        assert boot.sentence == f"Secure Boot refused Disk disk0: {boot.text}."
        assert boot.hint == "See why: kiban secureboot explain m1"
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_without_secure_boot_nothing_is_refused(there: World, display: Display) -> None:
    async def go() -> None:
        host, handle = await opened(there, secure_boot=False)
        display.show(DENIED)
        await life.start(host, handle)
        assert "Access Denied" in (await until(handle, "failed")).text
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_the_firmwares_menu_hides_why(there: World, display: Display) -> None:
    """A machine that pauses after a boot failure shows it, and clears what it said before."""

    async def go() -> None:
        host, handle = await opened(there)
        display.show(*MENU)
        await life.start(host, handle)
        boot = await until(handle, "failed")
        assert boot.sentence == "Nothing was booted: the firmware waits in its menu."
        display.show(DENIED)
        seen = await until(handle, "refused")
        display.show(*MENU)
        await asyncio.sleep(0.1)
        assert handle.boot == seen, "what was seen before it is kept"
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_a_reset_begins_anew(there: World, display: Display) -> None:
    async def go() -> None:
        host, handle = await opened(there)
        display.show(DENIED)
        await life.start(host, handle)
        await until(handle, "refused")
        await life.reset(handle)
        await until(handle, "firmware")
        await asyncio.sleep(0.2)
        assert state(handle) == "firmware"  # the old words still stand there
        display.show()
        await asyncio.sleep(0.2)
        display.show(DENIED)
        await until(handle, "refused")
        display.show("GNU GRUB  version 2.06", "and its menu of several entries")
        await until(handle, "started")
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_nobody_looks_for_ever_but_a_key_wakes_the_watch(
    there: World, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootwatch, "LIMIT", 0.2)

    async def go() -> None:
        host, handle = await opened(there)
        await life.start(host, handle)
        await until(handle, "")  # not known
        display.show(DENIED)
        looks = 0
        real = screen.picture

        async def counted(*arguments: Any) -> bytes:
            nonlocal looks
            looks += 1
            return await real(*arguments)

        monkeypatch.setattr(screen, "picture", counted)
        await asyncio.sleep(0.2)
        assert looks == 0
        handle.stirred.set()  # as engine.screen does; the fake knows no keyboard
        await until(handle, "refused")
        assert looks > 0
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_a_new_service_recognises_a_refused_machine(there: World, display: Display) -> None:
    async def first() -> None:
        host, handle = await opened(there)
        await life.start(host, handle)
        for known in host.handles.values():
            await supervision.leave(known)

    async def second() -> None:
        display.show(DENIED)
        host = await Host.open(there.paths)
        handle = host.find("m1")
        await until(handle, "refused")
        await life.turn_off(handle)
        await host.close()

    run(first())
    run(second())


def test_a_restored_guest_is_not_in_its_firmware(there: World, display: Display) -> None:
    async def go() -> None:
        host, handle = await opened(there)
        await life.start(host, handle)
        await saving.save(handle)
        assert (handle.state, handle.boot) == ("saved", Boot())
        await life.start(host, handle)
        assert handle.boot == Boot()
        display.show(DENIED)
        await until(handle, "refused")
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_generation_1_is_not_watched(there: World) -> None:
    async def go() -> None:
        machine = machines.make(1, nics=())
        there.put(machine)
        host = await Host.open(there.paths)
        handle = host.find(machine.name)
        await life.start(host, handle)
        assert (handle.closers, view.of(handle).boot) == ([], Boot())
        await life.turn_off(handle)
        await host.close()

    run(go())


def test_many_are_looked_at_one_at_a_time(there: World, display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = most = 0
    real = screen.picture

    async def counted(*arguments: Any) -> bytes:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        try:
            return await real(*arguments)
        finally:
            looking -= 1

    monkeypatch.setattr(screen, "picture", counted)
    monkeypatch.setattr(bootwatch, "STUCK", 60.0)  # as long as a look may take on a slow host

    async def go() -> None:
        display.show("GNU GRUB  version 2.06", "and its menu of several entries")
        for serial in (2, 3, 4):
            put(there, serial=serial)
        host, _ = await opened(there)
        for handle in host.handles.values():
            await life.start(host, handle)
        for handle in host.handles.values():
            await until(handle, "started")
            await life.turn_off(handle)
        await host.close()

    run(go())
    assert most == 1
