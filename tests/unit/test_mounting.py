# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks on the host as files: what is read is what is in the image, and nobody writes under anybody's hands."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from chain_makers import contents, scribbled, vhdx
from disk_chains import RANDOM, content, make, read, tool, write
from engine_world import World, run, world
from vhdx_makers import dirty_vhdx

from kiban.adapters.disk.formats import READABLE
from kiban.adapters.mount import table
from kiban.commands import disks as commands
from kiban.engine import creating, disks, editing, hotplug, life, mounting, mounts
from kiban.engine.host import Host
from kiban.engine.mounts import MountView
from kiban.engine.progress import quiet
from kiban.errors import KibanError
from kiban.model.requests import DiskRef, DiskRequest, MachineRequest, MountRequest, NewImage
from kiban.model.units import MiB

Work = Callable[[Host, Path], Coroutine[Any, Any, None]]
pytestmark = pytest.mark.skipif(
    not table.FUSE.exists() or (os.geteuid() != 0 and not shutil.which("fusermount3")), reason="nobody may mount here"
)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def on_a_host(there: World, work: Work) -> None:
    """Do something on a host, in a folder for disks, and leave nothing mounted."""
    folder = there.root / "disks"
    folder.mkdir()

    async def go() -> None:
        host = await Host.open(there.paths)
        try:
            await work(host, folder)
        finally:
            for one in mounting.listed(host):
                await mounting.unmount(host, one.directory)
            await host.close()
        assert not list(there.paths.mounts.iterdir())

    run(go())


def wanted(path: Path | DiskRef, directory: Path, **more: Any) -> MountRequest:
    disk = path if isinstance(path, DiskRef) else DiskRef(path=str(path))
    return MountRequest(disk=disk, directory=str(directory), **more)


async def refused(work: Coroutine[Any, Any, Any]) -> str:
    """The reason of a refusal, whose hint says what to do; "" where there is none."""
    try:
        await work
    except KibanError as error:
        return error.reason if error.hint else "no hint"
    return ""


@pytest.mark.parametrize("form", READABLE)
def test_every_format_is_read(there: World, form: str) -> None:
    async def work(host: Host, folder: Path) -> None:
        image, place = make(folder / f"a.{form}", form, content()), folder / "there"
        before = image.read_bytes()
        shown = await commands.mount(host, wanted(image, place), progress=quiet)
        assert shown == MountView(disk=str(image), directory=str(place), view="raw", writable=False)
        assert await commands.mounts(host) == [shown]
        assert (place / "disk.raw").read_bytes() == content()
        with pytest.raises(
            PermissionError
        ):  # root is told so when it opens it or when it writes, others when they open
            (place / "disk.raw").write_bytes(b"x")
        await commands.unmount(host, str(place), progress=quiet)
        assert not place.exists()
        assert image.read_bytes() == before

    on_a_host(there, work)


def _alive(pid: int) -> str:
    """What a process does; nothing when it has ended, whether or not its parent has noticed."""
    try:
        state: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return ""
    return "" if state == psutil.STATUS_ZOMBIE else state


def test_a_mount_that_somebody_else_ends_is_gone(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "LOOK_SECONDS", 0.1)

    async def work(host: Host, folder: Path) -> None:
        image, place = make(folder / "a.qcow2", "qcow2", content()), folder / "there"
        await mounting.mount(host, wanted(image, place))
        ends = host.mounts.all[0].ends
        table.unmount(place / "disk.raw")
        async with asyncio.timeout(60):
            while mounting.listed(host):
                await asyncio.sleep(0.05)
        assert not [process for end in ends if (process := _alive(end.pid))]
        assert not place.exists()

    on_a_host(there, work)


def test_chains_are_read_as_one_disk(there: World) -> None:
    """A child that was made here, three links of Hyper-V's, and a VHDX whose log was left behind."""

    async def work(host: Host, folder: Path) -> None:
        make(folder / "base.qcow2", "qcow2", content())
        child = NewImage(path=str(folder / "child.qcow2"), parent=DiskRef(path=str(folder / "base.qcow2")))
        await disks.create(host, child)
        write(folder / "child.qcow2", MiB, b"c" * MiB)
        rng, made = RANDOM(4), []
        for number in range(3):
            made.append(scribbled(rng, 8 * MiB))
            vhdx(folder / f"{number}.avhdx", made[-1], made[-2] if number else None)
        dirty = folder / "dirty.vhdx"
        dirty.write_bytes(dirty_vhdx(bytearray(make(dirty, "vhdx", content(2)).read_bytes()), 0))
        shutil.copy(dirty, folder / "clean.vhdx")
        tool("qemu-img", "check", "-q", "-r", "all", folder / "clean.vhdx")
        replayed = read(folder / "clean.vhdx", "vhdx")
        assert replayed != content(2)
        expected = content()[:MiB] + b"c" * MiB + content()[2 * MiB :]
        for name, data in (
            ("child.qcow2", expected),
            ("2.avhdx", contents(made[::-1])),
            (dirty.name, replayed),
        ):
            files = {path: path.read_bytes() for path in folder.iterdir()}
            await mounting.mount(host, wanted(folder / name, folder / "there"))
            assert (folder / "there" / "disk.raw").read_bytes() == data, name
            await mounting.unmount(host, str(folder / "there"))
            assert files == {path: path.read_bytes() for path in folder.iterdir()}
        await mounting.mount(host, wanted(folder / "2.avhdx", folder / "there"))
        server = host.mounts.all[0].ends[2]
        server.signal(signal.SIGKILL)
        while mounting.listed(host):  # the test is bounded, and the product waits for events
            await asyncio.sleep(0.01)
        assert not (folder / "there").exists()
        chained = wanted(folder / "2.avhdx", folder / "there", writable=True)
        assert await refused(mounting.mount(host, chained)) == "read-only-format"

    on_a_host(there, work)


@pytest.mark.parametrize("form", ["qcow2", "vhdx", "vhd", "raw"])
def test_what_is_written_is_in_the_image_after_unmounting(there: World, form: Any) -> None:
    async def work(host: Host, folder: Path) -> None:
        image, place = make(folder / f"a.{form}", form, content()), folder / "there"
        await mounting.mount(host, wanted(image, place, writable=True))
        with (place / "disk.raw").open("r+b", buffering=0) as file:
            assert await refused(mounting.unmount(host, str(place))) == "mount-busy"
            file.seek(5 * MiB)
            file.write(b"written" * 1000)
        await mounting.unmount(host, str(place))
        now = bytearray(content())
        now[5 * MiB : 5 * MiB + 7000] = b"written" * 1000
        assert read(image, form) == now

    on_a_host(there, work)


@pytest.mark.parametrize("writable", [False, True])
def test_a_disk_that_is_mounted_is_not_written_by_others(there: World, writable: bool) -> None:
    async def work(host: Host, folder: Path) -> None:
        base = make(folder / "base.qcow2", "qcow2", content())
        request = MachineRequest(
            name="web", generation=1, memory=64 * MiB, disks=(DiskRequest(path=str(base), format="qcow2"),)
        )
        web, own, place = await creating.create(host, request), DiskRef(machine="web", disk="disk0"), folder / "there"
        await mounting.mount(host, wanted(own, place, writable=writable))
        with pytest.raises(KibanError, match=f"web:disk0 is mounted at {place}") as refusal:
            await life.start(host, web)
        assert (refusal.value.reason, refusal.value.hint) == ("disk-mounted", f"kiban disk unmount {place}")
        assert await refused(disks.resize(host, own, 20 * MiB, shrink=False)) == "disk-mounted"
        assert await refused(mounting.mount(host, wanted(base, folder / "two", writable=True))) == "disk-mounted"
        assert await refused(mounting.mount(host, wanted(base, folder / "two"))) == ("disk-mounted" if writable else "")
        assert await refused(hotplug.remove_device(host, web, "disk0")) == "disk-mounted"
        for one in mounting.listed(host):
            await mounting.unmount(host, one.directory)
        await life.start(host, web)
        assert await refused(mounting.mount(host, wanted(own, place, writable=writable))) == "disk-busy"
        assert not place.exists()
        await life.turn_off(web)
        await editing.remove(host, web)

    on_a_host(there, work)


def test_nothing_is_left_of_what_cannot_be_mounted(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        image, place = make(folder / "a.qcow2", "qcow2", content()), folder / "there"
        broken, outside = folder / "broken.qcow2", folder / "outside.qcow2"
        data = bytearray(image.read_bytes())
        data[40:48] = (1 << 40).to_bytes(8, "big")  # where its first table is
        broken.write_bytes(data)
        shutil.copy(image, outside)
        write_backing(outside, "/etc/passwd")
        (folder / "taken").mkdir()
        (folder / "taken" / "file").touch()
        vmdk = make(folder / "a.vmdk", "vmdk", content())
        for request, reason in (
            (wanted(broken, place), "damaged-image"),
            (wanted(outside, place), "no-parent-format"),
            (wanted(folder / "none.qcow2", place), "no-file"),
            (wanted(vmdk, place, writable=True), "read-only-format"),
            (wanted(image, folder / "taken"), "folder-taken"),
            (wanted(image, folder / "no" / "folder"), "no-folder"),
            (wanted(image, image), "no-folder"),
        ):
            assert await refused(mounting.mount(host, request)) == reason
            assert not place.exists()
            assert not list(there.paths.mounts.iterdir())
        assert await refused(mounting.unmount(host, str(place))) == "not-mounted"
        await disks.resize(host, DiskRef(path=str(image)), 20 * MiB, shrink=False)  # nobody holds it

    on_a_host(there, work)


def write_backing(image: Path, name: str) -> None:
    """Have a qcow2 say that it is made on another file, of which it does not say the format."""
    data = bytearray(image.read_bytes())
    data[8:20] = (1024).to_bytes(8, "big") + len(name).to_bytes(4, "big")
    data[1024 : 1024 + len(name)] = name.encode()
    image.write_bytes(data)


def test_a_folder_is_given_to_one_disk(there: World) -> None:
    async def work(host: Host, folder: Path) -> None:
        image, place = make(folder / "a.qcow2", "qcow2", content()), folder / "there"
        place.mkdir()
        (folder / "link").symlink_to(place)
        await mounting.mount(host, wanted(image, folder / "link"))
        assert await refused(mounting.mount(host, wanted(image, place))) == "mount-there"
        await mounting.unmount(host, str(folder / "link"))
        assert place.is_dir()  # it was there before
        assert not list(place.iterdir())

    on_a_host(there, work)


def test_a_file_system_is_read_without_the_kernels(there: World, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "hostname").write_text("web\n")

    async def work(host: Host, folder: Path) -> None:
        raw = folder / "fs.raw"
        raw.write_bytes(bytes(16 * MiB))
        tool("/usr/sbin/mkfs.ext4", "-q", "-d", tmp_path, raw)
        image, place = make(folder / "fs.vhdx", "vhdx", raw.read_bytes()), folder / "there"
        await mounting.mount(host, wanted(image, place))
        assert tool("/usr/sbin/debugfs", "-R", "cat /etc/hostname", place / "disk.raw") == "web\n"
        await mounting.unmount(host, str(place))

    on_a_host(there, work)
