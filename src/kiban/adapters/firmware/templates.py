# SPDX-License-Identifier: GPL-2.0-or-later
"""Secure Boot templates: which keys a new machine gets, as data files, and which template a machine's keys are.

The certificates are those that virt-firmware ships; the revocation list is our own copy of Microsoft's. The ids are
those Hyper-V knows the templates by (microsoft/openvmm, petri/src/vm/hyperv/powershell.rs at 1488a37b7cfe). A fourth
template, `custom`, has no file here: its keys are a person's own and lie in the machine's directory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from kiban.adapters.firmware import keys
from kiban.adapters.firmware.keys import DATABASES, MICROSOFT, Database, Keys
from kiban.adapters.firmware.siglist import SHA256, X509, Entry
from kiban.errors import BadInput

DEFAULT = "microsoft-uefi-ca"
CUSTOM = "custom"

_DBX = "dbx.json"


@dataclass(frozen=True, slots=True)
class Template:
    """A Secure Boot template; certificates are named as virt-firmware names them."""

    name: str
    title: str
    hyperv_id: UUID
    pk: str
    kek: tuple[str, ...]
    db: tuple[str, ...]


@cache
def templates() -> Mapping[str, Template]:
    """All templates that have a file, by name."""
    found = {}
    for file in (files("kiban.adapters.firmware") / "templates").iterdir():
        if file.name.endswith(".json") and file.name != _DBX:
            name = file.name.removesuffix(".json")
            found[name] = _template(name, json.loads(file.read_text()))
    return dict(sorted(found.items()))


def check_name(name: str) -> None:
    """BadInput unless there is a template of this name, `custom` included."""
    known = (*templates(), CUSTOM)
    if name not in known:
        raise BadInput(f"There is no Secure Boot template {name!r}.", f"Choose one of {', '.join(sorted(known))}")


@cache
def keys_of(name: str) -> Keys:
    """The keys of a template. Raises BadInput for an unknown one, and for `custom`, whose keys must be given."""
    check_name(name)
    if name == CUSTOM:
        raise BadInput(
            "The template custom has no keys of its own.",
            "Say which, --template custom --keys DIR, or take another template",
            code="no-keys",
        )
    chosen = templates()[name]
    return keys.make(
        {
            "PK": (certificate(chosen.pk),),
            "KEK": tuple(map(certificate, chosen.kek)),
            "db": tuple(map(certificate, chosen.db)),
            "dbx": revoked(),
        }
    )


@cache
def certificate(name: str) -> Entry:
    """A certificate that virt-firmware ships, such as `microsoft.com/ms-uefi-2023`.

    Read without virt-firmware's own code, which takes a good part of a second to import.
    """
    text = (files("virt.firmware") / "certs" / f"{name}.pem").read_text()
    body = text.split("-----BEGIN CERTIFICATE-----", 1)[1].split("-----END", 1)[0]
    return Entry(X509, MICROSOFT if name.startswith("microsoft.com/") else keys.KIBAN, base64.b64decode(body))


@cache
def revoked() -> tuple[Entry, ...]:
    """Microsoft's revoked loaders for x86-64, oldest first."""
    return tuple(Entry(SHA256, MICROSOFT, digest) for group in revoked_by_date().values() for digest in group)


@cache
def revoked_by_date() -> Mapping[str, tuple[bytes, ...]]:
    """The same hashes by the day (ISO 8601) on which Microsoft added them, oldest first."""
    content = json.loads((files("kiban.adapters.firmware") / "templates" / _DBX).read_text())
    return {day: tuple(map(bytes.fromhex, digests)) for day, digests in sorted(content["sha256"].items())}


def recognise(present: Keys, said: str = "") -> str:
    """The template that keys are of; `said` is what the machine is said to be made from.

    Keys that came on top, a person's or the guest's, do not make it another template: the platform key is what counts,
    and one of the certificates that may sign loaders. Empty without a platform key; `custom` where no template fits.
    """
    if not present.pk:
        return ""
    own = _certificates(present)
    exact = [name for name in templates() if own == _certificates_of(name)]
    fitting = exact or [name for name in templates() if _fits(present, keys_of(name))]
    if said in fitting or (said == CUSTOM and not exact):
        return said
    return fitting[0] if fitting else CUSTOM


def _fits(present: Keys, template: Keys) -> bool:
    same, trusted = (({e.key for e in present.of(d)}, {e.key for e in template.of(d)}) for d in ("PK", "db"))
    return same[0] == same[1] and not trusted[0].isdisjoint(trusted[1])


@cache
def _certificates_of(template: str) -> dict[Database, set[tuple[UUID, bytes]]]:
    return _certificates(keys_of(template))


def _certificates(of: Keys) -> dict[Database, set[tuple[UUID, bytes]]]:
    return {database: {entry.key for entry in of.of(database)} for database in DATABASES if database != "dbx"}


def _template(name: str, content: dict[str, Any]) -> Template:
    return Template(
        name,
        content["title"],
        UUID(content["hyperv_id"]),
        content["pk"],
        tuple(content["kek"]),
        tuple(content["db"]),
    )
