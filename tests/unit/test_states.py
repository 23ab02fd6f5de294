# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of states: which operation is allowed in which, and what the refusal says."""

from __future__ import annotations

from typing import get_args

import pytest

from kiban.errors import Conflict
from kiban.model.states import ALIVE, ALLOWED, State, check

STATES: tuple[State, ...] = get_args(State)

# written out a second time on purpose, the other way round, so that a slip in the table shows
MAY: dict[State, set[str]] = {
    "off": {"start", "edit offline", "edit", "export", "remove"},
    "starting": {"turn off"},
    "running": {
        "shut down", "turn off", "restart", "reset", "pause", "save", "edit", "look at", "type into",
    },
    "paused": {"turn off", "reset", "resume", "save", "edit", "look at"},
    "saved": {"start", "discard", "remove"},
    "stopping": {"turn off", "look at", "type into"},
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", sorted(ALLOWED))
def test_what_is_allowed_when(operation: str, state: State) -> None:
    if operation in MAY[state]:
        check(operation, state, "web")
        return
    with pytest.raises(Conflict) as caught:
        check(operation, state, "web")
    assert caught.value.message.startswith("Cannot ")
    assert caught.value.message.endswith(f" web: it is {state}.")
    assert caught.value.reason == f"is-{state}"
    assert "kiban " in caught.value.hint
    assert "web" in caught.value.hint


def test_every_state_has_a_way_out() -> None:
    for state in STATES:
        assert MAY[state], state
    assert set(STATES) == ALIVE | {"off", "saved"}


def test_what_lives_can_always_be_turned_off() -> None:
    assert ALLOWED["turn off"] == ALIVE


def test_nothing_alive_can_be_removed_or_edited_as_if_it_were_off() -> None:
    assert not ALLOWED["remove"] & ALIVE
    assert not ALLOWED["edit offline"] & ALIVE
