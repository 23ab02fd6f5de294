# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers with about its library of media. See kiban.client.records."""

from __future__ import annotations

from kiban.client.records import Record

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import ClassVar


class MediumFile(Record):
    """An image of the library; `kind` is iso or floppy, `size` in bytes, `machines` those that have it in a drive."""

    name: str
    path: str
    kind: str
    size: int
    added: str
    machines: list[str]


class Suggestion(Record):
    """A machine of one generation for the system of an ISO, and whether that suits (`ok`); sizes in bytes."""

    generation: int
    ok: bool
    reason: str
    hint: str
    cpus: int
    memory: int
    disk: int
    tpm: bool
    template: str


class Advice(Record):
    """What is known of an ISO; `guest` is empty for one that nobody described, `generation` 0 where neither suits."""

    path: str
    label: str
    guest: str
    name: str
    others: list[str]
    generation: int
    reason: str
    suggestions: list[Suggestion]
    _parts: ClassVar = {"suggestions": Suggestion}
