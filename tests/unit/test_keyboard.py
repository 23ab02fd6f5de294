# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and text as QEMU's key codes; a real QEMU says which codes there are."""

from __future__ import annotations

import json
import shutil
import string
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.engine import keyboard
from kiban.errors import BadInput


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ("ctrl-alt-delete", ["ctrl", "alt", "delete"]),
        ("Ctrl+Alt+Del", ["ctrl", "alt", "delete"]),
        ("f10", ["f10"]),
        ("enter", ["ret"]),
        ("A", ["a"]),
        ("win-r", ["meta_l", "r"]),
        ("shift-,", ["shift", "comma"]),
        ("page-up", ["pgup"]),
        ("ctrl-page-down", ["ctrl", "pgdn"]),
        ("esc", ["esc"]),
        ("ctrl-minus", ["ctrl", "minus"]),
    ],
)
def test_chords(keys: str, codes: list[str]) -> None:
    assert keyboard.chord(keys) == codes


@pytest.mark.parametrize("keys", ["", "-", "ctrl-", "ctrl--alt", "f13", "ä", "ctrl alt", "x" * 5000])
def test_keys_that_are_not_there(keys: str) -> None:
    with pytest.raises(BadInput, match="no key") as caught:
        keyboard.chord(keys)
    assert caught.value.hint
    assert len(caught.value.message) < 100


def test_more_keys_than_hands() -> None:
    with pytest.raises(BadInput, match="at once"):
        keyboard.chord("-".join("a" * 1000))


@pytest.mark.parametrize(
    ("text", "strokes"),
    [
        ("", []),
        ("aB1", [["a"], ["shift", "b"], ["1"]]),
        ("!\n\t ", [["shift", "1"], ["ret"], ["tab"], ["spc"]]),
        ('?"', [["shift", "slash"], ["shift", "apostrophe"]]),
    ],
)
def test_text(text: str, strokes: list[list[str]]) -> None:
    assert keyboard.strokes(text) == strokes


def test_all_of_ascii_can_be_typed_and_no_two_characters_alike() -> None:
    typed = keyboard.strokes(string.digits + string.ascii_letters + string.punctuation + " \n\t")
    assert len({tuple(stroke) for stroke in typed}) == 10 + 52 + 32 + 3


def test_all_that_cannot_be_typed_is_named_at_once() -> None:
    with pytest.raises(BadInput, match=r"^'é', 'ü' cannot be typed"):
        keyboard.strokes("über été")
    with pytest.raises(BadInput, match="and more cannot be typed"):
        keyboard.strokes("いろはにほへとちりぬるを")


@given(st.characters(exclude_characters=string.printable))
def test_what_is_not_on_a_us_keyboard(character: str) -> None:
    with pytest.raises(BadInput, match="cannot be typed on a US keyboard"):
        keyboard.strokes(f"a{character}")


def test_too_much_text() -> None:
    assert len(keyboard.strokes("a" * keyboard.MAX_TEXT)) == keyboard.MAX_TEXT
    with pytest.raises(BadInput, match="more than"):
        keyboard.strokes("a" * (keyboard.MAX_TEXT + 1))


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_qemu_knows_every_key() -> None:
    commands = [{"execute": c} for c in ("qmp_capabilities", "query-qmp-schema", "quit")]
    done = subprocess.run(
        ["qemu-system-x86_64", "-machine", "none", "-display", "none", "-qmp", "stdio"],
        input="\n".join(json.dumps(c) for c in commands),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    schema = next(r["return"] for r in map(json.loads, done.stdout.splitlines()) if len(r.get("return", {})) > 100)
    codes = next(set(e["values"]) for e in schema if "meta_l" in e.get("values", ()))
    assert codes >= keyboard.KNOWN
