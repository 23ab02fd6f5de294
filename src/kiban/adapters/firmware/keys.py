# SPDX-License-Identifier: GPL-2.0-or-later
"""The four Secure Boot databases of a variable store, PK, KEK, db and dbx, taken out and put back.

Whoever changes keys goes through here, so what the firmware could not read any more is refused in one place. The times
of the variables are kept: the firmware takes a signed update from inside the guest only when it is newer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args
from uuid import UUID

from kiban.adapters.firmware import siglist
from kiban.adapters.firmware.edk2vars import (
    BOOT_ACCESS,
    GLOBAL,
    NON_VOLATILE,
    RUNTIME_ACCESS,
    TIME_AUTHENTICATED,
    Variable,
    VariableStore,
)
from kiban.adapters.firmware.siglist import Entry
from kiban.errors import BadInput

Database = Literal["PK", "KEK", "db", "dbx"]
DATABASES: tuple[Database, ...] = get_args(Database)

SECURITY = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
"""EFI_IMAGE_SECURITY_DATABASE: the vendor of db and dbx."""

MICROSOFT = UUID("77fa9abd-0359-4d32-bd60-28f4e78f784b")
"""Who Microsoft's own updates say put a signature there; ours say the same, or an update would add them again."""

KIBAN = UUID("dd097e06-1496-49eb-9b4f-c4e6bc3cb8a5")
"""Who put the signatures there that a person gave to Kiban."""

_ATTRIBUTES = NON_VOLATILE | BOOT_ACCESS | RUNTIME_ACCESS | TIME_AUTHENTICATED
# EFI_TIME 2010-01-01: older than any signed update.
_LONG_AGO = struct.pack("<HBB12x", 2010, 1, 1)
# OVMF's PcdMaxAuthVariableSize of a 4 MiB build, the header included. The firmware cannot read a larger one, and would
# start with an unreadable dbx.
MAX_VARIABLE = 0x8400
_HEADER = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The signatures of each database."""

    pk: tuple[Entry, ...]
    kek: tuple[Entry, ...]
    db: tuple[Entry, ...]
    dbx: tuple[Entry, ...]

    def of(self, database: Database) -> tuple[Entry, ...]:
        """Those of one database."""
        return {"PK": self.pk, "KEK": self.kek, "db": self.db, "dbx": self.dbx}[database]

    def plus(self, added: Mapping[Database, tuple[Entry, ...]]) -> Keys:
        """These and those of `added` that are not among them yet."""
        return make({d: (*self.of(d), *siglist.missing(added.get(d, ()), self.of(d))) for d in DATABASES})


def make(entries: Mapping[Database, tuple[Entry, ...]]) -> Keys:
    """Keys by the names of their databases; a database that is not named is empty."""
    return Keys(**{database.lower(): tuple(entries.get(database, ())) for database in DATABASES})


def vendor(database: Database) -> UUID:
    """The namespace of a database's variable."""
    return GLOBAL if database in ("PK", "KEK") else SECURITY


def read(store: VariableStore) -> Keys:
    """The keys in a store; a database that is not there is empty. Raises Damaged."""
    return make({d: tuple(siglist.parse(store.get(d, vendor(d)) or b"")) for d in DATABASES})


def write(store: VariableStore, wanted: Keys) -> None:
    """Put `wanted` into a store. A database that stays as it is keeps its very bytes; an emptied one goes.

    Raises BadInput for a database that is larger than the firmware could read.
    """
    present = read(store)
    for database in DATABASES:
        entries = wanted.of(database)
        if entries == present.of(database):
            continue
        before = store.variables.get((database, vendor(database)))
        if not entries:
            store.drop(database, vendor(database))
            continue
        data = siglist.build(entries)
        _check_size(database, data)
        fresh = Variable(database, data, vendor(database), _ATTRIBUTES, _LONG_AGO)
        store.put(fresh if before is None else replace(before, data=data))


def _check_size(database: Database, data: bytes) -> None:
    size = _HEADER + 2 * (len(database) + 1) + len(data)
    if size > MAX_VARIABLE:
        raise BadInput(
            f"{database} would have {size} bytes, and the firmware reads no variable of more than {MAX_VARIABLE}.",
            "Revoke a certificate instead of the hash of each image that it signed",
        )
