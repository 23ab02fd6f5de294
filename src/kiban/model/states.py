# SPDX-License-Identifier: GPL-2.0-or-later
"""The states of a machine, and the one table that says which operation is allowed in which.

    start            shut down / turn off
off ─────► starting ─► running ─────► stopping ─► off
 ▲                      │  ▲                       ▲
 │ discard        pause ▼  │ resume                │ save, once the memory is on disk
saved ◄───────────── paused ───────────────────────┘
      (start restores a saved machine)
"""

from __future__ import annotations

from typing import Literal

from kiban.errors import Conflict

State = Literal["off", "starting", "running", "paused", "saved", "stopping"]

ALIVE: frozenset[State] = frozenset({"starting", "running", "paused", "stopping"})
"""States in which a QEMU process exists."""

ALLOWED: dict[str, frozenset[State]] = {
    "start": frozenset({"off", "saved"}),
    "shut down": frozenset({"running"}),
    "turn off": frozenset({"starting", "running", "paused", "stopping"}),
    "restart": frozenset({"running"}),
    "reset": frozenset({"running", "paused"}),
    "pause": frozenset({"running"}),
    "resume": frozenset({"paused"}),
    "save": frozenset({"running", "paused"}),
    "discard": frozenset({"saved"}),
    "edit offline": frozenset({"off"}),
    "edit": frozenset({"off", "running", "paused"}),
    "export": frozenset({"off"}),
    "remove": frozenset({"off", "saved"}),
    "look at": frozenset({"running", "paused", "stopping"}),
    "type into": frozenset({"running", "stopping"}),
}

_WORDS = {
    "edit offline": "make this change to",
    "edit": "change",
    "discard": "discard the saved memory of",
}
"""Operations whose name in the table does not read well in a sentence."""

_HINTS: dict[State, str] = {
    "off": "Start it first: kiban start {name}",
    "starting": "It is starting; wait, or turn it off: kiban stop --force {name}",
    "running": "Stop it first: kiban stop {name}",
    "paused": "Resume it first: kiban resume {name}",
    "saved": "Start it to restore its memory (kiban start {name}), or give the memory up: kiban discard {name}",
    "stopping": "It is shutting down; wait, or turn it off: kiban stop --force {name}",
}


_ENDS = frozenset({"shut down", "turn off"})
_ENDED: dict[State, str] = {
    "off": "There is nothing to be done; why it is off: kiban info {name}",
    "saved": "It does not run; to give its memory up: kiban discard {name}",
}
"""Hints to who wants a machine to end that does not run."""


def check(operation: str, state: State, name: str) -> None:
    """Raise Conflict unless `operation` (a key of ALLOWED) may be done to machine `name` in `state`."""
    if state not in ALLOWED[operation]:
        hint = _ENDED.get(state) if operation in _ENDS else None
        raise Conflict(
            f"Cannot {_WORDS.get(operation, operation)} {name}: it is {state}.",
            (hint or _HINTS[state]).format(name=name),
            code=f"is-{state}",
        )
