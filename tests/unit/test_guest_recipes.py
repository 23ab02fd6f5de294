# SPDX-License-Identifier: GPL-2.0-or-later
"""The logic behind the guests: the cache and its lock, the initramfs, the disk's boot records, the hardware report."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kiban.demo import guest_build, guest_disk, guest_image, guest_probe, hardware
from kiban.demo.guest_build import Initramfs, Progress, run
from kiban.demo.guest_disk import BootFiles, make_disk
from kiban.errors import Cancelled, Failed, HostLacks, NotFound

Build = Callable[[Path, Progress], None]


def ignore(_fraction: float, _text: str) -> None:
    return None


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Build], None]:
    """Return a function that puts a build function in the place of the probe's, on a host that has every tool."""
    monkeypatch.setattr(guest_image, "require_tools", lambda: None)
    monkeypatch.setattr(guest_image, "_require_space", lambda _folder, _needed: None)

    def put(build: Build) -> None:
        made = guest_image._Recipe(build, (guest_probe,))
        monkeypatch.setitem(guest_image._RECIPES, "probe", made)

    return put


def test_a_guest_is_built_once_by_two_who_want_it(tmp_path: Path, recipe: Callable[[Build], None]) -> None:
    builds: list[Path] = []
    second_waits = threading.Event()

    def build(target: Path, _say: Progress) -> None:
        builds.append(target)
        assert second_waits.wait(30)  # go on only when the other one is known to stand at the lock
        (target / "probe.raw").write_text("x")

    def wait_noticed(_fraction: float, _text: str) -> None:
        second_waits.set()

    recipe(build)
    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(guest_image.ensure("probe", wait_noticed, cache=tmp_path)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(builds) == 1
    assert results[0] == results[1]
    assert (results[0] / "probe.raw").read_text() == "x"


@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_a_build_given_up_leaves_nothing(tmp_path: Path, recipe: Callable[[Build], None], error: BaseException) -> None:
    def build(target: Path, _say: Progress) -> None:
        (target / "half").write_text("x")
        raise error

    recipe(build)
    with pytest.raises(type(error)):
        guest_image.ensure("probe", cache=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["probe.lock"]


def test_what_a_killed_builder_left_is_swept(tmp_path: Path, recipe: Callable[[Build], None]) -> None:
    (tmp_path / ".probe.abc/guest").mkdir(parents=True)
    recipe(lambda target, _say: (target / "work").mkdir())
    folder = guest_image.ensure("probe", cache=tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"probe.lock", folder.name}
    assert list(folder.iterdir()) == []  # the working folder does not become part of the guest


def test_the_folder_follows_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "files"
    shutil.copytree(guest_build.FILES, files)
    monkeypatch.setattr(guest_build, "FILES", files)
    before = {name: guest_image.folder_of(name, tmp_path) for name in ("probe", "debian")}
    (files / "probe-init.sh").write_text("#!/bin/sh\n")
    assert guest_image.folder_of("probe", tmp_path) != before["probe"]
    assert guest_image.folder_of("debian", tmp_path) == before["debian"]


def test_an_unknown_guest_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'windows'") as caught:
        guest_image.ensure("windows", cache=tmp_path)
    assert "debian, probe" in caught.value.hint


def test_missing_tools_name_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_build, "tool_path", lambda: "/nonexistent")
    assert guest_build.missing_tools() == guest_build.HOST_PACKAGES
    with pytest.raises(HostLacks) as caught:
        guest_build.require_tools()
    assert "mmdebstrap" in caught.value.hint
    assert "e2fsprogs" in caught.value.hint


def test_run_reports_the_last_words_of_a_program() -> None:
    lines: list[str] = []
    script = "import sys; print('one'); print(sys.stdin.read()); print('two'); sys.exit(3)"
    with pytest.raises(Failed, match="exit code 3: two"):
        run([sys.executable, "-c", script], stdin="fed", on_line=lines.append)
    assert lines == ["one", "fed", "two"]


def test_run_ends_the_program_when_its_follower_gives_up() -> None:
    def give_up(_line: str) -> None:
        raise Cancelled("enough")

    # It would print for ever: that run() returns at all says that it was ended.
    with pytest.raises(Cancelled):
        run([sys.executable, "-uc", "while True: print('x')"], on_line=give_up)


def test_run_names_a_program_that_is_not_there() -> None:
    with pytest.raises(HostLacks, match="no-such-tool is not installed"):
        run(["no-such-tool"])


def read_cpio(data: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """Read a newc archive independently of the writer: name to (mode, content, device)."""
    out: dict[str, tuple[int, bytes, tuple[int, int]]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        f = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + f[11] - 1].decode()
        body = (at + 110 + f[11] + 3) & ~3
        if name == "TRAILER!!!":
            return out
        out[name] = (f[1], data[body : body + f[6]], (f[9], f[10]))
        at = (body + f[6] + 3) & ~3


def test_the_initramfs_is_a_newc_archive_with_its_folders_first() -> None:
    stream = io.BytesIO()
    archive = Initramfs(stream)
    archive.file("init", b"#!/bin/sh\n", 0o755)
    archive.file("etc/deep/file", b"12345")
    archive.link("sbin", "bin")
    archive.device("dev/console", 0o600, 5, 1)
    archive.folder("proc")
    archive.close()
    entries = read_cpio(stream.getvalue())
    assert list(entries) == ["init", "etc", "etc/deep", "etc/deep/file", "sbin", "dev", "dev/console", "proc"]
    assert entries["init"] == (stat.S_IFREG | 0o755, b"#!/bin/sh\n", (0, 0))
    assert entries["etc/deep/file"][1] == b"12345"
    assert entries["sbin"] == (stat.S_IFLNK | 0o777, b"bin", (0, 0))
    assert entries["dev/console"] == (stat.S_IFCHR | 0o600, b"", (5, 1))
    assert stat.S_ISDIR(entries["proc"][0])


def test_modules_come_with_all_they_need(tmp_path: Path) -> None:
    dep = tmp_path / "modules.dep"
    dep.write_text(
        "kernel/a/virtio-scsi.ko: kernel/b/scsi_mod.ko kernel/c/virtio.ko\n"
        "kernel/b/scsi_mod.ko: kernel/b/scsi_common.ko\nkernel/b/scsi_common.ko:\nkernel/c/virtio.ko:\n"
        "kernel/x/unused.ko:\n"
    )
    chosen = list(guest_probe.module_closure(dep, ("virtio_scsi", "virtio", "built_in")))
    assert len(chosen) == len(set(chosen))
    assert {Path(p).name for p in chosen} == {"virtio-scsi.ko", "scsi_mod.ko", "scsi_common.ko", "virtio.ko"}


@pytest.mark.skipif(shutil.which("sfdisk", path=guest_build.tool_path()) is None, reason="sfdisk is not installed")
def test_the_disk_leads_the_bios_from_sector_to_sector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow the pointers a BIOS would: boot sector to the core image's first sector to the rest of it."""
    loaders = BootFiles(tmp_path / "tree")
    loaders.bios_grub.mkdir(parents=True)
    (loaders.bios_grub / "boot.img").write_bytes(bytes(range(256)) + bytes(254) + b"\x55\xaa")
    core = b"C" * 500 + bytes(12) + b"rest of the core"

    def fake_core(_loaders: BootFiles, _form: str, _prefix: str, out: Path) -> None:
        out.write_bytes(core)

    monkeypatch.setattr(guest_disk, "_bios_core", fake_core)
    esp, root, image = tmp_path / "esp", tmp_path / "root", tmp_path / "disk"
    esp.write_bytes(b"E" * 1_048_576)
    with root.open("wb") as file:  # data, a hole, data
        file.write(b"R" * 4096)
        file.seek(1 << 20)
        file.write(b"S" * 4096)
        file.truncate(2 << 20)
    make_disk(image, loaders, esp, root, tmp_path)

    disk = image.read_bytes()
    assert disk[510:512] == b"\x55\xaa"
    first = struct.unpack_from("<Q", disk, 0x5C)[0]
    assert disk[first * 512 :].startswith(b"C" * 500)
    second = struct.unpack_from("<Q", disk, first * 512 + 500)[0]
    assert disk[second * 512 :].startswith(b"rest of the core")

    entries = [disk[1024 + 128 * i : 1152 + 128 * i] for i in range(3)]
    starts = [struct.unpack_from("<Q", entry, 32)[0] for entry in entries]
    assert starts[0] == first
    assert disk[starts[1] * 512 :].startswith(b"E" * 1_048_576)
    assert disk[starts[2] * 512 : starts[2] * 512 + (2 << 20)] == root.read_bytes()
    assert entries[1][:16] == bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")  # an EFI system partition


def test_the_hardware_report_is_read() -> None:
    report = hardware.parse(b"firmware\tUEFI\nsecure_boot\ton\nnic\t1af4:1041 virtio-pci\nnic\tx\x1b[2J y\ntpm\t2\n")
    assert report["firmware"] == "UEFI"
    assert report["tpm"] == "2"
    assert report["nic"] == ["1af4:1041 virtio-pci", "x[2J y"]
    assert report["floppy"] == []


@pytest.mark.parametrize("output", [b"", b"sh: not found\n", b"firmware\tBIOS\nevil\t1\n", b"firmware\n"])
def test_a_report_of_another_form_is_refused(output: bytes) -> None:
    with pytest.raises(Failed, match="hardware report"):
        hardware.parse(output)


def test_the_hardware_script_reports_this_host_too() -> None:
    """The script asks nothing but /sys and /proc, so it must run on the machine that tests it."""
    done = subprocess.run(["sh", guest_build.FILES / "hardware.sh"], capture_output=True, check=True, timeout=60)
    report = hardware.parse(done.stdout)
    assert report["firmware"] in {"UEFI", "BIOS"}
    assert int(str(report["cpus"])) >= 1
    assert int(str(report["memory_kib"])) > 0


@pytest.mark.parametrize("script", sorted(guest_build.FILES.glob("*.sh")), ids=lambda p: p.name)
def test_guest_scripts_are_sound_shell(script: Path) -> None:
    checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    assert script.read_text().splitlines()[1] == "# SPDX-License-Identifier: GPL-2.0-or-later"
