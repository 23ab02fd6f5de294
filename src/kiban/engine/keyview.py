# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's Secure Boot keys as people see them: who may sign its loaders, what is revoked, how current that is.

Read from its NVRAM, which is the truth also while the guest changes it; nothing here writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kiban.adapters.firmware import certs, keyrecord, keys, renewal, templates, trust
from kiban.adapters.firmware.edk2vars import VariableStore
from kiban.adapters.firmware.keys import MICROSOFT, Keys
from kiban.adapters.firmware.renewal import Authorities
from kiban.adapters.firmware.siglist import SHA256, Entry
from kiban.engine import nvram
from kiban.engine.handle import Handle
from kiban.errors import NotInGeneration
from kiban.model.machine import Uefi
from kiban.model.trust import Signature, SignatureKind, Trust

SEALED = (
    "Secure Boot and its keys are measured into the TPM (PCR 7): a disk whose key the guest has sealed to them, with "
    "BitLocker or systemd-cryptenroll, asks for its recovery key at the next start."
)
"""What a change of keys, or switching Secure Boot, means for a machine with a TPM."""

_OWNERS = {str(MICROSOFT): "Microsoft", str(keys.KIBAN): "Kiban", str(trust.SHIM): "shim"}

# EFI_CERT_SHA256 entries that are no hash of an image but the least version of a Windows boot manager:
# microsoft/secureboot_objects, dbx_info_msft_latest.json. One byte 01, the manager's GUID, then minor and major.
_SVN_OWNER = "9d132b6c-59d5-4388-ab1c-185cfcb2eb92"
_MANAGERS = {
    "612b139dd5598843ab1c185c3cb2eb92": "bootmgfw.efi",
    "9d2ef8e827e15841a4884c18abe2f284": "cdboot.efi",
    "c2ca99c9fe7f6f4981279e2a8a535976": "wdsmgfw.efi",
}
_GENERATION = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One entry. A certificate has names, times (ISO 8601) and its fingerprint; a hash has only `sha256`, the hash."""

    kind: SignatureKind
    name: str
    issuer: str
    not_after: str
    sha256: str  # for SHA-384 and SHA-512 entries that longer hash
    owner: str  # Microsoft, Kiban, shim or a GUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Revoked:
    """What is in dbx: how many hashes of images, of which Microsoft list, and what a person or guest put there.

    `date` is the day of the newest of Microsoft's revocations (""), `missing` how many that Kiban knows are not there.
    """

    hashes: int
    own: int  # of them not in Microsoft's list
    date: str
    missing: int
    certificates: tuple[Key, ...]
    least_versions: tuple[str, ...]  # of Windows boot managers, such as `bootmgfw.efi 9.0`


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysView:
    """Everything there is to say about a machine's Secure Boot keys.

    `lacks` names what `update` would add. `undo` says which change can be taken back ("" for none). `notes` are
    sentences about what has just been done.
    """

    machine: str
    secure_boot: bool
    template: str
    setup_mode: bool
    pk: tuple[Key, ...]
    kek: tuple[Key, ...]
    db: tuple[Key, ...]
    dbx: Revoked
    authorities: Authorities
    lacks: tuple[str, ...]
    sbat_date: str
    sbat: Mapping[str, int]  # least generation by component
    mok: tuple[Key, ...]
    mokx: tuple[Key, ...]
    shim_validation: bool
    shim_uses_db: bool
    tpm: bool
    undo: str
    notes: tuple[str, ...]


def uefi(handle: Handle) -> Uefi:
    """A machine's firmware settings; NotInGeneration on generation 1."""
    found = handle.machine.uefi
    if found is None:
        raise NotInGeneration(
            f"{handle.name} is a generation 1 machine and has no Secure Boot: its firmware is a BIOS.",
            "Secure Boot wants a generation 2 machine.",
        )
    return found


def read_trust(handle: Handle) -> Trust:
    """What a machine trusts now, running or not. Raises NotInGeneration, NotFound, NotAllowed, Damaged."""
    return trust.read(handle.directory / nvram.FILE, uefi(handle).template)


def describe(handle: Handle, notes: Iterable[str] = ()) -> KeysView:
    """The picture of a machine's keys, running or not. Raises as `read_trust`; it is slow enough for a thread."""
    said = uefi(handle).template
    store = VariableStore.load(handle.directory / nvram.FILE)
    present, found = keys.read(store), trust.of_store(store, said)
    change = keyrecord.load_change(handle.directory)
    return KeysView(
        machine=handle.name,
        secure_boot=found.secure_boot,
        template=found.template,
        setup_mode=not found.pk,
        pk=_keys(found.pk),
        kek=_keys(found.kek),
        db=_keys(found.db),
        dbx=_revoked(present),
        authorities=renewal.authorities(present),
        lacks=lacks(present),
        sbat_date=_sbat_date(found.sbat_level),
        sbat=_sbat(found.sbat_level),
        mok=_keys(found.mok),
        mokx=_keys(found.mokx),
        shim_validation=found.shim_validation,
        shim_uses_db=found.shim_uses_db,
        tpm=handle.machine.tpm,
        undo=f"{change.what} of {change.time}" if change and change.before != present else "",
        notes=tuple(notes),
    )


def lacks(present: Keys) -> tuple[str, ...]:
    """What an update would add, in words."""
    added = renewal.lacking(present)
    names = [f"{certs.facts(entry.data).name} in {d}" for d in ("KEK", "db") for entry in added.get(d, ())]
    count = len(added.get("dbx", ()))
    newest = max(templates.revoked_by_date())
    return (*names, f"{count} revoked loaders, up to {newest}") if count else tuple(names)


def _keys(signatures: Iterable[Signature]) -> tuple[Key, ...]:
    return tuple(_key(signature) for signature in signatures)


def _key(signature: Signature) -> Key:
    owner = _OWNERS.get(signature.owner, signature.owner)
    if signature.kind != "x509":
        digest = signature.data[:64].hex()
        return Key(kind=signature.kind, name="", issuer="", not_after="", sha256=digest, owner=owner)
    facts = certs.facts(signature.data)
    return Key(
        kind="x509", name=facts.name, issuer=facts.issuer, not_after=facts.not_after, sha256=facts.sha256, owner=owner
    )


def _revoked(present: Keys) -> Revoked:
    versions = [entry for entry in present.dbx if _manager(entry)]
    hashes = [entry for entry in present.dbx if entry.kind in ("sha256", "sha384", "sha512") and not _manager(entry)]
    others = [entry for entry in present.dbx if entry.kind not in ("sha256", "sha384", "sha512")]
    listed = {entry.key for entry in templates.revoked()}
    there = {entry.key for entry in hashes}
    return Revoked(
        hashes=len(hashes),
        own=len(there - listed),
        date=renewal.list_date(hashes),
        missing=len(renewal.lacking(present).get("dbx", ())),
        certificates=tuple(_key(Signature(e.kind, e.data, str(e.owner))) for e in others),
        least_versions=tuple(_manager(entry) for entry in versions),
    )


def _manager(entry: Entry) -> str:
    """`bootmgfw.efi 9.0` for an entry that is a least version, "" for a hash."""
    if entry.type != SHA256 or str(entry.owner) != _SVN_OWNER or entry.data[:1] != b"\1":
        return ""
    minor, major = (int.from_bytes(entry.data[at : at + 2], "little") for at in (17, 19))
    return f"{_MANAGERS.get(entry.data[1:17].hex(), entry.data[1:17].hex())} {major}.{minor}"


def _sbat(level: str) -> dict[str, int]:
    """Least generations by component, from lines `shim,4`; the first line is the list's own version and date."""
    rows = [line.split(",") for line in level.splitlines()[1:]]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and _GENERATION.fullmatch(row[1])}


def _sbat_date(level: str) -> str:
    """The day (ISO 8601) of a level that starts `sbat,1,2024010900`; "" when there is none."""
    first = level.split("\n", 1)[0].split(",")
    day = first[2] if len(first) > 2 and first[0] == "sbat" else ""
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) >= 8 and day[:8].isascii() and day[:8].isdigit() else ""
