# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading .vmcx: real ones against an independent reader, and ones of our own for what those do not show."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import foreign_makers as make
import pytest
from specimens import specimen

from kiban.adapters.foreign.blob import Blob
from kiban.adapters.foreign.settings import Setting
from kiban.adapters.foreign.vmcx_keys import read_settings
from kiban.errors import BadInput


def read(data: bytes) -> Setting:
    return read_settings(Blob(data, "vm.vmcx"))


def leaves(setting: Setting, path: str = "") -> Iterator[tuple[str, Any]]:
    for child in setting.children:
        yield f"{path}/{child.name}", child.value
        yield from leaves(child, f"{path}/{child.name}")


def theirs(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        node = isinstance(value, dict)
        yield f"{path}/{name}", None if node else value
        if node:
            yield from theirs(value, f"{path}/{name}")


@pytest.mark.parametrize("name", ["test.vmcx", "test.VMRS"])
def test_a_real_file_holds_what_an_independent_reader_finds(name: str) -> None:
    """The other reader keeps one of several settings with one name, so for those ours may only have more."""
    oracle = pytest.importorskip("dissect.hypervisor.descriptor.hyperv", reason="dissect.hypervisor is not installed")
    data = specimen(f"descriptor/hyperv/{name}")
    expected = list(theirs(oracle.HyperVFile(io.BytesIO(data)).as_dict()))
    ours = list(leaves(read(data)))
    assert len(expected) > 20
    assert [leaf for leaf in expected if leaf not in ours] == []
    if name == "test.vmcx":
        assert sorted(ours, key=str) == sorted(expected, key=str)


def test_a_real_file_is_read_in_its_own_order() -> None:
    manifest = read(specimen("descriptor/hyperv/test.vmcx")).below("configuration/manifest")
    assert [s.name for s in manifest][2:] == [f"vdev{n:03}" for n in range(1, 38)]


def test_names_may_repeat() -> None:
    metrics = read(specimen("descriptor/hyperv/test.VMRS")).at("configuration/global_settings/metrics")
    assert metrics is not None
    assert len(list(metrics.all("devicetype"))) == 3


TREE = {"a": {"text": "ä€𝄞", "number": -5, "yes": True, "real": 1.5, "raw": b"\0\1", "long": "x" * 5000, "": ""}}


def test_every_type_is_read() -> None:
    assert list(leaves(read(make.Vmcx(TREE).done()))) == list(theirs(TREE))


def test_more_settings_than_one_table_holds() -> None:
    tree = {"a": {f"key{n}": f"value {n}" for n in range(500)}}
    assert list(leaves(read(make.Vmcx(tree).done()))) == list(theirs(tree))


def headers(first: bytes, second: bytes) -> bytes:
    image = bytearray(make.Vmcx(TREE).done())
    image[:46], image[4096:4142] = first, second
    return bytes(image)


def test_the_newer_header_wins() -> None:
    nowhere = make.header(9, log_at=2 * 4096)  # where there is no log
    good = make.header(8)
    assert read(headers(good, make.header(7, log_at=2 * 4096))).at("a")
    for first, second in [(nowhere, good), (good, nowhere)]:
        with pytest.raises(BadInput, match="replay log is not valid"):
            read(headers(first, second))


def test_a_header_that_was_not_written_whole_is_passed_over() -> None:
    torn = make.header(9, log_at=2 * 4096)[:-1] + b"\xff"
    assert read(headers(torn, make.header(8))).at("a")
    assert read(headers(make.header(8), torn)).at("a")
    with pytest.raises(BadInput, match="neither of its headers") as caught:
        read(headers(torn, torn))
    assert caught.value.reason == "not-a-configuration"


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"format 3\.1; only 4\.0"):
        read(headers(make.header(9, version=0x301), make.header(8)))


# the replay log


def table(text: str) -> bytes:
    """The key table of a tree with one text."""
    return make.filled(bytes(make.Vmcx({"a": {"text": text}}).tables[0]))


def dirty(*entries: tuple[int, bytes]) -> bytes:
    builder = make.Vmcx({"a": {"text": "old"}})
    builder.log = list(entries)
    return builder.done()


def test_what_the_log_still_has_to_write_is_read() -> None:
    image = dirty((make.TABLES_AT, table("new")))
    assert read(image).text("a/text") == "new"
    assert read(dirty()).text("a/text") == "old"


def test_the_log_is_applied_in_order_and_across_pages() -> None:
    both = (make.object_table([(2, make.TABLES_AT, 4096)]).ljust(4096, b"\0"), make.TABLES_AT - 100)
    image = dirty((make.TABLES_AT, table("new")), (both[1], bytes(100) + table("newest")), (2 * 4096, both[0]))
    assert read(image).text("a/text") == "newest"


@pytest.mark.parametrize("place", [0, 34, 34 + 20, 34 + 27, 4096 + 9])
def test_a_damaged_log_is_refused(place: int) -> None:
    image = bytearray(dirty((make.TABLES_AT, table("new"))))
    image[make.LOG_AT + place] ^= 1
    with pytest.raises(BadInput, match="replay log"):
        read(bytes(image))


def test_a_log_that_leads_out_of_the_file_is_refused() -> None:
    with pytest.raises(BadInput, match="other contents"):
        read(dirty((1 << 40, b"x")))


def test_a_log_that_claims_too_many_entries_is_refused() -> None:
    image = bytearray(dirty())
    head = make.sealed(struct.pack("<IIIBI17x", 0x01110003, 0, 1 << 30, 0, 1 << 31), 4)
    image[make.LOG_AT : make.LOG_AT + 34] = head
    with pytest.raises(BadInput, match="cannot hold"):
        read(bytes(image))


# what contradicts itself


def test_every_changed_byte_of_a_setting_is_noticed() -> None:
    image = make.Vmcx({"a": {"text": "value", "number": 3}}).done()
    length = len(make.Vmcx({"a": {"text": "value", "number": 3}}).tables[0])
    for at in range(make.TABLES_AT, make.TABLES_AT + length):
        changed = bytearray(image)
        changed[at] ^= 0x40
        with pytest.raises(BadInput):
            read(bytes(changed))


def rewritten(entry: int, **fields: int) -> bytes:
    """The n-th entry of the table of TREE with other fields, and a checksum that fits."""
    builder = make.Vmcx({"a": {"b": {"text": "value"}}})
    raw = builder.tables[0]
    at = 10
    for _ in range(entry):
        at += struct.unpack_from("<I", raw, at + 2)[0]
    (size,) = struct.unpack_from("<I", raw, at + 2)
    for name, value in fields.items():
        offset, form = {"kind": (0, "B"), "size": (2, "I"), "table": (6, "H"), "parent": (8, "I"), "name": (20, "B")}[
            name
        ]
        struct.pack_into(f"<{form}", raw, at + offset, value)
    raw[at : at + size] = make.sealed(bytes(raw[at : at + size]), 12)
    return builder.done()


@pytest.mark.parametrize(
    ("entry", "fields", "said"),
    [
        (0, {"table": 1, "parent": 10}, "form a loop"),  # its own parent
        (0, {"table": 1, "parent": 56}, "belongs to nothing|form a loop"),
        (2, {"parent": 11}, "belongs to nothing"),
        (2, {"table": 9}, "belongs to nothing"),
        (2, {"size": 1 << 31}, "bytes"),
        (2, {"size": 0}, "bytes"),
        (2, {"name": 255}, "not valid"),
        (2, {"kind": 2}, "unknown type"),
        (2, {"kind": 77}, "unknown type"),
    ],
)
def test_settings_that_lie_are_refused(entry: int, fields: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(rewritten(entry, **fields))


def test_two_nodes_that_are_each_others_parents_are_refused() -> None:
    builder = make.Vmcx({"a": {"b": {"c": {}}}})
    raw = builder.tables[0]
    first = 10
    second = first + struct.unpack_from("<I", raw, first + 2)[0]
    third = second + struct.unpack_from("<I", raw, second + 2)[0]
    struct.pack_into("<I", raw, second + 8, third)
    raw[second:third] = make.sealed(bytes(raw[second:third]), 12)
    with pytest.raises(BadInput, match="form a loop"):
        read(builder.done())


def test_deep_nesting_is_refused() -> None:
    tree: dict[str, Any] = {}
    for _ in range(70):
        tree = {"n": tree}
    with pytest.raises(BadInput, match="nested too deeply"):
        read(make.Vmcx(tree).done())


def test_object_tables_that_form_a_loop_are_refused() -> None:
    image = bytearray(make.Vmcx(TREE).done())
    image[8192:12288] = make.object_table([(2, make.TABLES_AT, 4096), (1, 8192, 4096)]).ljust(4096, b"\0")
    with pytest.raises(BadInput, match="it was there before"):
        read(bytes(image))


def test_a_chain_of_object_tables_is_followed() -> None:
    image = bytearray(make.Vmcx({"a": {"text": "here"}}).done()) + bytes(4096)
    image[8192:12288] = make.object_table([(1, len(image) - 4096, 4096)]).ljust(4096, b"\0")
    image[-4096:] = make.object_table([(2, make.TABLES_AT, 4096)]).ljust(4096, b"\0")
    assert read(bytes(image)).text("a/text") == "here"


def test_the_newer_of_two_tables_with_one_number_is_read() -> None:
    image = bytearray(make.Vmcx({"a": {"text": "old"}}).done()) + bytes(4096)
    at = len(image) - 4096
    newer = bytearray(table("new"))
    newer[:10] = make.sealed(struct.pack("<HHHI", 2, 1, 2, 0), 6)
    image[at:] = newer
    for order in ([make.TABLES_AT, at], [at, make.TABLES_AT]):
        image[8192:12288] = make.object_table([(2, place, 4096) for place in order]).ljust(4096, b"\0")
        assert read(bytes(image)).text("a/text") == "new"
    image[8192:12288] = make.object_table([(2, at, 4096), (2, at, 4096)]).ljust(4096, b"\0")
    with pytest.raises(BadInput, match="two tables"):
        read(bytes(image))


@pytest.mark.parametrize("size", [0, 1, 45, 4096, 8192, 8200, 20_000])
def test_a_file_that_was_cut_off_is_refused(size: int) -> None:
    with pytest.raises(BadInput):
        read(make.vmcx({"properties": {"name": "x"}})[:size])
