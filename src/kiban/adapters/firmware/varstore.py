# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's UEFI variable store: made from a build's empty one and Secure Boot keys, described, switched.

Switching Secure Boot changes one variable and never a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from kiban.adapters.firmware import keys, siglist, templates
from kiban.adapters.firmware.edk2vars import BOOT_ACCESS, NON_VOLATILE, Variable, VariableStore, peek
from kiban.adapters.firmware.keys import Keys
from kiban.adapters.firmware.trust import ENABLE
from kiban.errors import BadInput, Conflict

_CUSTOM_MODE = UUID("c076ec0c-7028-4399-a072-71ee5c448b9f")
_IN_SHORT = {("SecureBootEnable", ENABLE), *((d, keys.vendor(d)) for d in keys.DATABASES if d != "dbx")}


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store says about Secure Boot in short; `template` is the one that its keys are of."""

    secure_boot: bool
    template: str


def create_store(template_vars: Path, out: Path, wanted: Keys, *, secure_boot: bool = True) -> None:
    """Make a machine's store from a firmware build's empty one. The file is new, or it is not made at all.

    Raises BadInput for keys without a platform key, Conflict when `out` exists, NotFound, NotAllowed, Damaged.
    """
    if out.exists():
        raise Conflict(f"{out} exists and a machine's UEFI variables are not overwritten.")
    check(wanted, secure_boot=secure_boot)
    store = VariableStore.load(template_vars)
    keys.write(store, wanted)
    store.put(Variable("CustomMode", b"\0", _CUSTOM_MODE, NON_VOLATILE | BOOT_ACCESS))
    store.put(_enable(secure_boot))
    store.save(out)


def set_keys(store: VariableStore, wanted: Keys) -> None:
    """Replace all keys by others; whether they are enforced stays. Raises BadInput."""
    check(wanted, secure_boot=store.get("SecureBootEnable", ENABLE) != b"\0")
    keys.write(store, wanted)


def set_secure_boot(store: VariableStore, on: bool) -> None:
    """Switch Secure Boot of a machine that is off; keys stay. Raises BadInput for a store without a platform key."""
    check(keys.read(store), secure_boot=on)
    if store.get("SecureBootEnable", ENABLE) != _enable(on).data:
        store.put(_enable(on))


def check(wanted: Keys, *, secure_boot: bool) -> None:
    """BadInput where Secure Boot is to be on without a platform key: the firmware is then in setup mode."""
    if secure_boot and not wanted.pk:
        raise BadInput(
            "Without a platform key (PK) the firmware stays in setup mode, and Secure Boot cannot be on.",
            "Give a PK, take a template that has one, or switch Secure Boot off",
            code="no-platform-key",
        )


def describe_store(path: Path, said: str = "") -> StoreInfo:
    """What is in a store; works while the machine runs. Quick: the long list of revoked loaders is not read.

    `said` is the template that the machine is said to be made from. Raises NotFound, NotAllowed, Damaged.
    """
    found = peek(path, _IN_SHORT)
    data = {name: variable.data for (name, _), variable in found.items()}
    owned, template = _recognised(*(data.get(d, b"") for d in ("PK", "KEK", "db")), said)
    return StoreInfo(secure_boot=owned and data.get("SecureBootEnable") != b"\0", template=template)


@lru_cache(maxsize=256)
def _recognised(pk: bytes, kek: bytes, db: bytes, said: str) -> tuple[bool, str]:
    """Whether there is a platform key, and the template; most machines of a host have the very same keys."""
    found = {"PK": pk, "KEK": kek, "db": db}
    present = keys.make({d: tuple(siglist.parse(found[d])) for d in keys.DATABASES if d != "dbx"})
    return bool(present.pk), templates.recognise(present, said)


def _enable(on: bool) -> Variable:
    return Variable("SecureBootEnable", bytes([on]), ENABLE, NON_VOLATILE | BOOT_ACCESS)
