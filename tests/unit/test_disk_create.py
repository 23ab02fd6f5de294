# SPDX-License-Identifier: GPL-2.0-or-later
"""New images: exact sizes, nothing half made, nothing replaced, whatever happens meanwhile."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiban.adapters.disk import images, space
from kiban.adapters.disk.formats import FORMATS
from kiban.adapters.disk.tool import Outcome, qemu_img
from kiban.errors import BadInput, Conflict, HostLacks, NotAllowed, NotFound
from kiban.model.units import GiB, MiB, TiB


def inspect(path: Path, format: str) -> images.ImageInfo:
    return asyncio.run(images.inspect(path, format))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fixed", [False, True])
def test_a_new_image_has_exactly_the_size_asked_for(tmp_path: Path, format: str, fixed: bool) -> None:
    path = tmp_path / f"disk,x=y:{format}"  # commas and colons mean something in QEMU's own syntax
    asyncio.run(images.create(path, format, 37 * MiB, fixed=fixed))
    info = inspect(path, format)
    assert (info.virtual_size, info.format) == (37 * MiB, format)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    if fixed:
        assert info.actual_size >= 37 * MiB
    else:
        assert info.actual_size < 20 * MiB


@pytest.mark.parametrize(("format", "size"), [("vhd", 2040 * GiB), ("vhdx", 64 * TiB), ("qcow2", 64 * TiB)])
def test_the_largest_disk_of_a_format_is_exact_too(tmp_path: Path, format: str, size: int) -> None:
    asyncio.run(images.create(tmp_path / "big", format, size))
    assert inspect(tmp_path / "big", format).virtual_size == size


@pytest.mark.parametrize(
    ("format", "size"),
    [("vhd", 2041 * GiB), ("vhdx", 65 * TiB), ("raw", 1000), ("vhd", 5 * MiB + 512), ("vhdx", MiB), ("qcow2", 0),
     ("raw", -512), ("qcow2", 64 * TiB + 512), ("vmdk", GiB), ("vpc", GiB)],
)  # fmt: skip
def test_sizes_that_no_such_disk_has_are_refused(tmp_path: Path, format: str, size: int) -> None:
    with pytest.raises(BadInput):
        asyncio.run(images.create(tmp_path / "disk", format, size))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_text("precious")
    with pytest.raises(Conflict):
        asyncio.run(images.create(path, "qcow2", GiB))
    assert path.read_text() == "precious"


def test_a_file_that_appears_while_the_image_is_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk"

    async def slower(*arguments: str, keep: tuple[int, ...]) -> Outcome:
        path.write_text("precious")
        return Outcome(0, "", "")

    monkeypatch.setattr(images, "qemu_img", slower)
    with pytest.raises(Conflict):
        asyncio.run(images.create(path, "qcow2", GiB))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_two_creations_of_one_image_make_one(tmp_path: Path) -> None:
    async def both() -> list[BaseException | None]:
        tasks = [images.create(tmp_path / "disk", "qcow2", GiB) for _ in range(2)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(both())
    assert results.count(None) == 1
    assert [type(r) for r in results if r is not None] == [Conflict]
    assert inspect(tmp_path / "disk", "qcow2").virtual_size == GiB


def test_missing_folder_and_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        asyncio.run(images.create(tmp_path / "no" / "disk", "qcow2", GiB))
    if os.geteuid() == 0:
        return  # root writes everywhere
    tmp_path.chmod(0o500)
    with pytest.raises(NotAllowed):
        asyncio.run(images.create(tmp_path / "disk", "qcow2", GiB))


def test_a_fixed_disk_needs_its_space_first(tmp_path: Path) -> None:
    size = (space.free_bytes(tmp_path) // GiB + 1) * GiB
    if size > 60 * TiB:
        pytest.skip("a disk this large cannot be filled by a format's largest image")
    with pytest.raises(HostLacks) as caught:
        asyncio.run(images.create(tmp_path / "disk", "raw", size, fixed=True))
    assert "free" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*arguments: str, keep: tuple[int, ...]) -> Outcome:
        (tmp_path / ".disk.part").write_bytes(b"half")
        return Outcome(1, "", f"qemu-img: {arguments[-2]}: No space left on device")

    monkeypatch.setattr(images, "qemu_img", full)
    with pytest.raises(HostLacks):
        asyncio.run(images.create(tmp_path / "disk", "raw", MiB))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_creation_left_is_used_again(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal, sys; from pathlib import Path; from kiban.adapters.disk import images\n"
        "images.finish = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(images.create(Path(sys.argv[1]), 'qcow2', 1 << 30))\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "disk")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == [".disk.part"]
    asyncio.run(images.create(tmp_path / "disk", "vhdx", GiB))
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]
    assert inspect(tmp_path / "disk", "vhdx").virtual_size == GiB


def test_a_trap_laid_for_the_hidden_file_catches_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".disk.part").symlink_to(victim)
    with pytest.raises(BadInput):
        asyncio.run(images.create(tmp_path / "disk", "qcow2", GiB))
    assert victim.read_text() == "precious"


def test_cancelling_a_creation_leaves_nothing(tmp_path: Path) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(images.create(tmp_path / "disk", "vhdx", 64 * MiB, fixed=True))
        while not os.listdir(tmp_path):  # noqa: PTH208  (asynchronous code may not use Path)
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []


def test_no_parser_runs_away_with_memory(tmp_path: Path) -> None:
    """prlimit's limits reach the child: a qemu-img that wants more than it may have fails instead of growing."""
    outcome = asyncio.run(qemu_img("info", "/dev/null", limits=("--as=1000000",)))
    assert outcome.status != 0
    assert json.loads(asyncio.run(qemu_img("info", "--output=json", "-f", "raw", __file__)).output)


def test_without_qemu_img_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks) as caught:
        asyncio.run(images.create(tmp_path / "disk", "qcow2", GiB))
    assert "qemu-utils" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
