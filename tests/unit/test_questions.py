# SPDX-License-Identifier: GPL-2.0-or-later
"""Which answers of terminals go to a guest that asked."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.engine.questions import MOST, SOON, Questions

ANSWERS = [
    (b"\x1b[c", b"\x1b[?1;2c"),
    (b"\x1b[0c", b"\x1b[?6c"),
    (b"\x1b[>c", b"\x1b[>0;276;0c"),
    (b"\x1b[5n", b"\x1b[0n"),
    (b"\x1b[6n", b"\x1b[24;80R"),
    (b"\x1b[?6n", b"\x1b[?24;80R"),
    (b"\x1b[4$p", b"\x1b[4;2$y"),
    (b"\x1b[?2026$p", b"\x1b[?2026;0$y"),
    (b"\x1bP$qm\x1b\\", b"\x1bP1$r0m\x1b\\"),
    (b"\x1b]11;?\x07", b"\x1b]11;rgb:1a1a/1a1a/1a1a\x1b\\"),
    (b"\x1b]4;255;?\x1b\\", b"\x1b]4;255;rgb:eeee/eeee/eeee\x1b\\"),
]
"""What is asked, and what xterm.js answers."""
KEYS = [b"a", b"\r", b"\x1b", b"\x1b[A", b"\x1b[1;2R", b"\x1b[1;8R", b"\x1bOR", b"\x1b[15~", b"\x1b[200~0n\x1b[201~"]


@pytest.mark.parametrize(("asked", "answer"), ANSWERS)
def test_the_first_answer_to_a_question_is_taken(asked: bytes, answer: bytes) -> None:
    there = Questions()
    assert not there.take(answer), "nobody has asked"
    there.hear(b"login: " + asked + b"\r\n")
    others = [other for question, other in ANSWERS if other[-1:] != answer[-1:] and question != asked]
    assert not any(there.take(other) for other in others), "that is not what was asked"
    assert [there.take(answer) for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(("asked", "answer"), ANSWERS)
def test_a_question_may_come_in_pieces_and_counts_once(asked: bytes, answer: bytes) -> None:
    for cut in range(len(asked) + 1):
        there = Questions()
        for piece in (b"x" + asked[:cut], asked[cut:] + b"y", b"z"):
            there.hear(piece)
        assert [there.take(answer), there.take(answer)] == [True, False], cut


def test_each_of_several_questions_has_its_answer() -> None:
    there = Questions()
    there.hear(b"\x1b[6n\x1b[6n")
    assert [there.take(b"\x1b[2;1R") for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_no_answers(key: bytes) -> None:
    assert Questions().take(key)


def test_an_answer_that_comes_late_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Questions()
    there.hear(b"\x1b[6n")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + SOON + 1)
    assert not there.take(b"\x1b[2;2R")
    there.hear(b"\x1b[6n")
    assert there.take(b"\x1b[2;2R")


def test_a_guest_that_asks_for_ever_fills_nothing() -> None:
    there = Questions()
    there.hear(b"\x1b[5n" * 10 * MOST)
    assert [there.take(b"\x1b[0n") for _ in range(MOST + 1)] == [True] * MOST + [False]


@given(st.lists(st.binary()))
def test_whatever_is_said_is_heard(said: list[bytes]) -> None:
    there = Questions()
    for piece in said:
        there.hear(piece)
        there.take(piece)
