# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes: what people write, what they are told."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.errors import BadInput
from kiban.model.units import GiB, KiB, MiB, TiB, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2G", 2 * GiB), ("512M", 512 * MiB), ("1.5T", 3 * TiB // 2), ("20GiB", 20 * GiB), ("20gb", 20 * GiB),
        (" 64 k ", 64 * KiB), ("1B", 1), ("0.5K", 512), ("1024P", 1 << 60), ("1.1G", 1181115904),
    ],
)  # fmt: skip
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0G", "-1G", "+1G", "abc", "2048", "1e9G", "1025P", "9" * 30 + "G", "1GG", "G", "0x10M", "٣G",
             "1.G", ".5G", "0.0001K", "nan", "inf", "2 G B", "1,5G"],
)  # fmt: skip
def test_nonsense_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_size(text)
    assert "20GiB" in caught.value.hint


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_bad_input(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert 0 < parse_size(text) <= 1 << 60


@given(st.integers(1, 1 << 20), st.sampled_from("KMGT"))
def test_what_is_written_comes_back(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * {"K": KiB, "M": MiB, "G": GiB, "T": TiB}[unit]


def test_sizes_for_people() -> None:
    assert [format_size(n) for n in (0, 512, KiB, 1536 * MiB, 20 * GiB, 64 * TiB)] == [
        "0 B", "512 B", "1 KiB", "1.5 GiB", "20 GiB", "64 TiB",
    ]  # fmt: skip
