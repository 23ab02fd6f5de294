# SPDX-License-Identifier: GPL-2.0-or-later
"""Systems that are newer than the host's osinfo-db: by which older one of the same line they are judged.

Debian 12 was released with a database that ends at Debian 11. Ids and labels bear the version as plain numbers
(debian11, win2k22, `Debian 11.5.0 amd64 n`), so the line is told by what stands around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

_ID = re.compile(r"(.+?)(\d+(?:\.\d+)*)")
_NUMBER = re.compile(r"\d{1,4}")
FURTHEST = 10
"""How much newer one may be; a number that is further off is a mistake in writing."""


def stand_in(name: str, released: Mapping[str, date | None]) -> str | None:
    """The last of the known ids, each with its date of release, of the line that `name` continues; None without one."""
    line, asked = _taken_apart(name)
    dates = {known: when for known, when in released.items() if when and line and _taken_apart(known)[0] == line}
    last = max(dates, key=lambda known: (dates[known], _taken_apart(known)[1]), default=None)
    if last is None:
        return None
    version = _taken_apart(last)[1]
    return last if version < asked and asked[0] - version[0] <= FURTHEST else None


def _taken_apart(name: str) -> tuple[str, tuple[int, ...]]:
    match = _ID.fullmatch(name)
    return (match[1], tuple(int(number) for number in match[2].split("."))) if match else ("", ())


def earlier(label: str) -> Iterator[tuple[str, int, int]]:
    """The label with one of its numbers made smaller, the nearest first; that number, and what it became."""
    for step in range(1, FURTHEST + 1):
        for match in _NUMBER.finditer(label):
            number = int(match[0])
            if number > step:
                yield f"{label[: match.start()]}{number - step}{label[match.end() :]}", number, number - step


def renumbered(name: str, known: int, asked: int) -> str:
    """An id with the number `asked` where its version has `known`: debian11 with 11 and 12 is debian12."""
    line, version = _taken_apart(name)
    parts = name[len(line) :].split(".")
    if known in version:
        parts[version.index(known)] = str(asked)
    return line + ".".join(parts)
