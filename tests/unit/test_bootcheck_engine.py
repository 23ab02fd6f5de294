# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's own media in its own boot order, and the warning at its start, on a fake QEMU with a real NVRAM."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import machines
import pytest
from boot_media import BOOT, ESP_GUID, folder, gpt, iso
from bootcheck_images import GRUB, SHIM, real, tiny
from engine_world import World, run, world

from kiban.adapters.bootcheck import runner
from kiban.adapters.firmware import loadoption, templates, varstore
from kiban.adapters.firmware.bootorder import BootEntry
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.firmware.loadoption import LoadOption
from kiban.engine import bootcheck, bootwatch, creating, life, nvram
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.errors import BadInput, Failed, HostLacks, NotInGeneration
from kiban.model.bootcheck import Medium
from kiban.model.machine import Machine
from kiban.model.requests import DiskRequest, DvdRequest, MachineRequest, NetBootRequest, NicRequest

Work = Callable[[Host, Handle], Awaitable[Any]]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(bootwatch, "begin", lambda *_, **__: None)  # its own tests have a screen to look at
    with world(monkeypatch) as found:
        yield found


def machine(there: World, *, secure_boot: bool = True, **request: Any) -> Path:
    """A generation 2 machine as its creation would have left it; returns its directory."""
    try:
        empty = find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))
    code = Path(machines.board(2).firmware_code)
    build = {"firmware_code_sha256": hashlib.sha256(code.read_bytes()).hexdigest()}
    made = machines.make(2, board_changes=build, nics=(), secure_boot=secure_boot, **request)
    directory = there.put(made)
    keys = templates.keys_of("microsoft-uefi-ca")
    varstore.create_store(empty, directory / nvram.FILE, keys, secure_boot=secure_boot)
    assert made.uefi
    nvram.write_order(directory, made, made.uefi)
    return directory


def act(there: World, work: Work) -> Any:
    """Do something with the host's one machine, and end its QEMU afterwards."""

    async def whole() -> Any:
        host = await Host.open(there.paths)
        host.slowness()  # said once, and not to those who look at warnings here
        handle = next(iter(host.handles.values()))
        try:
            return await work(host, handle)
        finally:
            if handle.alive:
                await life.turn_off(handle)
            await host.close()

    return run(whole())


def image(path: Path) -> DiskRequest:
    return DiskRequest(path=str(path), format="raw")


def media(made: Machine, *entries: BootEntry) -> list[tuple[str, str, str, str]]:
    found = bootcheck.media_of(made, Path("/machines/m"), entries)
    return [(medium.device, medium.kind, medium.partition, medium.loader) for medium in found]


def entry(device: str | None, *, active: bool = True, partition: str = "", file: str = "") -> BootEntry:
    return BootEntry("Boot0000", device, active, "", 0, partition, file)


def test_the_media_are_those_of_the_boot_order() -> None:
    nic = NicRequest(boot=NetBootRequest(folder="/srv", file="shimx64.efi"))
    made = machines.make(
        2,
        disks=(image(Path("/a.raw")), DiskRequest(size=1 << 30)),
        dvds=(DvdRequest(iso="/b.iso"), DvdRequest()),
        nics=(nic,),
    )
    found = bootcheck.media_of(made, Path("/machines/m"), [entry("nic0"), entry("nic0"), entry("disk1")])
    assert found[0] == Medium(
        device="nic0", kind="folder", path="/srv", format="", loader="shimx64.efi", protocol="tftp"
    )
    assert found[1].path == "/machines/m/disk1.qcow2"
    assert found[1].format == "qcow2"
    # the firmware goes on with what it finds by itself, removable media first
    assert [medium.device for medium in found] == ["nic0", "disk1", "dvd0", "dvd1", "disk0"]
    assert found[3].kind == "none", "an empty drive"
    assert made.uefi
    paused = replace(made, uefi=replace(made.uefi, pause_after_boot_failure=True))
    assert media(paused, entry("disk1"), entry("disk0", active=False)) == [("disk1", "disk", "", "")]


def test_a_guests_own_entries_lead_to_its_partition() -> None:
    made = machines.make(2, disks=(image(Path("/a.raw")), image(Path("/b.raw"))), nics=())
    made = replace(made, uefi=replace(made.uefi, pause_after_boot_failure=True)) if made.uefi else made
    short = entry(None, partition=ESP_GUID, file="\\x.efi")
    assert media(made, short) == [(name, "disk", ESP_GUID, "\\x.efi") for name in ("disk0", "disk1")]
    full = entry("disk1", partition=ESP_GUID, file="\\x.efi")
    assert media(made, full) == [("disk1", "disk", ESP_GUID, "\\x.efi")]
    assert media(made, entry(None)) == [], "the firmware's own shell"


def test_a_loader_in_the_parent_of_a_linked_disk_is_found(there: World) -> None:
    base = gpt(there.root / "base.img", {BOOT: real(SHIM), "EFI/BOOT/grubx64.efi": real(GRUB)})

    async def go() -> None:
        host = await Host.open(there.paths)
        disks = (DiskRequest(path=str(base), format="raw", link=True),)
        handle = await creating.create(host, MachineRequest(name="linked", generation=2, disks=disks, nics=()))
        report = await bootcheck.explain(handle)
        assert [stage.kind for stage in report.stages[:2]] == ["shim", "GRUB"]
        assert report.verdict == "allowed"
        with base.open("r+b") as file:  # a parent that was changed proves nothing any more
            file.write(b"x")
        assert (await bootcheck.explain(handle)).reason == "unreadable"
        await host.close()

    run(go())


def test_what_the_guest_wrote_into_its_nvram_is_followed(there: World) -> None:
    files = {"EFI/debian/shimx64.efi": real(SHIM), "EFI/debian/grubx64.efi": real(GRUB)}
    directory = machine(there, disks=(image(gpt(there.root / "debian.img", files)),))

    def explain() -> Any:
        return act(there, lambda _, handle: bootcheck.explain(handle))

    assert explain().reason == "no-loader", "there is nothing on the removable-media path"
    guid = UUID(ESP_GUID).bytes_le
    hard_drive = loadoption.node(4, 1, struct.pack("<LQQ", 1, 2048, 4096) + guid + bytes((2, 2)))
    file = loadoption.node(4, 4, "\\EFI\\debian\\shimx64.efi\0".encode("utf-16-le"))
    store = VariableStore.load(directory / nvram.FILE)
    store.put(Variable("Boot00F0", LoadOption("debian", hard_drive + file).to_bytes()))
    store.put(Variable("BootOrder", struct.pack("<H", 0xF0) + (store.get("BootOrder") or b"")))
    store.save(directory / nvram.FILE)
    found = explain()
    assert found.verdict == "allowed"
    assert found.stages[0].path == "\\EFI\\debian\\shimx64.efi"
    assert found.stages[0].decided_by.startswith("db: Microsoft")


def test_the_machines_own_keys_count_unless_others_are_named(there: World) -> None:
    image_ = gpt(there.root / "debian.img", {BOOT: real(SHIM), "EFI/BOOT/grubx64.efi": real(GRUB)})
    machine(there, disks=(image(image_),))
    assert act(there, lambda _, handle: bootcheck.explain(handle)).verdict == "allowed"
    windows = bootcheck.template_trust("microsoft-windows")
    found = act(there, lambda _, handle: bootcheck.explain(handle, windows))
    assert (found.verdict, found.reason) == ("refused", "signer-not-trusted")
    assert found.hint == "kiban set m1 --template microsoft-uefi-ca"


def test_generation_1_has_nothing_to_explain(there: World) -> None:
    there.put(machines.make(1, nics=()))
    with pytest.raises(NotInGeneration, match="generation 1"):
        act(there, lambda _, handle: bootcheck.explain(handle))


def refused_iso(there: World) -> str:
    return str(iso(there.root / "memtest.iso", {}, esp={BOOT: tiny()}))


async def _start(host: Host, handle: Handle) -> tuple[str, list[str], list[dict[str, Any]]]:
    """State and warnings after a start, and what was said of trouble."""
    told: list[dict[str, Any]] = []
    publish = host.events.publish

    def note(kind: str, **said: Any) -> Any:
        if kind == "trouble":
            told.append(said)
        return publish(kind, **said)

    host.events.publish = note  # type: ignore[method-assign]  # a listener that misses nothing
    await life.start(host, handle)
    assert handle.state == "running", handle.reason
    return handle.state, list(handle.warnings), told


def test_a_start_that_would_be_refused_goes_on_with_a_warning(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootcheck, "PATIENCE", 60.0)  # a loaded host must not change what is tested
    machine(there, dvds=(DvdRequest(iso=refused_iso(there)),), boot=("dvd",))
    state, warnings, told = act(there, _start)
    assert state == "running"
    assert [said["what"] for said in told] == ["boot-refused"]
    assert warnings == [
        "The firmware refuses dvd0 (memtest.iso): \\EFI\\BOOT\\BOOTX64.EFI (EFI program) is not signed. "
        "(kiban set m1 --secure-boot off)"
    ]


def test_the_warning_ends_with_the_run(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootcheck, "PATIENCE", 60.0)
    machine(there, dvds=(DvdRequest(iso=refused_iso(there)),))

    async def work(host: Host, handle: Handle) -> tuple[int, list[str]]:
        await life.start(host, handle)
        during = len(handle.warnings)
        await life.turn_off(handle)
        return during, handle.warnings

    assert act(there, work) == (1, [])


def test_there_is_no_warning_without_secure_boot(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootcheck, "PATIENCE", 60.0)
    machine(there, secure_boot=False, dvds=(DvdRequest(iso=refused_iso(there)),))
    assert act(there, _start)[:2] == ("running", [])
    found = act(there, lambda _, handle: bootcheck.explain(handle))
    assert found.verdict == "allowed"
    assert "Secure Boot is off. With it on: The firmware refuses dvd0" in found.sentence


def test_a_check_that_fails_or_hangs_holds_no_start_up(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(there, dvds=(DvdRequest(iso=refused_iso(there)),))

    async def failing(*_: object, **__: object) -> None:
        raise Failed("It ended without an answer.")

    monkeypatch.setattr(runner, "explain", failing)
    assert act(there, _start)[:2] == ("running", [])

    async def hanging(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(runner, "explain", hanging)
    monkeypatch.setattr(bootcheck, "PATIENCE", 0.01)
    assert act(there, _start)[:2] == ("running", [])


def test_a_file_is_taken_for_what_its_name_says(tmp_path: Path) -> None:
    def kind(name: str, form: str = "") -> tuple[str, str]:
        medium = bootcheck._medium_of_path(tmp_path / name, form, "")
        return medium.kind, medium.format

    assert kind("a.iso") == ("dvd", "iso")
    assert kind("a.VHDX") == ("disk", "vhdx")
    assert kind("a.img") == ("disk", "raw")
    assert kind("a.bin", "qcow2") == ("disk", "qcow2")
    with pytest.raises(BadInput, match="does not say by its name"):
        kind("a.bin")
    with pytest.raises(BadInput, match="Which file"):
        bootcheck._medium_of_path(folder(tmp_path / "pxe", {"x": b""}), "", "")
    pxe = folder(tmp_path / "pxe", {"shimx64.efi": b"", "grubx64.efi": b""})
    assert bootcheck._medium_of_path(pxe, "", "").loader == "shimx64.efi"
    program = bootcheck._medium_of_path(pxe / "grubx64.efi", "", "")
    assert (program.path, program.loader, program.kind) == (str(pxe), "grubx64.efi", "folder")


def test_a_path_is_explained_by_a_templates_keys(tmp_path: Path) -> None:
    image_ = gpt(tmp_path / "a.img", {BOOT: real(SHIM), "EFI/BOOT/grubx64.efi": real(GRUB)})
    assert run(bootcheck.explain_path(str(image_))).verdict == "allowed"
    found = run(bootcheck.explain_path(str(image_), template="microsoft-windows"))
    assert found.hint == "kiban set NAME --template microsoft-uefi-ca"
    with pytest.raises(BadInput, match="no Secure Boot template"):
        run(bootcheck.explain_path(str(image_), template="nothing"))
