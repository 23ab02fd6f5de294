# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of `kiban demo` that need no guest: pictures and what is read off them, the table, its machines."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.client import Client
from kiban.demo import machines, png, refusal, table
from kiban.demo.boot import seconds
from kiban.demo.hardware import MANY, SINGLE, Hardware
from kiban.demo.png import Picture, decode
from kiban.demo.show import blocks
from kiban.errors import BadInput, Conflict, Failed, KibanError

BLACK, GREY, BLUE, RED = b"\0\0\0", b"\x98\x98\x98", b"\0\0\xaa", b"\xaa\0\0"


def encode(picture: Picture, filters: bytes = b"\0") -> bytes:
    """A PNG of a picture, its rows filtered in turn by `filters`; written after the standard, not after the reader."""
    data, above = bytearray(), bytes(3 * picture.width)
    for number, row in enumerate(picture.rows):
        kind = filters[number % len(filters)]
        data.append(kind)
        data += bytes((value - _guess(kind, row, above, at)) % 256 for at, value in enumerate(row))
        above = row
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tEXt", b"ignored"), (b"IDAT", zlib.compress(bytes(data))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _guess(kind: int, row: bytes, above: bytes, at: int) -> int:
    a, b, c = (row[at - 3] if at > 2 else 0), above[at], (above[at - 3] if at > 2 else 0)
    p = a + b - c
    paeth = sorted([(abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c)])[0][2]
    return (0, a, b, (a + b) // 2, paeth)[kind]


def screen(width: int, height: int, colour: bytes) -> Picture:
    return Picture(width, height, [colour * width] * height)


def with_words(left: int, top: int) -> Picture:
    """A black screen on which the firmware's words stand."""
    rows = [bytearray(BLACK * 640) for _ in range(80)]
    for y, word in enumerate(png._WORDS):
        for x, lit in enumerate(word):
            if lit:
                rows[top + y][3 * (left + x) : 3 * (left + x) + 3] = GREY
    return Picture(640, 80, [bytes(row) for row in rows])


# pictures


@given(st.data(), st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(1, 9), st.integers(1, 9))
def test_a_picture_is_read_whatever_its_filters(data: st.DataObject, kinds: list[int], width: int, height: int) -> None:
    rows = [data.draw(st.binary(min_size=3 * width, max_size=3 * width)) for _ in range(height)]
    picture = Picture(width, height, rows)
    assert decode(encode(picture, bytes(kinds))) == picture


@given(st.binary(max_size=300))
def test_no_nonsense_behind_the_signature_breaks_the_reader(tail: bytes) -> None:
    with pytest.raises(BadInput):
        decode(b"\x89PNG\r\n\x1a\n" + tail)


@pytest.mark.parametrize("size", [(1, 0), (100_000, 100_000), (4, 5)])
def test_a_picture_that_claims_another_size_is_refused(size: tuple[int, int]) -> None:
    good = encode(screen(4, 4, GREY))
    with pytest.raises(BadInput):
        decode(good.replace(struct.pack(">II", 4, 4), struct.pack(">II", *size)))


@pytest.mark.parametrize("place", [(0, 0), (536, 68), (815, 23), (17, 5)])
def test_the_firmwares_words_are_found_where_they_stand(place: tuple[int, int]) -> None:
    left, top = min(place[0], 536), place[1]
    assert with_words(left, top).access_denied() == (left, top, 104, 12)


def test_a_refusal_and_a_start_are_told_apart() -> None:
    denied, other = with_words(16, 16), with_words(16, 16)
    other.rows[20] = GREY * 640  # one line of the words is not theirs
    empty, memtest = screen(64, 48, BLUE), screen(64, 48, BLUE)
    memtest.rows[3] = BLUE * 63 + RED
    expected = [(denied, (True, False)), (other, (False, False)), (empty, (False, False)), (memtest, (False, True))]
    for picture, verdict in expected:
        assert (refusal.refused(picture), refusal.started(picture)) == verdict


def test_blocks_show_two_pixels_in_a_character() -> None:
    picture = Picture(2, 2, [GREY + BLACK, BLUE + GREY])
    text = blocks(picture, (0, 0, 2, 2), 2)
    assert text.plain == "  ▀▀"
    assert [str(span.style) for span in text.spans] == [
        "rgb(152,152,152) on rgb(0,0,170)",
        "rgb(0,0,0) on rgb(152,152,152)",
    ]


def test_blocks_make_a_large_screen_as_wide_as_asked() -> None:
    lines = blocks(screen(640, 480, BLUE), (0, 0, 640, 480), 80).plain.splitlines()
    assert {len(line) for line in lines} == {2 + 80}
    assert len(lines) == 30


# what the guest says


@pytest.mark.parametrize(("said", "meant"), [(b"12.5\n", 12.5), (b"12.50 99.1\n", 12.5)])
def test_the_guests_clock_is_read(said: bytes, meant: float) -> None:
    assert seconds(said) == meant


@pytest.mark.parametrize("said", [b"", b"\n", b"n/a", b"0.000000", b"-3", b"nan", b"inf", b"\xff\xfe", b"1e9"])
def test_a_guest_that_talks_nonsense_about_time_is_not_believed(said: bytes) -> None:
    with pytest.raises(Failed):
        seconds(said)


def seen(**said: Any) -> Hardware:
    empty: Hardware = {**dict.fromkeys(SINGLE, ""), **{key: [] for key in MANY}}
    return empty | {"firmware": "UEFI", "firmware_vendor": "EDK II", "cpus": "2", "memory_kib": "1048576"} | said


TOLD = {"cpus": "2048", "memory_kib": "2097152"}
SHOWN = sorted({*SINGLE, *MANY} - {"input"})  # what stands there stands under PS/2 and USB already


@pytest.mark.parametrize("key", SHOWN)
def test_the_table_shows_each_thing_in_the_cell_of_the_guest_that_told_it(key: str) -> None:
    text = TOLD.get(key, "something")
    told = seen(**{key: [text] if key in MANY else text})
    (changed,) = [row for row in table.rows(seen(), told) if row[1] != row[2]]
    assert ("2048 MiB" if key == "memory_kib" else text) in changed[2]
    assert table.rows(told, seen()) == [(label, right, left) for label, left, right in table.rows(seen(), told)]


def test_what_a_guest_has_not_is_said_to_be_none() -> None:
    found = table.rows(seen(), seen(floppy=["controller", "drive fd0"]))
    assert ("floppy", "none", "controller\ndrive fd0") in found


def test_pci_numbers_get_the_names_of_their_devices() -> None:
    assert table.named("SCSI 1af4:1048 virtio-pci") == "SCSI virtio 1af4:1048 virtio-pci"
    assert table.named("dead:beef none") == "dead:beef none"


# machines


class Host:
    """Machines by name; what is done to them."""

    def __init__(self, **notes: str) -> None:
        self.there = {name.replace("_", "-"): note for name, note in notes.items()}
        self.states = dict.fromkeys(self.there, "off")
        self.calls: list[str] = []

    def jobs(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(id="a", ended=None, machine="demo-gen1"),
            SimpleNamespace(id="b", ended=None, machine="somebody-elses"),
            SimpleNamespace(id="c", ended="2026-01-01T00:00:00+00:00", machine="demo-gen1"),
        ]

    def job(self, job: str, *, wait: float) -> None:
        self.calls.append(f"wait for {job}")

    def machines(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=n, notes=note, state=self.states[n]) for n, note in self.there.items()]

    def stop(self, name: str, *, force: bool) -> None:
        self.calls.append(f"stop {name} {force}")

    def discard(self, name: str) -> None:
        self.calls.append(f"discard {name}")

    def remove(self, name: str) -> None:
        self.calls.append(f"remove {name}")
        del self.there[name]


def fresh(host: Host, *, keep: bool) -> Any:
    return machines.fresh(cast("Client", host), keep=keep)


def test_leftovers_of_an_earlier_demo_are_removed_and_other_machines_are_not() -> None:
    host = Host(demo_gen1=machines.NOTE, demo_gen2=machines.NOTE, demo_refused=machines.NOTE, web="")
    host.states |= {"demo-gen1": "running", "demo-gen2": "saved"}
    with fresh(host, keep=True):
        assert list(host.there) == ["web"]
    assert host.calls == [
        *("wait for a", "stop demo-gen1 True", "remove demo-gen1"),
        *("discard demo-gen2", "remove demo-gen2", "remove demo-refused"),
    ]


def test_a_machine_that_is_not_the_demos_is_left_alone() -> None:
    host = Host(demo_gen1=machines.NOTE, demo_gen2="my precious")
    with pytest.raises(Conflict, match="demo-gen2"), fresh(host, keep=False):
        pytest.fail("the demo began all the same")
    assert list(host.there) == ["demo-gen1", "demo-gen2"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), KibanError("something")])
def test_a_demo_that_ends_early_leaves_nothing_even_when_asked_to_keep(error: BaseException) -> None:
    host = Host()

    def demo() -> None:
        with fresh(host, keep=True):
            host.there["demo-gen1"], host.states["demo-gen1"] = machines.NOTE, "running"
            raise error

    with pytest.raises(type(error)):
        demo()
    assert host.there == {}


@pytest.mark.parametrize("keep", [True, False])
def test_a_demo_that_went_well_leaves_what_was_asked_for(keep: bool) -> None:
    host = Host()
    with fresh(host, keep=keep):
        host.there["demo-gen1"], host.states["demo-gen1"] = machines.NOTE, "off"
    assert ("demo-gen1" in host.there) == keep
