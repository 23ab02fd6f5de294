# SPDX-License-Identifier: GPL-2.0-or-later
"""Which system an ISO installs or runs, by libosinfo's rules: its labels against the patterns of osinfo-db.

libosinfo calls the order of several matches undefined. Here it is fixed: released before rolling, a matching size
before a label alone, the newest first, but none that was released long after the disc was made. That tells most discs
of Windows 10 from those of 11, and Server 2016 from 2019 and 2022; for the rest, a machine made for 11 suits 10 too.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from kiban.adapters.osinfo import newer
from kiban.adapters.osinfo.database import Database, database
from kiban.adapters.osinfo.iso import IsoLabel, read_label
from kiban.adapters.osinfo.profiles import GuestProfile, MediaRule
from kiban.errors import NotFound

BEFORE_RELEASE = timedelta(days=120)
"""How long before its release a system's discs may be made."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What is known of an ISO; `profile` is None for a disc that nobody described.

    Attributes:
        architecture: osinfo's name (x86_64, i686, aarch64 …), "" where unknown or for several.
        live: it runs a system without installing it.
        others: short ids of further systems whose discs bear the same labels.
    """

    label: IsoLabel
    profile: GuestProfile | None
    architecture: str
    live: bool
    others: tuple[str, ...]


def recognise(iso: Path, known: Database | None = None) -> Recognised:
    """Read an ISO's labels and look them up in `known` (default: the host's database). Blocks: call it in a thread.

    Raises:
        NotFound, NotAllowed, BadInput: the file, see read_label.
        HostLacks: no database.
    """
    label = read_label(iso)
    known = known or database()
    matches = _look_up(label, known) or _newer(label, known)
    matches.sort(key=_rank, reverse=True)
    if not matches:
        return Recognised(label, None, "", False, ())
    found, rule = matches[0]
    others = dict.fromkeys(p.short_id for p, _ in matches if p.id != found.id)
    architecture = rule.architecture if rule.architecture != "all" else ""
    return Recognised(label, found, architecture, rule.live, tuple(others))


def _look_up(label: IsoLabel, known: Database) -> list[tuple[GuestProfile, MediaRule]]:
    matches = [(known.profile(rule.os_id), rule) for rule in known.rules if _matches(rule, label)]
    return [(found, rule) for found, rule in matches if not _too_new(found, label)] or matches


def _too_new(found: GuestProfile, label: IsoLabel) -> bool:
    return bool(found.released and label.made and label.made + BEFORE_RELEASE < found.released)


def _newer(label: IsoLabel, known: Database) -> list[tuple[GuestProfile, MediaRule]]:
    """Matches of a disc that is newer than the database, told by its label: that of an older one but for a number."""
    for text, number, smaller in newer.earlier(label.volume_id):
        for found, rule in _look_up(replace(label, volume_id=text), known):
            with suppress(NotFound):  # not the number of its version
                return [(known.profile(newer.renumbered(found.short_id, smaller, number)), rule)]
    return []


def _matches(rule: MediaRule, label: IsoLabel) -> bool:
    """All patterns found somewhere in their labels; a rule without a size takes any."""
    return (
        rule.volume_size in (0, label.volume_size)
        and _found(rule.volume_id, label.volume_id)
        and _found(rule.system_id, label.system_id)
        and _found(rule.publisher_id, label.publisher_id)
        and _found(rule.application_id, label.application_id)
    )


def _found(pattern: str, text: str) -> bool:
    return not pattern or _compiled(pattern).search(text) is not None


@lru_cache(maxsize=4096)  # more than re's own cache keeps, and as many as the database has
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(r"(?!)")  # something of PCRE's that Python lacks: the rule then matches nothing


def _rank(match: tuple[GuestProfile, MediaRule]) -> tuple[bool, bool, date]:
    found, rule = match
    return found.status != "rolling", rule.volume_size > 0, found.released or date.min
