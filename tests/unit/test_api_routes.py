# SPDX-License-Identifier: GPL-2.0-or-later
"""Each method of the client reaches its command with the model's own types, and what the command returns comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_fakes import FAKES, PNG, VIEW, Service

import kiban
from kiban.engine.media import Incoming
from kiban.model.export import ExportRequest
from kiban.model.machine import Forward
from kiban.model.requests import (
    Changes,
    ComRequest,
    DiskRef,
    DiskRequest,
    DvdRequest,
    MachineRequest,
    MountRequest,
    NetBootRequest,
    NewImage,
    NicChanges,
    NicRequest,
)
from kiban.model.takeover import ImportRequest

DISK = DiskRequest(path="/a.vhdx", format="vhdx", bus="scsi", copy=True)
NIC = NicRequest(
    kind="legacy",
    model="e1000e",
    mac="52:54:00:aa:bb:cc",
    forwards=(Forward(protocol="udp", host_address="::1", host_port=53, guest_port=5353),),
    boot=NetBootRequest(folder="/srv", file="grub/x.efi", protocol="http"),
)
REWIRED = NicChanges(
    network="none", kind="legacy", model="tulip", mac="52:54:00:aa:bb:cc", forwards=NIC.forwards, boot=NIC.boot
)
IMAGE = NewImage(path="/a", format="raw", size=2**30, fixed=True)
COM = ComRequest(number=2, kind="file", path="/tmp/com2.log")
IMPORT = ImportRequest(
    path="/export/web",
    name="web",
    generation=2,
    format="vhdx",
    parents=("/parents",),
    checkpoint="before",
    guest="win2k22",
    lazy=True,
)
FULL = MachineRequest(
    name="new",
    generation=1,
    cpus=4,
    memory=2**30,
    disks=(DISK, DiskRequest(size=2**30)),
    dvds=(DvdRequest(iso="/a.iso", bus="usb"), DvdRequest()),
    floppy="/a.img",
    nics=(NIC,),
    boot=("dvd", "disk"),
    pxe_protocol="ipv6",
    secure_boot=False,
    template="microsoft-windows",
    keys="/srv/keys",
    pause_after_boot_failure=True,
    tpm=False,
    coms=(COM,),
    guest="win2k",
    video="cirrus",
    autostart=True,
    notes="two\nlines",
)
CHANGES = Changes(cpus=3, memory=2**31, boot=("nic", "disk"), coms=(COM,), floppy="", notes="", autostart=False)


async def _nothing() -> AsyncIterator[bytes]:
    """The bytes of an upload, which are not compared."""
    yield b""


UPLOAD = Incoming(name="a b.iso", size=Path(__file__).stat().st_size, chunks=_nothing())

Call = Callable[[kiban.Client], Any]
CALLS: list[tuple[Call, tuple[Any, ...]]] = [
    (lambda c: c.machines(), ("machines.list",)),
    (lambda c: c.machine("web"), ("machines.info", "web")),
    (lambda c: c.create(**vars(FULL)), ("machines.create", FULL)),
    (lambda c: c.create("bare"), ("machines.create", MachineRequest(name="bare"))),
    (lambda c: c.create("deaf", nics=()), ("machines.create", MachineRequest(name="deaf", nics=()))),
    (lambda c: c.plan_import("/a.ova"), ("takeover.plan", ImportRequest(path="/a.ova"))),
    (lambda c: c.import_machine(**vars(IMPORT)), ("takeover.import_machine", IMPORT)),
    (lambda c: c.export_machine("web", "/x/web"), ("takeover.export", "web", ExportRequest(path="/x/web"))),
    (lambda c: c.edit("web", **vars(CHANGES)), ("machines.edit", "web", CHANGES)),
    (lambda c: c.edit("web", tpm=True), ("machines.edit", "web", Changes(tpm=True))),
    (lambda c: c.rename("web", "www"), ("machines.rename", "web", "www")),
    (lambda c: c.remove("web"), ("machines.remove", "web")),
    (lambda c: c.discard("web"), ("machines.discard", "web")),
    (lambda c: c.start("web"), ("life.start", "web")),
    (lambda c: c.stop("web", timeout=7.5), ("life.shut_down", "web", 7.5)),
    (lambda c: c.stop("web", force=True), ("life.turn_off", "web")),
    (lambda c: c.restart("web", timeout=9), ("life.restart", "web", 9)),
    (lambda c: c.save("web"), ("life.save", "web")),
    (lambda c: c.reset("web"), ("life.reset", "web")),
    (lambda c: c.pause(VIEW.id), ("life.pause", VIEW.id)),
    (lambda c: c.resume("web"), ("life.resume", "web")),
    (lambda c: c.usages(), ("usage.running",)),
    (lambda c: c.usage("web"), ("usage.show", "web")),
    (lambda c: c.usage_history("web"), ("usage.history", "web")),
    (lambda c: c.guest("web"), ("usage.guest", "web")),
    (lambda c: c.add_disk("web", DISK), ("devices.add_disk", "web", DISK)),
    (lambda c: c.add_nic("web", NIC), ("devices.add_nic", "web", NIC)),
    (lambda c: c.change_nic("web", "nic0", **vars(REWIRED)), ("devices.change_nic", "web", "nic0", REWIRED)),
    (
        lambda c: c.change_nic("web", "nic0", mac="new", boot="none"),
        ("devices.change_nic", "web", "nic0", NicChanges(mac="new", boot="none")),
    ),
    (lambda c: c.add_dvd("web"), ("devices.add_dvd", "web", DvdRequest())),
    (lambda c: c.add_dvd("web", "/a.iso", "usb"), ("devices.add_dvd", "web", DvdRequest(iso="/a.iso", bus="usb"))),
    (lambda c: c.move_drive("web", "disk1", "scsi", 3), ("devices.move_drive", "web", "disk1", "scsi", 3)),
    (lambda c: c.move_drive("web", "dvd0"), ("devices.move_drive", "web", "dvd0", None, None)),
    (lambda c: c.remove_device("web", "disk1"), ("devices.remove_device", "web", "disk1")),
    (lambda c: c.insert("web", "dvd0", "/a.iso"), ("devices.insert", "web", "dvd0", "/a.iso")),
    (lambda c: c.eject("web", "dvd0"), ("devices.eject", "web", "dvd0")),
    (lambda c: c.disks(), ("disks.list",)),
    (lambda c: c.disk("/a.vhdx"), ("disks.info", DiskRef(path="/a.vhdx"), ())),
    (lambda c: c.disk("web:disk0", folders=["/p"]), ("disks.info", DiskRef(machine="web", disk="disk0"), ("/p",))),
    (lambda c: c.create_disk("/a", 2**30, format="raw", fixed=True), ("disks.create", IMAGE)),
    (
        lambda c: c.create_disk("/b.qcow2", parent="/a", parent_format="raw"),
        ("disks.create", NewImage(path="/b.qcow2", parent=DiskRef(path="/a", format="raw"))),
    ),
    (
        lambda c: c.convert_disk("/a", "/b", format="vmdk", to="vhd", fixed=True, verify=True, folders=["/p"]),
        (
            "disks.convert",
            DiskRef(path="/a", format="vmdk"),
            NewImage(path="/b", format="vhd", fixed=True),
            ("/p",),
            True,
        ),
    ),
    (lambda c: c.clone_disk("web:disk0", "/b"), ("disks.clone", DiskRef(machine="web", disk="disk0"), "/b")),
    (lambda c: c.resize_disk("/a.raw", 2**30, shrink=True), ("disks.resize", DiskRef(path="/a.raw"), 2**30, True)),
    (lambda c: c.compact_disk("/a.raw"), ("disks.compact", DiskRef(path="/a.raw"))),
    (lambda c: c.check_disk("/a", format="vhd"), ("disks.check", DiskRef(path="/a", format="vhd"))),
    (
        lambda c: c.mount_disk("web:disk0", "/mnt/web", writable=True),
        ("disks.mount", MountRequest(disk=DiskRef(machine="web", disk="disk0"), directory="/mnt/web", writable=True)),
    ),
    (
        lambda c: c.mount_disk("/a", "/mnt/a", format="vhdx", folders=["/p"]),
        ("disks.mount", MountRequest(disk=DiskRef(path="/a", format="vhdx"), directory="/mnt/a", folders=("/p",))),
    ),
    (lambda c: c.unmount_disk("/mnt/web"), ("disks.unmount", "/mnt/web")),
    (lambda c: c.disk_mounts(), ("disks.mounts",)),
    (lambda c: c.merge_disk("/web:disk0"), ("disks.merge", DiskRef(path="/web:disk0"))),
    (lambda c: c.media(), ("media.list",)),
    (lambda c: c.advise("/a.iso"), ("media.advise", "/a.iso")),
    (lambda c: c.upload(__file__, "a b.iso"), ("media.upload", UPLOAD)),
    (lambda c: c.remove_medium("a/ü.iso"), ("media.remove", "a/ü.iso")),
    (lambda c: c.screenshot("web"), ("screen.screenshot", "web")),
    (lambda c: c.type_text("web", "root\n"), ("screen.type_text", "web", "root\n")),
    (lambda c: c.press("web", "ctrl-alt-delete"), ("screen.press", "web", "ctrl-alt-delete")),
    (lambda c: c.console("web").close(), ("com.attach", "web", 1)),
    (lambda c: c.console("web", 2).close(), ("com.attach", "web", 2)),
    (lambda c: c.tokens(), ("tokens.list",)),
    (lambda c: c.create_token("ci", "viewer"), ("tokens.create", "ci", "viewer")),
    (lambda c: c.revoke_token("ci"), ("tokens.revoke", "ci")),
    (lambda c: c.secure_boot("web"), ("secureboot.show", "web")),
    (
        lambda c: c.enroll("web", db=["/a.pem"], mok=["/b.der"]),
        ("secureboot.enroll", "web", {"PK": (), "KEK": (), "db": ("/a.pem",), "mok": ("/b.der",)}),
    ),
    (
        lambda c: c.revoke("web", files=["/x.efi"], sha256=["ab" * 32]),
        ("secureboot.revoke", "web", ("/x.efi",), ("ab" * 32,)),
    ),
    (lambda c: c.reset_keys("web"), ("secureboot.reset", "web", None)),
    (lambda c: c.reset_keys("web", "open-source"), ("secureboot.reset", "web", "open-source")),
    (lambda c: c.update_keys("web"), ("secureboot.update", "web")),
    (lambda c: c.undo_keys("web"), ("secureboot.undo", "web")),
    (lambda c: c.explain("web"), ("bootcheck.explain", "web", "")),
    (lambda c: c.explain_path("/a.img", format="raw"), ("bootcheck.explain_path", "/a.img", "", "raw", "")),
    (lambda c: c.audit(), ("secureboot.audit",)),
    (lambda c: c.tpm("web"), ("tpm.show", "web")),
    (lambda c: c.tpm_log("web", source="memory"), ("tpm.log", "web", "memory")),
    (lambda c: c.tpm_raw_log("web"), ("tpm.raw_log", "web", "auto")),
    (lambda c: c.capacity(), ("host.show",)),
    (lambda c: c.doctor(), ("doctor.report",)),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("s")) as service:
        yield service


@pytest.mark.parametrize(
    ("call", "expected"), CALLS, ids=[f"{n}-{expected[0]}" for n, (_, expected) in enumerate(CALLS)]
)
def test_a_method_reaches_its_command(service: Service, call: Call, expected: tuple[Any, ...]) -> None:
    service.host.calls.clear()
    call(kiban.connect(service.url))
    assert service.host.calls == [expected]


SEEN_ONLY = {"screen.view", "screen.use"}
"""A browser has a guest's screen by a WebSocket of the pages; programs take pictures, type and press keys."""


def test_every_command_has_a_route_and_a_method() -> None:
    assert {expected[0] for _, expected in CALLS} == set(FAKES) - SEEN_ONLY


def test_a_machine_comes_back_with_all_its_parts(service: Service) -> None:
    machine = kiban.connect(service.url).start("web")
    assert (machine.name, machine.state, machine.memory, machine.secure_boot) == ("web", "running", 2**31, True)
    assert machine.disks[0].id == "disk0"
    assert machine.nics[0].forwards[0].guest_port == 22
    assert machine.nics[0].boot is not None
    assert machine.nics[0].boot.file == "shimx64.efi"
    assert machine.boot_entries[0].description == "Disk"
    assert machine.boot.state == "started"
    assert machine.floppy == "/a.img"
    assert machine.runtime == VIEW.runtime
    assert machine.warnings == ["It is only a picture."]
    assert "not for callers" not in str(machine), "the secret of the boot folder is the guest's"


def test_keys_come_back_with_all_their_parts(service: Service) -> None:
    keys = kiban.connect(service.url).secure_boot("web")
    assert (keys.template, keys.authorities, keys.sbat) == ("custom", "none", {"shim": 4})
    assert (keys.pk[0].name, keys.dbx.certificates[0].name, keys.dbx.date) == ("own PK", "own PK", "2026-04-09")


def test_a_disk_comes_back_with_all_its_parts(service: Service) -> None:
    client = kiban.connect(service.url)
    for found in (client.disk("/a.qcow2"), client.disks()[0], client.merge_disk("/a.qcow2")):
        assert (found.path, found.links[0].virtual_size, found.links[0].uses[0].machine) == ("/a.qcow2", 2**30, "web")
    shown = {"disk": "web:disk0", "directory": "/mnt/web", "view": "raw", "writable": True}
    assert client.mount_disk("web:disk0", "/mnt/web") == shown
    assert client.disk_mounts() == [shown]
    assert client.check_disk("/a.qcow2") == {"known": True, "errors": 1, "leaks": 2}


def test_media_come_back_with_all_their_parts(service: Service) -> None:
    client = kiban.connect(service.url)
    assert [(m.name, m.kind, m.machines) for m in client.media()] == [("a.iso", "iso", ["web"])]
    advice = client.advise("/a.iso")
    assert (advice.guest, advice.generation, advice.suggestions[0].template) == ("debian12", 2, "open-source")


def test_reads(service: Service) -> None:
    client = kiban.connect(service.url)
    assert [(m.name, m.floppy, m.secure_boot) for m in client.machines()] == [
        ("web", "/a.img", True),
        ("db", None, None),
    ]
    assert client.screenshot("web") == PNG
    capacity = client.capacity()
    assert (capacity.running.cpus, capacity.file_systems[0].growth, capacity.holdings[0].takes) == (1, 60, 20)
    assert client.doctor() == [{"name": "QEMU", "ok": True, "detail": "7.2", "hint": "", "needed": True}]
    assert client.version().kiban == kiban.__version__


def test_paths_are_relative_to_the_caller(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    service.host.calls.clear()
    client = kiban.connect(service.url)
    client.create("new", disks=[DiskRequest(path="a.vhdx", format="vhdx")], dvds=["b.iso", ""], floppy="")
    client.insert("web", "dvd0", "../b.iso")
    client.enroll("web", db=["own.pem"])
    client.create_disk("c.qcow2", parent="./web:disk0")
    _, request = service.host.calls[0]
    assert request.disks[0].path == f"{tmp_path}/a.vhdx"
    assert request.dvds == (DvdRequest(iso=f"{tmp_path}/b.iso"), DvdRequest())
    assert request.floppy == ""
    assert service.host.calls[1][-1] == f"{tmp_path.parent}/b.iso"
    assert service.host.calls[2][-1]["db"] == (f"{tmp_path}/own.pem",)
    parent = DiskRef(path=f"{tmp_path}/web:disk0")
    assert service.host.calls[3][-1] == NewImage(path=f"{tmp_path}/c.qcow2", parent=parent)
