# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as rows of a table: found, sorted, and cut into pages here, so that a browser gets only what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiban.engine.view import MachineView
from kiban.model.states import ALIVE
from kiban.model.units import format_size
from kiban.web.search import sought
from kiban.web.words import Words

MINUTE, HOUR, DAY = 60, 3600, 86400
ORDER = ("running", "paused", "starting", "stopping", "saved", "off")
SORTS: dict[str, Callable[[MachineView], Any]] = {
    "name": lambda view: _natural(view.name),
    "state": lambda view: (ORDER.index(view.state), _natural(view.name)),
    "generation": lambda view: (view.generation, _natural(view.name)),
    "cpus": lambda view: (view.cpus, _natural(view.name)),
    "memory": lambda view: (view.memory, _natural(view.name)),
    "uptime": lambda view: (view.started is not None, _age(view), _natural(view.name)),
}


@dataclass
class Query:
    """What of the machines a page shows."""

    text: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1
    size: int = 50


@dataclass(frozen=True)
class Found:
    """The rows of a page, and how many machines were found altogether."""

    rows: list[dict[str, Any]]
    total: int
    page: int


def find(machines: Iterable[MachineView], query: Query, words: Words) -> Found:
    """The rows that `query` asks for; the last page where there is no such page any more."""
    wanted = sought(query.text)
    found = [view for view in machines if all(part in _text(view) for part in wanted)]
    found.sort(key=SORTS[query.sort], reverse=query.descending)
    page = max(1, min(query.page, -(-len(found) // query.size)))
    shown = found[(page - 1) * query.size : page * query.size]
    return Found([row(view, words) for view in shown], len(found), page)


def row(view: MachineView, words: Words) -> dict[str, Any]:
    """A machine as the table has it; nothing in it but text and numbers."""
    known = not view.problem
    return {
        "id": view.id,
        "name": view.name,
        "state": view.state,
        "said": words(f"state {view.state}"),
        "note": words.said(_note(view)),
        "generation": view.generation if known else "",
        "cpus": view.cpus if known else "",
        "memory": format_size(view.memory) if known else "",
        "uptime": _uptime(view, words),
        "connect": words("connect to", name=view.name),
        "screen": view.state in ("running", "paused", "stopping"),
    }


def _note(view: MachineView) -> str:
    """What somebody should know of: that it cannot be read, or did not get past its firmware."""
    return view.problem or (view.boot.sentence if view.boot.state in ("refused", "failed") else "")


def _text(view: MachineView) -> str:
    return f"{view.name} {view.id} {view.state} {view.guest} {view.notes}".casefold()


def _natural(name: str) -> list[tuple[int, str]]:
    """web2 before web10."""
    return [(int(part) if part.isdecimal() else -1, part.casefold()) for part in re.split(r"(\d{1,18})", name) if part]


def _age(view: MachineView) -> float:
    if view.started is None or view.state not in ALIVE:
        return 0.0
    return max((datetime.now(UTC) - datetime.fromisoformat(view.started)).total_seconds(), 0.0)


def _uptime(view: MachineView, words: Words) -> str:
    if view.started is None or view.state not in ALIVE:
        return ""
    age = int(_age(view))
    if age < MINUTE:
        return words("moments")
    if age < HOUR:
        return words("minutes", minutes=age // MINUTE)
    if age < DAY:
        return words("hours", hours=age // HOUR, minutes=age % HOUR // MINUTE)
    return words("days", days=age // DAY, hours=age % DAY // HOUR)
