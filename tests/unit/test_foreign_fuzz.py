# SPDX-License-Identifier: GPL-2.0-or-later
"""Damaged descriptions of machines: whatever is in them, only errors of our own come out."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import foreign_makers as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.foreign import hyperv, hyperv_xml, manifest, ova, ovf_hardware, vmcx_keys
from kiban.adapters.foreign.blob import Blob
from kiban.errors import BadInput
from kiban.model.foreign import ForeignMachine

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9)), max_size=6)

SEEDS: dict[str, bytes] = {
    "vmcx": make.vmcx(make.generation2()),
    "xml": make.xml(make.generation2(), encoding="utf-8"),
    "utf-16": make.xml(make.generation2()),
    "ovf": make.ovf(),
    "ova": make.ova(("vm.ovf", make.ovf()), ("disk1.vmdk", b"DISK")),
    "mf": b"SHA1(vm.ovf)= " + b"0" * 40 + b"\n",
}


def read(form: str, data: bytes) -> Any:
    """Everything that is done with a file of this form."""
    blob = Blob(data, f"fuzz.{form}")
    if form == "vmcx":
        return hyperv.describe(vmcx_keys.read_settings(blob), "vmcx", blob.name)
    if form in ("xml", "utf-16"):
        return hyperv.describe(hyperv_xml.read_settings(blob), "xml", blob.name)
    if form == "ovf":
        return ovf_hardware.describe(blob)[0]
    return ova.members(blob) if form == "ova" else manifest.read_manifest(blob)


@pytest.mark.parametrize("form", SEEDS)
def test_the_seeds_are_valid(form: str) -> None:
    assert read(form, SEEDS[form])


@pytest.mark.parametrize("form", SEEDS)
@QUICK
@given(changes=CHANGES, end=st.one_of(st.none(), st.floats(0, 1)))
def test_damaged_files(form: str, changes: list[tuple[float, bytes]], end: float | None) -> None:
    data = bytearray(SEEDS[form])
    for place, change in changes:
        offset = int(place * len(data))
        data[offset : offset + len(change)] = change
    cut = len(data) if end is None else int(end * len(data))
    with suppress(BadInput):
        read(form, bytes(data[:cut]))


@pytest.mark.parametrize("form", SEEDS)
@QUICK
@given(data=st.binary(max_size=3000))
def test_any_bytes(form: str, data: bytes) -> None:
    with suppress(BadInput):
        read(form, data)


FIELDS = st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 2, 6, 8, 16, 20]), st.integers(0, 0xFFFFFFFF))


@QUICK
@given(fields=st.lists(FIELDS, min_size=1, max_size=8))
def test_settings_with_fields_that_lie_and_checksums_that_fit(fields: list[tuple[int, int, int]]) -> None:
    """Damage that the checksums do not show: sizes, types, parents and lengths of names of whole entries."""
    builder = make.Vmcx({"configuration": make.generation2()})
    raw = builder.tables[0]
    starts, at = [], 10
    while at < len(raw):
        starts.append(at)
        at += struct.unpack_from("<I", raw, at + 2)[0]
    image = bytearray(builder.done())
    for number, field, value in fields:
        at = starts[number % len(starts)]
        (size,) = struct.unpack_from("<I", raw, at + 2)
        form = "<B" if field in (0, 1, 20) else "<H" if field == 6 else "<I"
        struct.pack_into(form, raw, at + field, value & (256 ** struct.calcsize(form) - 1))
        raw[at : at + size] = make.sealed(bytes(raw[at : at + size]), 12) if field != 2 else raw[at : at + size]
        struct.pack_into("<I", raw, at + 2, size if field != 2 else value)
    image[make.TABLES_AT : make.TABLES_AT + make.PAGE] = make.filled(bytes(raw))
    with suppress(BadInput):
        machine = read("vmcx", bytes(image))
        assert isinstance(machine, ForeignMachine)


VALUES = st.recursive(
    st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.booleans(), st.text(max_size=8), st.binary(max_size=9)),
    lambda inner: st.dictionaries(st.sampled_from(["name", "controller0", "drive0", "bank", "size", "x"]), inner),
    max_leaves=4,
)
PATHS = st.sampled_from(
    [
        "properties/name",
        "properties/subtype",
        "properties/creation_time",
        "settings/memory/bank/size",
        "settings/memory/bank",
        "settings/processors/count",
        "manifest/vdev002",
        "manifest/vdev002/device",
        "manifest/vdev003/instance",
        f"_{make.A}_/controller0",
        f"_{make.A}_/controller0/drive0/pathname",
        f"_{make.C}_/MacAddress",
        f"_{make.BIOS}_",
    ]
)


@QUICK
@given(path=PATHS, value=VALUES)
def test_settings_of_any_type_anywhere(path: str, value: Any) -> None:
    tree = make.generation2()
    at = tree
    *parents, last = path.split("/")
    for name in parents:
        at = at[name]
    at[last] = value
    with suppress(BadInput):
        assert isinstance(read("vmcx", make.vmcx(tree)), ForeignMachine)


NUMBERS = st.sampled_from(
    ["", "-1", "0", "3", "17", "99999999999999999999", "1" * 30, "x", "\N{ARABIC-INDIC DIGIT FIVE}"]
)


@QUICK
@given(kind=NUMBERS, number=NUMBERS, parent=NUMBERS, quantity=NUMBERS, resource=st.text("/:diskfle.x12", max_size=20))
def test_hardware_with_any_numbers(kind: str, number: str, parent: str, quantity: str, resource: str) -> None:
    values = {"Parent": parent, "AddressOnParent": quantity, "VirtualQuantity": quantity, "HostResource": resource}
    odd = make.item(7, number, **values).replace("ResourceType>7<", f"ResourceType>{kind}<")
    with suppress(BadInput):
        assert isinstance(read("ovf", make.ovf(make.HARDWARE + odd)), ForeignMachine)
