# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a boot has come, look by look, without a machine."""

from __future__ import annotations

import pytest

from kiban.adapters.screen.words import Stage, Words
from kiban.engine.bootrule import KERNEL, LONG, SETTLE, Rule
from kiban.model.outcome import BootState

PLACEHOLDER, FIRMWARE, OTHER = (640, 480), (1280, 800), (1024, 768)


class Boot:
    """A boot that is looked at once a second."""

    def __init__(self, *, fresh: bool = True) -> None:
        self.rule = Rule(fresh=fresh)
        self.seconds = 0.0

    def see(
        self, stage: Stage, size: tuple[int, int] = FIRMWARE, *, read: int = 0, entry: str = "", picture: int = 0
    ) -> BootState:
        self.seconds += 1
        words = Words(stage, entry, "", f"{stage} {entry}", size, picture)
        self.rule.look(words, seconds=self.seconds, read=read)
        return self.rule.state


def test_an_operating_system_takes_the_screen() -> None:
    boot = Boot()
    assert boot.see("dark", PLACEHOLDER) == boot.see("dark") == boot.see("firmware") == "firmware"
    assert boot.see("handed", entry="Boot0000") == "firmware"
    assert boot.see("dark") == "firmware"  # a screen may just have been cleared
    assert (boot.see("dark"), boot.rule.over) == ("started", True)


def test_a_loader_speaks_and_is_watched_on() -> None:
    boot = Boot()
    assert (boot.see("loader"), boot.rule.over) == ("started", False)
    assert boot.see("refused") == "refused"


def test_silence_after_the_handover_is_a_start() -> None:
    boot = Boot()
    states = [boot.see("handed", entry="Boot0000") for _ in range(int(SETTLE) + 1)]
    assert states == ["firmware"] * int(SETTLE) + ["started"]


def test_each_entry_gets_its_own_silence() -> None:
    boot = Boot()
    states = [boot.see("handed", entry=f"Boot000{n}") for n in range(9) for _ in range(3)]
    assert set(states) == {"firmware"}


def test_a_refusal_stays_until_something_boots() -> None:
    boot = Boot()
    assert boot.see("refused", entry="Boot0000") == "refused"
    assert boot.see("refused", entry="Boot0002") == "refused"
    assert boot.rule.words.entry == "Boot0000"
    assert boot.see("firmware") == boot.see("handed", entry="Boot0001") == "refused"
    assert boot.see("loader", entry="Boot0001") == "started"


def test_a_loaders_refusal_is_of_the_entry_that_it_came_from() -> None:
    boot = Boot()
    boot.see("handed", entry="Boot0004")
    boot.see("refused")
    assert boot.rule.words.entry == "Boot0004"


def test_a_failure_is_forgotten_when_somebody_boots_from_the_menu() -> None:
    boot = Boot()
    assert boot.see("failed") == "failed"
    assert boot.see("other") == "failed"
    assert boot.see("firmware") == "firmware"


@pytest.mark.parametrize(("read", "state"), [(KERNEL, "firmware"), (KERNEL + 1, "started")])
def test_a_kernel_that_was_read_while_nobody_looked(read: int, state: BootState) -> None:
    boot = Boot()
    boot.see("dark", read=read)
    assert boot.see("dark", read=read) == state


def test_a_third_mode_is_not_the_firmwares() -> None:
    boot = Boot()
    assert boot.see("dark", PLACEHOLDER) == boot.see("dark") == boot.see("dark") == "firmware"
    assert boot.see("dark", OTHER) == "started"


def test_a_screen_that_is_dark_for_long() -> None:
    boot = Boot()
    assert {boot.see("dark", PLACEHOLDER) for _ in range(2 * int(LONG))} == {"firmware"}  # before any mode was set
    states = [boot.see("dark") for _ in range(2 * int(LONG))]
    assert states[0] == "firmware"
    assert (states[-1], boot.rule.over) == ("started", False)


def test_a_program_in_the_first_mode_when_no_look_fell_into_the_firmwares() -> None:
    boot = Boot()
    assert {boot.see("dark", PLACEHOLDER) for _ in range(2 * int(LONG))} == {"firmware"}
    states = [boot.see("dark", PLACEHOLDER, picture=1 + n) for n in range(int(LONG) + 2)]
    assert states == ["firmware"] * (int(LONG) + 1) + ["started"]


def test_what_is_drawn_in_the_first_mode_is_no_mode_of_its_own() -> None:
    boot = Boot()
    boot.see("dark", PLACEHOLDER)
    boot.see("dark", PLACEHOLDER, picture=1)
    assert boot.see("dark", picture=2) == boot.see("dark", picture=2) == "firmware"
    assert boot.see("dark", OTHER, picture=3) == "started"


def test_of_a_guest_that_ran_before_nothing_is_known_until_it_is_seen() -> None:
    boot = Boot(fresh=False)
    assert boot.see("dark") == boot.see("other") == ""
    assert Boot(fresh=False).see("refused") == "refused"
    assert Boot(fresh=False).see("firmware") == "firmware"
    assert Boot(fresh=False).see("handed", entry="Boot0000") == "firmware"
