# SPDX-License-Identifier: GPL-2.0-or-later
"""Damaged programs, shims and SBAT data: whatever is asked about them, only errors of our own come out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from bootcheck_images import FALLBACK, SHIM, image, microsoft, real, tiny, trust
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.bootcheck import authenticode, firmware_rule, identify, pe, sbat, shim_rule
from kiban.adapters.bootcheck.decision import Decision
from kiban.errors import KibanError
from kiban.model.trust import Signature, Trust

LEVEL = "sbat,1,2099010100\ngrub,1\n"


def everything(data: bytes, trusted: Trust, loader: pe.Image) -> None:
    """All that may be asked about an image; only errors of our own may come out, and refusals say why."""
    try:
        parsed = pe.from_bytes(data)
    except KibanError:
        return
    assert identify.kind(parsed)
    authenticode.signers(parsed)
    sbat.of_image(parsed)
    firmware_rule.sha256(parsed)
    judges: tuple[Callable[[], Decision], ...] = (
        lambda: firmware_rule.judge(parsed, trusted),
        lambda: shim_rule.judge(parsed, loader, trusted),
        lambda: shim_rule.judge(loader, parsed, trusted, asked=True),
        lambda: shim_rule.starts(parsed, trusted),
    )
    for judge in judges:
        with suppress(KibanError):
            assert judge().because


CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6)


@pytest.mark.parametrize("where", ["headers", "table", "anywhere"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=CHANGES, end=st.one_of(st.none(), st.floats(0, 1)), off=st.booleans())
def test_damaged_programs(where: str, changes: list[tuple[float, bytes]], end: float | None, off: bool) -> None:
    seed = real(FALLBACK)
    start, size = image(FALLBACK).certificate_table
    first, length = {"headers": (0, 0x300), "table": (start, size), "anywhere": (0, len(seed))}[where]
    data = bytearray(seed)
    for place, change in changes:
        offset = first + int(place * length)
        data[offset : offset + len(change)] = change
    cut = len(data) if end is None else int(end * len(data))
    some = (Signature("sha256", bytes(32), ""), microsoft()["2011"])
    everything(bytes(data[:cut]), trust(*microsoft().values(), dbx=some, secure_boot=not off), image(SHIM))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=CHANGES)
def test_damaged_shims(changes: list[tuple[float, bytes]]) -> None:
    seed = image(SHIM)
    vendor = seed.section(".vendor_cert")
    assert vendor is not None
    data = bytearray(real(SHIM))
    for place, change in changes:
        offset = vendor.offset + int(place * place * vendor.size)
        data[offset : offset + len(change)] = change
    everything(bytes(data), trust(microsoft()["2011"], sbat_level=LEVEL), seed)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400))
def test_sbat_data(data: bytes) -> None:
    everything(tiny(sbat=data), trust(), image(SHIM))
    sbat.keeps(data.decode("latin-1"), sbat.ORIGINAL)
    sbat.embedded_levels(data)
