# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile media: images and volumes made by the tools, then changed, cut and pasted together."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_makers import DRIVERS, FILES, LOADER, MIB, convert, fat, in_partition, patterned, run, write_tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vhdx_makers import log_entry, payload_start, seal, with_log

from kiban.adapters.bootcheck.volumes.fat import Fat
from kiban.adapters.bootcheck.volumes.firmware import volumes
from kiban.adapters.bootcheck.volumes.folder import Folder
from kiban.adapters.bootcheck.volumes.iso import Iso
from kiban.adapters.images import open_image
from kiban.adapters.images.source import Budget, Memory, Source
from kiban.errors import BadInput, Damaged

# images


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    """Small images of each kind, the VHDX dirty in one of them."""
    folder = tmp_path_factory.mktemp("seeds")
    disk = patterned(folder / "raw", 3 * MIB)
    made = {
        "vhd": ("vhd", ["-o", "subformat=dynamic"]),
        "vhdx": ("vhdx", ["-o", "block_size=1M"]),
        "qcow2": ("qcow2", ["-o", "cluster_size=4k"]),
        "packed": ("qcow2", ["-c"]),
    }
    found = {
        name: (form, convert(disk, folder / name, DRIVERS[form], *options).read_bytes())
        for name, (form, options) in made.items()
    }
    dirty = bytearray(found["vhdx"][1])
    data = payload_start(dirty)
    with_log(dirty, MIB - 4096, [log_entry(3, MIB - 4096, [(data, b"\3" * 4096), (data + 4096, 4096)], len(dirty))])
    return found | {"dirty": ("vhdx", bytes(dirty))}


def tables_of(form: str, data: bytes) -> list[tuple[int, int]]:
    """Where the format's own tables lie, which is where changing a byte does most."""
    if form == "vhdx":
        return [(64 << 10, 96), (192 << 10, 80), (MIB, 256), (2 * MIB, 65600), (3 * MIB, 64)]
    return [(0, 2048), (len(data) - 512, 512), (65536, 512), (196608, 1024), (262144, 1024), (12288, 4096)]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_hostile_image_is_read_or_refused_within_its_budget(
    choice: st.DataObject, seeds: dict[str, tuple[str, bytes]]
) -> None:
    form, seed = seeds[choice.draw(st.sampled_from(sorted(seeds)))]
    image = bytearray(seed)
    for _ in range(choice.draw(st.integers(1, 6))):
        start, length = choice.draw(st.sampled_from(tables_of(form, seed)))
        at = start + choice.draw(st.integers(0, length - 8))
        value = choice.draw(st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8)])))
        image[at : at + len(value)] = value
    if choice.draw(st.booleans()):  # paste one part of it over another
        at, to = (choice.draw(st.integers(0, len(image) - 4096)) for _ in range(2))
        image[to : to + 4096] = image[at : at + 4096]
    if form == "vhdx" and choice.draw(st.booleans()):  # with right checksums, what is inside gets looked at
        for at, size in ((64 << 10, 4096), (128 << 10, 4096), (192 << 10, 64 << 10), (256 << 10, 64 << 10)):
            seal(image, at, size)
    del image[choice.draw(st.one_of(st.just(len(image)), st.integers(0, len(image)))) :]
    budget = Budget(max_bytes=64 * MIB, max_reads=20_000)
    try:
        disk = open_image(Memory(bytes(image), budget), form)
        for at in range(0, min(disk.size, 4 * MIB), 256 << 10):
            count = min(256 << 10, disk.size - at)
            assert len(disk.read(at, count)) == count
    except (BadInput, Damaged) as error:
        assert error.message  # noqa: PT017 - either outcome is right


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_truncated_image_never_reads_wrong(choice: st.DataObject, seeds: dict[str, tuple[str, bytes]]) -> None:
    form, seed = seeds[choice.draw(st.sampled_from(sorted(seeds)))]
    whole = open_image(Memory(seed), form)
    end = choice.draw(st.integers(0, len(seed) >> 16)) << 16  # whole clusters: QEMU too fills the last one with zeros
    try:
        disk = open_image(Memory(seed[:end]), form)
        at = choice.draw(st.integers(0, disk.size >> 16)) << 16
        count = min(512 << 10, disk.size - at)
        assert disk.read(at, count) == whole.read(at, count)
    except Damaged as error:
        assert error.message  # noqa: PT017 - either outcome is right


# volumes

LOADER_PATH = "/EFI/BOOT/BOOTX64.EFI"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file system of each kind, in each kind of partition table, and a CD that is a disk as well."""
    folder = tmp_path_factory.mktemp("media")
    fat12 = fat(folder / "fat12", 2 * MIB, FILES)
    tree = write_tree(folder / "tree", FILES)
    interval = "--interval:appended_partition_2:all::"
    appended: list[str | Path] = ["-append_partition", "2", "0xef", fat12, "-appended_part_as_gpt", "-e", interval]
    iso: list[str | Path] = ["xorriso", "-as", "mkisofs", "-quiet", "-o"]
    run(*iso, folder / "cd", "-R", "-J", *appended, "-no-emul-boot", tree)
    run(*iso, folder / "joliet", "-J", "--norock", tree)
    fat(folder / "fat16", 8 * MIB, FILES, "-c", "1")
    fat(folder / "fat32", 36 * MIB, FILES, "-F", "-c", "1")
    in_partition(folder / "gpt", fat12, "gpt", "U")
    in_partition(folder / "mbr", fat12, "dos", "ef")
    return {name: (folder / name).read_bytes() for name in ("fat12", "fat16", "fat32", "gpt", "mbr", "cd", "joliet")}


def loaders(medium: Source, sector: int) -> Iterator[bytes]:
    """What firmware and GRUB would read as the loader, from each place that has a readable one."""
    for volume in volumes(medium, sector):
        for system in (Fat, Iso):
            try:
                found = _loader(system(volume.source))
            except Damaged:
                continue
            if found is not None:
                yield found


def _loader(folder: Folder) -> bytes | None:
    for entry in folder.entries("/EFI"):
        folder.entries(f"/EFI/{entry.name}")
    folder.find("a Folder with a long Name/another one/Configuration of Something.conf")
    file = folder.find(LOADER_PATH)
    return (
        None if file is None else b"".join(file.read(at, min(MIB, file.size - at)) for at in range(0, file.size, MIB))
    )


def seal_gpt(disk: bytearray) -> None:
    struct.pack_into("<I", disk, 512 + 88, zlib.crc32(disk[1024 : 1024 + 128 * 128]))
    disk[512 + 16 : 512 + 20] = bytes(4)
    struct.pack_into("<I", disk, 512 + 16, zlib.crc32(disk[512 : 512 + 92]))


@pytest.mark.parametrize("name", ["fat12", "fat16", "fat32", "gpt", "mbr", "cd", "joliet"])
def test_each_seed_has_its_loader(name: str, media: dict[str, bytes]) -> None:
    assert set(loaders(Memory(media[name]), 512)) == {LOADER}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_hostile_volume_is_read_or_refused_within_its_budget(choice: st.DataObject, media: dict[str, bytes]) -> None:
    name = choice.draw(st.sampled_from(sorted(media)))
    data = bytearray(media[name])
    interesting = [(0, 4096), (0, 90_000), (MIB, 4096), (MIB, 20_000), (32 << 10, 8192), (580_000, 50_000)]
    for _ in range(choice.draw(st.integers(1, 12))):
        start, length = choice.draw(st.sampled_from(interesting))
        at = start + choice.draw(st.integers(0, length))
        value = choice.draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from([b"\xff" * 4, bytes(4)])))
        data[at : at + len(value)] = value
    if choice.draw(st.booleans()):  # paste one part of it over another
        at, to = (choice.draw(st.integers(0, 700)) * 512 for _ in range(2))
        data[to : to + 2048] = data[at : at + 2048]
    if name in ("gpt", "cd") and choice.draw(st.booleans()):
        seal_gpt(data)
    budget = Budget(max_bytes=64 * MIB, max_reads=20_000)
    try:
        for loader in loaders(Memory(bytes(data), budget), choice.draw(st.sampled_from([512, 2048, 4096]))):
            assert len(loader) <= 64 * MIB
    except Damaged as error:
        assert error.message  # noqa: PT017 - either outcome is right


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_a_truncated_volume_never_reads_wrong(choice: st.DataObject, media: dict[str, bytes]) -> None:
    data = media[choice.draw(st.sampled_from(sorted(media)))]
    end = choice.draw(st.one_of(st.integers(0, len(data)), st.integers(0, 600_000)))
    try:
        assert set(loaders(Memory(data[:end]), choice.draw(st.sampled_from([512, 2048])))) <= {LOADER}
    except Damaged as error:
        assert error.message  # noqa: PT017 - either outcome is right
