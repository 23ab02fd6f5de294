# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine trusts, read from its variable store: the firmware's databases and shim's own lists.

Works while the machine runs: the store is read, never written. shim's variables count only with the attributes that
shim itself demands: it deletes others, which the running system could have written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from kiban.adapters.firmware import keys, siglist, templates
from kiban.adapters.firmware.edk2vars import BOOT_ACCESS, NON_VOLATILE, RUNTIME_ACCESS, Variable, VariableStore
from kiban.adapters.firmware.keys import Keys
from kiban.adapters.firmware.siglist import Entry
from kiban.model.trust import Signature, Trust

SHIM = UUID("605dab50-e046-4300-abb6-3dd810dd8b23")
"""SHIM_LOCK_GUID: the vendor of MokList, MokListX, MokSBState, MokDBState and SbatLevel."""

ENABLE = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
"""The vendor of EDK2's SecureBootEnable."""

_MAX_SBAT = 16 << 10  # characters; shim's own list has a few hundred


def read(path: Path, template: str = "") -> Trust:
    """What the store in the file `path` says.

    Args:
        path: a machine's NVRAM, a raw flash image.
        template: what the machine is said to be made from; decides where the keys fit several templates.

    Raises:
        NotFound, NotAllowed: the file is not there or not ours to read.
        Damaged: it is no variable store, or one of the firmware's databases cannot be understood.
    """
    return of_store(VariableStore.load(path), template)


def of_store(store: VariableStore, template: str = "") -> Trust:
    """The same of a store that is loaded already. Raises Damaged."""
    return of_keys(keys.read(store), store, template)


def of_keys(present: Keys, store: VariableStore, template: str = "") -> Trust:
    """What a machine with this store would trust if its databases were `present`."""
    return Trust(
        # the firmware's own default is on, and without a platform key it is in setup mode
        secure_boot=bool(present.pk) and store.get("SecureBootEnable", ENABLE) != b"\0",
        template=templates.recognise(present, template),
        pk=_signatures(present.pk),
        kek=_signatures(present.kek),
        db=_signatures(present.db),
        dbx=_signatures(present.dbx),
        mok=_signatures(siglist.parse_whole(_of_shim(store, "MokList"))),
        mokx=_signatures(siglist.parse_whole(_of_shim(store, "MokListX"))),
        sbat_level=_sbat(_of_shim(store, "SbatLevel")),
        # shim takes these two only when they are one byte: mok.c, maybe_mirror_one_mok_variable
        shim_validation=_flag(_of_shim(store, "MokSBState")) == 0,
        shim_uses_db=_flag(_of_shim(store, "MokDBState")) == 0,
    )


def mok_list(entries: Iterable[Entry]) -> Variable:
    """MokList as shim's MokManager writes it: for boot services only."""
    return Variable("MokList", siglist.build(entries), SHIM, NON_VOLATILE | BOOT_ACCESS)


def read_mok(store: VariableStore) -> list[Entry]:
    """The entries of MokList that shim would see."""
    return siglist.parse_whole(_of_shim(store, "MokList"))


def _of_shim(store: VariableStore, name: str) -> bytes:
    variable = store.variables.get((name, SHIM))
    if variable is None:
        return b""
    wanted, barred = NON_VOLATILE | BOOT_ACCESS, RUNTIME_ACCESS
    return variable.data if variable.attributes & (wanted | barred) == wanted else b""


def _flag(data: bytes) -> int:
    return data[0] if len(data) == 1 else 0


def _sbat(data: bytes) -> str:
    return data[:_MAX_SBAT].split(b"\0", 1)[0].decode("ascii", "replace")


def _signatures(entries: Iterable[Entry]) -> tuple[Signature, ...]:
    return tuple(Signature(entry.kind, entry.data, str(entry.owner)) for entry in entries)
