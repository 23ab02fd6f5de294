# SPDX-License-Identifier: GPL-2.0-or-later
"""How all machines stand with their Secure Boot keys, as it is answered: the result of the audit's job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from kiban.model.bootcheck import Reason, Verdict
from kiban.model.states import State
from kiban.wire.base import Sent


class Outlook(Sent):
    """What a machine would boot, in short."""

    verdict: Verdict
    reason: Reason
    sentence: str


class Audited(Sent):
    """One machine; nothing is said about keys where it has none (generation 1) or where there is a problem."""

    machine: str = Field(examples=["web"])
    generation: int
    """0 when the machine's definition cannot be read."""
    state: State
    problem: str
    """Why nothing can be said; empty normally."""
    secure_boot: bool
    setup_mode: bool
    authorities: Literal["2011-only", "2023-ready", "2023-only", "none", ""]
    """Microsoft's authorities in db; none where the machine has keys of its own, or no keys (setup mode)."""
    dbx_date: str = Field(examples=["2026-04-09"])
    """Day of the newest of Microsoft's revocations in dbx; empty for none."""
    missing: int
    """Revocations that an update would add."""
    lacks: list[str]
    """All that an update would add."""
    now: Outlook | None
    """What it would boot with its present keys."""
    after: Outlook | None
    """The same with the keys of after an update."""
    tpm: bool
    action: Literal["", "look", "update", "new-loader", "mend"]
    """What is to be done: nothing; look at what cannot be read; update; put a newer loader in place, which an update
    would not refuse; mend what is refused and what no update changes."""
    command: str
    """The one command that does it; may be empty."""
    notes: list[str]


def plain(rows: Iterable[object]) -> list[Mapping[str, Any]]:
    """All rows as plain JSON, which is what a job keeps."""
    return [Audited.model_validate(row).model_dump(mode="json") for row in rows]
