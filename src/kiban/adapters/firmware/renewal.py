# SPDX-License-Identifier: GPL-2.0-or-later
"""Microsoft's change of authorities from 2011 to 2023, and its list of revoked loaders: what a machine has and lacks.

A machine is brought up to date only with the successors of what it trusts already: one that trusts no Microsoft
authority gets none. The pairs are those of microsoft/secureboot_objects, PostSignedObjects/Optional/DB and KEK; its
optional revocations (the Windows authority of 2011, least versions of boot managers) are left to the guest's owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from kiban.adapters.firmware import siglist, templates
from kiban.adapters.firmware.keys import Database, Keys
from kiban.adapters.firmware.siglist import Entry

Authorities = Literal["2011-only", "2023-ready", "2023-only", "none"]
"""Which of Microsoft's authorities may sign loaders: 2023-ready has the successor of each one of 2011."""

_SUCCESSORS: dict[Database, dict[str, str]] = {
    "KEK": {"microsoft.com/ms-kek-2011": "microsoft.com/ms-kek-2023"},
    "db": {
        "microsoft.com/ms-uefi-2011": "microsoft.com/ms-uefi-2023",
        "microsoft.com/windows-2011": "microsoft.com/windows-2023",
    },
}


def lacking(present: Keys) -> dict[Database, tuple[Entry, ...]]:
    """What an update adds: successors of authorities that are trusted already, and revocations that are missing."""
    added: dict[Database, tuple[Entry, ...]] = {
        database: tuple(siglist.missing(_successors(present, database), present.of(database)))
        for database in _SUCCESSORS
    }
    added["dbx"] = tuple(siglist.missing(templates.revoked(), present.dbx)) if _follows_microsoft(present) else ()
    return {database: entries for database, entries in added.items() if entries}


def authorities(present: Keys) -> Authorities:
    """How far the change has come in db. That KEK lacks its successor shows in `lacking`."""
    trusted = _keys(present.db)
    old = [name for name in _SUCCESSORS["db"] if _in(name, trusted)]
    new = [name for name in _SUCCESSORS["db"].values() if _in(name, trusted)]
    if not old:
        return "2023-only" if new else "none"
    return "2023-ready" if all(_SUCCESSORS["db"][name] in new for name in old) else "2011-only"


def list_date(dbx: Iterable[Entry]) -> str:
    """The day (ISO 8601) of the newest of Microsoft's revocations that is in a dbx; "" when there is none."""
    known = _keys(dbx)
    days = [
        day
        for day, digests in templates.revoked_by_date().items()
        if any((siglist.SHA256, digest) in known for digest in digests)
    ]
    return max(days, default="")


def _successors(present: Keys, database: Database) -> list[Entry]:
    trusted = _keys(present.of(database))
    return [templates.certificate(new) for old, new in _SUCCESSORS[database].items() if _in(old, trusted)]


def _follows_microsoft(present: Keys) -> bool:
    """Its list is for those who trust it, and for those who took it over already."""
    return authorities(present) != "none" or list_date(present.dbx) != ""


def _in(name: str, trusted: set[tuple[object, bytes]]) -> bool:
    return templates.certificate(name).key in trusted


def _keys(entries: Iterable[Entry]) -> set[tuple[object, bytes]]:
    return {entry.key for entry in entries}
