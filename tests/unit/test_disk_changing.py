# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks converted, cloned, resized, compacted and checked, compared byte by byte by another reader than QEMU's."""

import asyncio
import itertools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk_chains import KEY, SIZE, child, content, digest, empty, make, read, read_chain, run, tool, use, write

from kiban.adapters.disk import chain, changing, images
from kiban.adapters.disk.formats import FORMATS, READABLE
from kiban.adapters.disk.tool import Outcome
from kiban.errors import BadInput, Conflict, HostLacks, KibanError
from kiban.model.units import GiB, MiB, TiB


@pytest.mark.parametrize(("source", "target"), list(itertools.product(READABLE, FORMATS)))
def test_every_byte_survives_a_conversion(tmp_path: Path, source: str, target: str) -> None:
    data = content()
    image = make(tmp_path / f"from.{source}", source, data)
    before = digest(image)
    told: list[float] = []
    run(use(image, source, changing.convert, tmp_path / "to", FORMATS[target], verify=True, done=told.append))
    assert read(tmp_path / "to", target) == data
    assert digest(image) == before
    assert told[-1] == 1.0
    assert sorted(p.name for p in tmp_path.iterdir()) == [image.name, "to"]


@pytest.mark.parametrize("form", FORMATS)
def test_holes_are_not_copied_and_a_fixed_disk_has_its_room(tmp_path: Path, form: str) -> None:
    image = make(tmp_path / "from", "raw", content(size=64 * MiB))
    run(use(image, "raw", changing.convert, tmp_path / "sparse", FORMATS[form]))
    run(use(image, "raw", changing.convert, tmp_path / "fixed", FORMATS[form], fixed=True))
    assert (tmp_path / "sparse").stat().st_blocks * 512 < 20 * MiB
    assert (tmp_path / "fixed").stat().st_blocks * 512 >= 64 * MiB
    assert read(tmp_path / "sparse", form) == read(tmp_path / "fixed", form) == content(size=64 * MiB)


@pytest.mark.parametrize("form", FORMATS)
def test_a_disk_grows_and_keeps_its_content(tmp_path: Path, form: str) -> None:
    data = content()
    image = make(tmp_path / "disk", form, data)
    run(use(image, form, changing.resize, 2 * SIZE))
    assert read(image, form) == data + bytes(SIZE)
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_disk_shrinks_only_where_it_is_empty(tmp_path: Path, form: str) -> None:
    data = content()
    image = make(tmp_path / "disk", form, data)
    run(use(image, form, changing.resize, 2 * SIZE))
    before = digest(image)
    for size, shrink, code in ((SIZE, False, "needs-shrink"), (SIZE - MiB, True, "would-lose-data")):
        with pytest.raises(BadInput) as refused:
            run(use(image, form, changing.resize, size, shrink=shrink))
        assert refused.value.reason == code
    assert digest(image) == before
    run(use(image, form, changing.resize, SIZE, shrink=True))
    assert read(image, form) == data


def test_a_fixed_raw_disk_stays_fixed(tmp_path: Path) -> None:
    run(images.create(tmp_path / "disk", "raw", 4 * MiB, fixed=True))
    run(use(tmp_path / "disk", "raw", changing.resize, 9 * MiB))
    assert (tmp_path / "disk").stat().st_blocks * 512 >= 9 * MiB


@pytest.mark.parametrize("form", FORMATS)
def test_compacting_gives_room_back(tmp_path: Path, form: str) -> None:
    data = content(size=64 * MiB)
    full = bytearray(data)
    full[MiB : 40 * MiB] = b"x" * 39 * MiB
    image = make(tmp_path / "disk", form, bytes(full))
    image.chmod(0o640)
    write(image, MiB, data[MiB : 40 * MiB], form)
    fat = image.stat().st_blocks
    run(use(image, form, changing.rebuild))
    assert image.stat().st_blocks < fat - 30 * MiB // 512
    assert read(image, form) == data
    assert image.stat().st_mode & 0o777 == 0o640


def test_what_would_lose_something_is_not_compacted(tmp_path: Path) -> None:
    image = make(tmp_path / "disk.qcow2", "qcow2", content())
    tool("qemu-img", "snapshot", "-c", "one", image)
    before = digest(image)
    with pytest.raises(BadInput) as refused:
        run(use(image, "qcow2", changing.rebuild))
    assert refused.value.reason == "cannot-rebuild"
    assert digest(image) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_compacted_child_has_the_same_parent_and_content(tmp_path: Path, form: str) -> None:
    """Zeros over its parent's data stay zeros, and take no room; what it never had is still its parent's."""
    lower = make(tmp_path / f"lower.{form}", form, content())
    upper = child(tmp_path / "upper.qcow2", lower, form, size=2 * SIZE)
    for at, data in ((0, bytes(64 * 1024)), (MiB, b"w" * 2 * MiB), (SIZE - 512, b"v" * MiB), (5 * MiB, b"u" * 512)):
        write(upper, at, data)
    write(upper, MiB, bytes(2 * MiB))
    expected, fat, before = read_chain(upper), upper.stat().st_blocks, digest(lower)
    assert expected[:512] == bytes(512) != content()[:512]
    run(use(upper, "qcow2", changing.rebuild))
    assert read_chain(upper) == expected
    assert upper.stat().st_blocks < fat - MiB // 512
    assert digest(lower) == before
    with chain.opened(upper, FORMATS["qcow2"], KEY, strict=True) as links:
        assert [link.real for link in links] == [upper, lower]
    write(lower, MiB, b"x" * 512, form)
    with pytest.raises(Conflict):
        run(use(upper, "qcow2", changing.check))


@pytest.mark.parametrize("form", ["qcow2", "vhdx"])
def test_a_check_finds_what_is_broken(tmp_path: Path, form: str) -> None:
    image = make(tmp_path / "disk", form, content())
    assert run(use(image, form, changing.check)) == changing.Check(known=True)
    if form == "qcow2":
        data = bytearray(image.read_bytes())
        table = int.from_bytes(data[48:56], "big")
        block = int.from_bytes(data[table : table + 8], "big")
        data[block : block + 64] = bytes(64)  # references that are not counted any more
        image.write_bytes(data)
        assert run(use(image, form, changing.check)).errors


def test_a_format_without_a_check_says_so(tmp_path: Path) -> None:
    assert not run(use(make(tmp_path / "disk", "raw", content()), "raw", changing.check)).known


def test_a_clone_is_the_same_file_and_leaves_holes(tmp_path: Path) -> None:
    image = make(tmp_path / "disk.vhdx", "vhdx", content(size=64 * MiB))
    run(use(image, "vhdx", changing.clone, tmp_path / "two.vhdx"))
    assert digest(tmp_path / "two.vhdx") == digest(image)
    assert (tmp_path / "two.vhdx").stat().st_blocks <= image.stat().st_blocks + 64


def test_a_cloned_child_finds_its_parent_from_elsewhere(tmp_path: Path) -> None:
    lower = make(tmp_path / "lower.qcow2", "qcow2", content())
    upper = child(tmp_path / "upper.qcow2", lower)
    write(upper, MiB, b"w" * 4096)
    (tmp_path / "there").mkdir()
    run(use(upper, "qcow2", changing.clone, tmp_path / "there" / "two.qcow2"))
    assert read_chain(tmp_path / "there" / "two.qcow2") == read_chain(upper)
    with chain.opened(tmp_path / "there" / "two.qcow2", FORMATS["qcow2"], KEY, strict=True) as links:
        assert [link.real for link in links] == [tmp_path / "there" / "two.qcow2", lower]


def test_a_clone_of_what_is_being_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make(tmp_path / "disk.raw", "raw", content())

    async def busy(*_: object) -> None:
        os.utime(image)

    monkeypatch.setattr(changing, "copy_into", busy)
    with pytest.raises(Conflict):
        run(use(image, "raw", changing.clone, tmp_path / "two.raw"))
    assert [p.name for p in tmp_path.iterdir()] == ["disk.raw"]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("convert", lambda folder: (folder / "to", FORMATS["raw"])),
        ("resize", lambda _: (2 * SIZE,)),
        ("rebuild", lambda _: ()),
    ],
)
def test_a_disk_in_use_is_left_alone(tmp_path: Path, verb: str, arguments: Callable[[Path], tuple[Any, ...]]) -> None:
    """A QEMU that Kiban does not know of has it: its locks count."""
    image = make(tmp_path / "disk.qcow2", "qcow2", content())
    writer = subprocess.Popen(["qemu-io", "-f", "qcow2", image], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(b"write 0 512\n")
        writer.stdin.flush()
        writer.stdout.readline()
        before = digest(image)
        with pytest.raises(Conflict) as refused:
            run(use(image, "qcow2", getattr(changing, verb), *arguments(tmp_path)))
        assert refused.value.reason == "disk-busy"
        assert digest(image) == before
        assert [p.name for p in tmp_path.iterdir()] == ["disk.qcow2"]
    finally:
        writer.kill()
        writer.communicate()


@pytest.mark.parametrize("verb", ["convert", "rebuild"])
def test_a_cancel_leaves_nothing_and_ends_the_tool(tmp_path: Path, verb: str) -> None:
    image = make(tmp_path / "disk.raw", "raw", os.urandom(64 * MiB))
    before = digest(image)

    async def cancelled() -> None:
        what = changing.rebuild if verb == "rebuild" else changing.convert
        more = () if verb == "rebuild" else (tmp_path / "to", FORMATS["qcow2"])
        task = asyncio.create_task(use(image, "raw", what, *more))
        while not list(tmp_path.glob(".*.part")):
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert [p.name for p in tmp_path.iterdir()] == ["disk.raw"]
    assert digest(image) == before


@pytest.mark.parametrize("size", [64 * TiB + MiB, 1])
def test_sizes_that_no_disk_has(tmp_path: Path, size: int) -> None:
    image = empty(tmp_path / "disk", "qcow2", GiB)
    with pytest.raises(BadInput):
        run(use(image, "qcow2", changing.resize, size, shrink=True))


def test_a_full_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(1, "", "qemu-img: error while writing at byte 0: No space left on device")

    async def full(*_: object, **__: object) -> Outcome:
        return outcome

    image = make(tmp_path / "disk", "raw", content())
    monkeypatch.setattr(changing, "qemu_img", full)
    with pytest.raises(HostLacks):
        run(use(image, "raw", changing.convert, tmp_path / "to", FORMATS["qcow2"]))
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]


def test_every_refusal_has_a_hint(tmp_path: Path) -> None:
    refused: list[KibanError] = []
    for path in (tmp_path / "none", tmp_path):
        try:
            run(use(path, "qcow2", changing.check))
        except KibanError as error:
            refused.append(error)
    assert len(refused) == 2
    assert all(error.hint for error in refused)
