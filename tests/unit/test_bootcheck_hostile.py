# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile media: images and volumes made by the tools, then changed, cut and pasted together."""

from __future__ import annotations

import pytest
from disk_makers import DRIVERS, MIB, convert, patterned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vhdx_makers import log_entry, payload_start, seal, with_log

from kiban.adapters.bootcheck.images import open_image
from kiban.adapters.bootcheck.source import Budget, Memory
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
