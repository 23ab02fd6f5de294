# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's UEFI variable store: made from a build's empty one and a Secure Boot template, described, switched.

A template is data: which certificates a machine trusts, under the id Hyper-V knows it by. The certificates are those
that virt-firmware ships; the revocation list (dbx) is our own copy of Microsoft's. Switching Secure Boot changes one
variable and never a key.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from kiban.adapters.firmware.edk2vars import (
    BOOT_ACCESS,
    GLOBAL,
    NON_VOLATILE,
    RUNTIME_ACCESS,
    TIME_AUTHENTICATED,
    Variable,
    VariableStore,
)
from kiban.errors import BadInput, Conflict, Damaged

DEFAULT_TEMPLATE = "microsoft-uefi-ca"

_DATABASE = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # vendor of db and dbx
_ENABLE = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
_CUSTOM_MODE = UUID("c076ec0c-7028-4399-a072-71ee5c448b9f")
_X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
_SHA256 = UUID("c1c41626-504c-4092-aca9-41f936934328")
_MICROSOFT = UUID("77fa9abd-0359-4d32-bd60-28f4e78f784b")  # owner of the signatures

# EFI_SIGNATURE_LIST, UEFI specification 2.10, 32.4.1: type, size of the list, of its header, of one signature.
_LIST = struct.Struct("<16sLLL")
_KEY_ATTRIBUTES = NON_VOLATILE | BOOT_ACCESS | RUNTIME_ACCESS | TIME_AUTHENTICATED
# EFI_TIME 2010-01-01: older than any signed update, because the firmware takes only updates newer than what it has.
_LONG_AGO = struct.pack("<HBB12x", 2010, 1, 1)


@dataclass(frozen=True, slots=True)
class Template:
    """A Secure Boot template; certificates are named as virt-firmware names them."""

    name: str
    title: str
    hyperv_id: UUID
    pk: str
    kek: tuple[str, ...]
    db: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store says about Secure Boot; certificates by common name, `dbx_count` counts revoked hashes."""

    secure_boot: bool
    pk: tuple[str, ...]
    kek: tuple[str, ...]
    db: tuple[str, ...]
    dbx_count: int


def templates() -> dict[str, Template]:
    """All templates by name."""
    folder = files("kiban.adapters.firmware") / "templates"
    found = {}
    for file in folder.iterdir():
        name = file.name.removesuffix(".json")
        if file.name.endswith(".json") and name != "dbx":
            found[name] = _template(name, json.loads(file.read_text()))
    return found


def create_store(template_vars: Path, out: Path, *, template: str = DEFAULT_TEMPLATE, secure_boot: bool = True) -> None:
    """Make a machine's store from a firmware build's empty one. The file is new, or it is not made at all.

    Raises BadInput for an unknown template, Conflict when `out` exists, NotFound, NotAllowed, Damaged.
    """
    if out.exists():
        raise Conflict(f"{out} exists and a machine's UEFI variables are not overwritten.")
    store = VariableStore.load(template_vars)
    _put_keys(store, _chosen(template))
    store.put(Variable("CustomMode", b"\0", _CUSTOM_MODE, NON_VOLATILE | BOOT_ACCESS))
    store.put(_enable(secure_boot))
    store.save(out)


def set_template(path: Path, template: str) -> None:
    """Replace all keys of a machine that is off by those of another template; whether they are enforced stays."""
    store = VariableStore.load(path)
    _put_keys(store, _chosen(template))
    store.save(path)


def _chosen(name: str) -> Template:
    known = templates()
    if name not in known:
        raise BadInput(f"There is no Secure Boot template {name!r}.", f"choose one of {', '.join(sorted(known))}")
    return known[name]


def _put_keys(store: VariableStore, chosen: Template) -> None:
    for name, guid, data in (
        ("PK", GLOBAL, _certificates([chosen.pk])),
        ("KEK", GLOBAL, _certificates(chosen.kek)),
        ("db", _DATABASE, _certificates(chosen.db)),
        ("dbx", _DATABASE, _revoked()),
    ):
        store.put(Variable(name, data, guid, _KEY_ATTRIBUTES, _LONG_AGO))


def set_secure_boot(path: Path, on: bool) -> None:
    """Switch Secure Boot of a machine that is off; keys stay. Raises BadInput for a store without a platform key."""
    store = VariableStore.load(path)
    if on and not store.get("PK"):
        raise BadInput(f"{path} has no platform key, so Secure Boot cannot be switched on.", "make the store anew")
    if store.get("SecureBootEnable", _ENABLE) != _enable(on).data:
        store.put(_enable(on))
        store.save(path)


def describe_store(path: Path) -> StoreInfo:
    """What is in a store; works while the machine runs. Raises NotFound, NotAllowed, Damaged."""
    store = VariableStore.load(path)
    pk = _names(store.get("PK"))
    return StoreInfo(
        secure_boot=bool(pk) and store.get("SecureBootEnable", _ENABLE) != b"\0",  # the firmware's own default is on
        pk=pk,
        kek=_names(store.get("KEK")),
        db=_names(store.get("db", _DATABASE)),
        dbx_count=sum(kind == _SHA256 for kind, _ in _signatures(store.get("dbx", _DATABASE) or b"")),
    )


def _template(name: str, content: dict[str, Any]) -> Template:
    return Template(
        name,
        content["title"],
        UUID(content["hyperv_id"]),
        content["pk"],
        tuple(content["kek"]),
        tuple(content["db"]),
    )


def _enable(on: bool) -> Variable:
    return Variable("SecureBootEnable", bytes([on]), _ENABLE, NON_VOLATILE | BOOT_ACCESS)


def _certificates(names: list[str] | tuple[str, ...]) -> bytes:
    """One signature list per certificate, as the specification wants for certificates of different sizes."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from virt.firmware.efi.certs import load_cert

    blobs = [x509.load_pem_x509_certificate(load_cert(name)).public_bytes(Encoding.DER) for name in names]
    return b"".join(_signature_list(_X509, [blob]) for blob in blobs)


def _revoked() -> bytes:
    content = json.loads((files("kiban.adapters.firmware") / "templates/dbx.json").read_text())
    return _signature_list(_SHA256, [bytes.fromhex(digest) for digest in content["sha256"]])


def _signature_list(kind: UUID, items: list[bytes]) -> bytes:
    size = 16 + len(items[0])
    body = b"".join(_MICROSOFT.bytes_le + item for item in items)
    return _LIST.pack(kind.bytes_le, _LIST.size + len(body), 0, size) + body


def _signatures(data: bytes) -> Iterator[tuple[UUID, bytes]]:
    """Type and content of each signature. Raises Damaged."""
    position = 0
    while position < len(data):
        if len(data) - position < _LIST.size:
            raise Damaged("A list of Secure Boot signatures is cut short.")
        kind, size, header, each = _LIST.unpack_from(data, position)
        start, end = position + _LIST.size + header, position + size
        if each <= 16 or end > len(data) or start > end:
            raise Damaged("A list of Secure Boot signatures runs past its end.")
        for at in range(start, end - each + 1, each):
            yield UUID(bytes_le=kind), data[at + 16 : at + each]
        position = end


def _names(data: bytes | None) -> tuple[str, ...]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = []
    for kind, content in _signatures(data or b""):
        if kind != _X509:
            continue
        try:
            subject = x509.load_der_x509_certificate(content).subject
            common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            names.append(str(common[0].value) if common else subject.rfc4514_string())
        except ValueError:
            names.append("(unreadable certificate)")
    return tuple(names)
