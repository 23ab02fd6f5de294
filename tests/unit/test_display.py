# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's screen for viewers: who may what, and what is passed on to QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from engine_world import World, one, run, world
from hypothesis import example, given
from hypothesis import strategies as st

from kiban.adapters.qemu.rfb import MAX_CLIPBOARD, MAX_ENCODINGS, Message, Reader
from kiban.engine import display, life, supervision
from kiban.engine.display import Viewer
from kiban.engine.handle import Handle
from kiban.errors import BadInput, Conflict

GREETING = b"RFB 003.008\n\x01\x01"
FORMAT = bytes(20)
ENCODINGS = b"\x02\x00\x00\x02" + bytes(8)
UPDATE = b"\x03\x00" + struct.pack(">HHHH", 0, 0, 8, 8)
KEY = b"\x04\x01\x00\x00" + struct.pack(">I", 0x61)
QEMU_KEY = b"\xff\x00" + struct.pack(">HII", 1, 0x61, 30)
POINTER = b"\x05\x01" + struct.pack(">HH", 3, 4)
CLIPBOARD = b"\x06\x00\x00\x00" + struct.pack(">i", 5) + b"hello"
EXTENDED = b"\x06\x00\x00\x00" + struct.pack(">i", -4) + b"\x05\x00\x00\x00"  # the clipboard's later form
ALL = [FORMAT, ENCODINGS, UPDATE, KEY, QEMU_KEY, POINTER, CLIPBOARD, EXTENDED]
MOST_KEPT = 4 + 4 * MAX_ENCODINGS


def read(*pieces: bytes) -> list[Message]:
    reader = Reader()
    return [message for piece in pieces for message in reader.feed(piece)]


@given(st.lists(st.sampled_from(ALL), max_size=8), st.lists(st.integers(0, 200), max_size=20))
def test_messages_are_the_same_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = GREETING + b"".join(messages)
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    found = read(*pieces)
    assert found == read(stream)
    whole = [message for message in messages if message[:1] != b"\x06"]
    assert [m.data for m in found if m.kind not in ("greeting", "clipboard")] == whole
    assert b"".join(m.data for m in found[:3]) == GREETING
    assert not any(b"hello" in m.data for m in found)


@given(st.binary(max_size=4000), st.booleans())
@example(b"\x06\x00\x00\x00\x80\x00\x00\x00", True)
@example(b"\x02\x00\xff\xff", True)
def test_whatever_comes_is_refused_or_understood(data: bytes, greeted: bool) -> None:
    reader = Reader()
    with contextlib.suppress(BadInput):
        for start in range(0, len(data), 7):
            list(reader.feed((GREETING if greeted and not start else b"") + data[start : start + 7]))
            assert len(reader._rest) < MOST_KEPT


@pytest.mark.parametrize(
    "said",
    [
        b"RFB 003.003\n",
        b"GET / HTTP/1.1\r\n",
        b"RFB 003.008\n\x02",
        GREETING + b"\x01",
        GREETING + b"\xfa\x00\x01\x02",  # xvp: turn the machine off
        GREETING + b"\xfb\x00\x00\x01",  # SetDesktopSize
        GREETING + b"\xff\x01" + bytes(10),  # QEMU's audio
        GREETING + b"\x02\x00" + struct.pack(">H", MAX_ENCODINGS + 1),
        GREETING + b"\x06\x00\x00\x00" + struct.pack(">i", -MAX_CLIPBOARD - 1),
    ],
)
def test_what_viewers_do_not_need_is_refused(said: bytes) -> None:
    with pytest.raises(BadInput):
        read(said)


# at the fake QEMU


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        monkeypatch.setenv("FAKE_QEMU_HANDS", str(made.root / "hands"))
        yield made


def at(there: World, work: Callable[[Handle], Awaitable[None]], generation: int = 1) -> None:
    """Do something with a machine that runs."""

    async def go() -> None:
        host, handle = await one(there, generation)
        (handle.directory / "nvram.fd").touch()  # the fake QEMU has no firmware that would read it
        await life.start(host, handle)
        await work(handle)
        await supervision.end(handle)

    run(go())


async def greet(viewer: Viewer) -> None:
    await viewer.write(GREETING)
    seen = b""
    while not seen.endswith(b"fake"):
        seen += await viewer.read()


def felt(there: World) -> str:
    hands = Path(there.root / "hands")
    return hands.read_text() if hands.exists() else ""


@pytest.mark.parametrize("hands", [False, True])
def test_only_hands_touch_the_machine(there: World, hands: bool) -> None:
    async def work(handle: Handle) -> None:
        viewer = await display.connect(handle, hands=hands)
        await greet(viewer)
        handle.stirred.clear()
        await viewer.write(KEY + QEMU_KEY + POINTER + CLIPBOARD + UPDATE)
        assert await viewer.read()
        expected = "key 0x61 down\nkey 0x61 down\npointer 1 3 4\n" if hands else ""
        assert felt(there) == expected, "the clipboard stays here in any case"
        assert handle.stirred.is_set() is hands
        viewer.close()

    at(there, work)


def key(*, down: bool, keysym: int = 0x61, keycode: int = 30) -> bytes:
    return b"\xff\x00" + struct.pack(">HII", down, keysym, keycode)


DOWN, UP = "key 0x61 down\n", "key 0x61 up\n"
PLAIN_DOWN, PLAIN_UP = KEY, KEY[:1] + b"\x00" + KEY[2:]
SHIFT = key(down=True, keysym=0xFFE1, keycode=42)
HELD = [
    pytest.param([key(down=True)], DOWN + UP, DOWN, id="never released"),
    pytest.param([PLAIN_DOWN], DOWN + UP, DOWN, id="never released, without a key code"),
    pytest.param([key(down=True), key(down=False)], DOWN + UP, DOWN + UP, id="pressed"),
    pytest.param([PLAIN_DOWN, PLAIN_UP], DOWN + UP, DOWN + UP, id="pressed, without a key code"),
    pytest.param([key(down=True)] * 2, (DOWN + UP) * 2, DOWN * 2, id="repeated by the viewer's keyboard"),
    pytest.param([SHIFT], "key 0xffe1 down\n", "key 0xffe1 down\n", id="Shift"),
    pytest.param(
        [key(down=True), key(down=False, keysym=0x41)],
        DOWN + UP,
        f"{DOWN}key 0x41 up\n",
        id="by its code",
    ),
]


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(("said", "on_usb", "on_ps2"), HELD)
def test_a_key_is_held_as_its_keyboard_wants_it(
    there: World, generation: int, said: list[bytes], on_usb: str, on_ps2: str
) -> None:
    expected = on_usb if generation == 2 else on_ps2
    last = "key 0xffe2 down\n"

    async def work(handle: Handle) -> None:
        viewer = await display.connect(handle, hands=True)
        await greet(viewer)
        for message in (*said, key(down=True, keysym=0xFFE2, keycode=54)):
            await viewer.write(message)
        async with asyncio.timeout(60):
            while not felt(there).endswith(last):
                await asyncio.sleep(0.05)
        assert felt(there) == expected + last
        viewer.close()

    at(there, work, generation)


def test_several_look_but_not_too_many(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "MOST", 2)
    monkeypatch.setattr(display, "FOR_HANDS", 1)

    async def work(handle: Handle) -> None:
        first = await display.connect(handle, hands=False)
        await greet(first)
        with pytest.raises(Conflict, match="1 look"):
            await display.connect(handle, hands=False)
        second = await display.connect(handle, hands=True)
        await greet(second)
        with pytest.raises(Conflict, match="2 look"):
            await display.connect(handle, hands=True)
        first.close()
        second.close()
        async with asyncio.timeout(60):
            while True:  # QEMU notices that they left
                try:
                    (await display.connect(handle, hands=False)).close()
                    return
                except Conflict:
                    await asyncio.sleep(0.05)

    at(there, work)


def test_the_end_of_qemu_ends_the_viewing(there: World) -> None:
    async def work(handle: Handle) -> None:
        viewer = await display.connect(handle, hands=True)
        await greet(viewer)
        await supervision.end(handle)
        assert await viewer.read() == b""
        await viewer.write(KEY)
        viewer.close()
        with pytest.raises(Conflict, match="it is off"):
            await display.connect(handle, hands=True)

    at(there, work)


def test_a_machine_started_by_an_older_kiban_has_no_live_screen(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "no-vnc")

    async def work(handle: Handle) -> None:
        with pytest.raises(Conflict) as refused:
            await display.connect(handle, hands=False)
        assert refused.value.reason == "no-console"
        assert "kiban restart" in refused.value.hint

    at(there, work)
