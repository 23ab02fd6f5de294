# SPDX-License-Identifier: GPL-2.0-or-later
"""How firmware decides about an image: the order of EDK2's DxeImageVerificationHandler, quirks included.

Written from edk2-stable202211 and edk2-stable202605. They differ in one thing that matters here: for an unsigned image
the older one looks at SHA-256 hashes only, the newer one (since September 2023) at SHA-384 and SHA-512 as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kiban.adapters.bootcheck import authenticode, certificate, loadable, pe
from kiban.adapters.bootcheck.authenticode import Entry, Signed
from kiban.adapters.bootcheck.certificate import Certificate
from kiban.adapters.bootcheck.decision import Decision, allowed, clause, entry_name, refused
from kiban.adapters.bootcheck.pe import Image
from kiban.errors import Damaged
from kiban.model.trust import Signature, Trust

_HASHES = ("sha256", "sha384", "sha512")
_USABLE = frozenset(("sha1", *_HASHES))  # EDK2 knows SHA-224 by name only


def sha256(image: Image) -> str:
    """The Authenticode hash by which dbx and db know the image, hexadecimal; "" where EDK2 cannot compute it."""
    try:
        return image.digests(pe.firmware_ranges(image), ("sha256",))["sha256"].hex()
    except Damaged:
        return ""


def judge(image: Image, trust: Trust) -> Decision:
    """What the firmware of an x86-64 machine does with the image. "unknown" for images no firmware ever sees."""
    if image.machine != pe.X64:
        return refused("wrong-architecture", f"is for {image.architecture} processors, and the machine is x86-64")
    fault = loadable.firmware_fault(image)
    if fault:
        return refused("damaged-image", fault)
    if not trust.secure_boot:
        return allowed("", "may start because Secure Boot is off")
    if not image.certificate_table[1]:
        return _judge_unsigned(image, trust)
    try:
        entries, whole = authenticode.firmware_table(image)
    except Damaged as error:
        return Decision(verdict="unknown", reason="damaged-signature", because=f"cannot be judged: {clause(error)}")
    return _judge_signed(image, trust, entries, whole)


def _judge_unsigned(image: Image, trust: Trust) -> Decision:
    kinds = {"sha256", *(entry.kind for entry in (*trust.db, *trust.dbx))}
    try:
        digests = image.digests(pe.firmware_ranges(image), [name for name in _HASHES if name in kinds])
    except Damaged as error:
        return refused("damaged-image", f"cannot be hashed: {clause(error)}")
    older, newer = _by_hash(trust, {"sha256": digests["sha256"]}), _by_hash(trust, digests)
    if older.verdict == newer.verdict:
        return newer
    return Decision(
        verdict="unknown",
        reason="unsigned",
        because="is not signed, and only firmware made since September 2023 looks at other hashes than SHA-256",
    )


def _by_hash(trust: Trust, digests: Mapping[str, bytes]) -> Decision:
    denied, permitted = (
        next((hit for name, digest in digests.items() if (hit := find_hash(database, name, digest))), None)
        for database in (trust.dbx, trust.db)
    )
    if denied:
        return refused("hash-revoked", "is revoked", decided_by=entry_name("dbx", denied))
    if permitted:
        return allowed(entry_name("db", permitted), "is not signed, and trusted by its hash")
    return refused("unsigned", "is not signed")


def find_hash(database: Sequence[Signature], algorithm: str, digest: bytes) -> Signature | None:
    """The entry of a database that names an image by that hash."""
    return next((entry for entry in database if entry.kind == algorithm and entry.data == digest), None)


def revoked_body(revoked: Sequence[Signature], one: Certificate) -> Signature | None:
    """The entry that names a certificate by the hash of its body.

    Its time of revocation does not matter: it spares signatures with a timestamp of an authority in dbt, a database
    that no machine of ours has.
    """
    for entry in revoked:
        if entry.kind.startswith("x509-"):
            digest = certificate.digest(one.body, entry.kind.removeprefix("x509-"))
            if entry.data.startswith(digest):
                return entry
    return None


@dataclass(slots=True)
class _Findings:
    """What was found out about signatures, for the reason of a refusal."""

    untrusted: list[Certificate] = field(default_factory=list)  # signers whose signatures hold
    other_keys: list[Certificate] = field(default_factory=list)  # signers with keys that are not RSA
    perhaps: bool = False  # such a key, below a certificate of db
    changed: bool = False  # a right signature of something else
    broken: bool = False
    revoked: str = ""  # the dbx entry that names the db certificate

    def note(self, signed: Signed | None, digest: bytes, db: Sequence[Signature]) -> None:
        """Keep why a signature was of no use."""
        signers = [one.certificate for one in signed.signers if one.certificate] if signed else []
        others = [signer for signer in signers if not signer.is_rsa]
        if signed and others:
            self.other_keys += others
            self.perhaps |= signed.claims(digest) and any(_names(signed, signer, db) for signer in others)
        elif signed is None or not signed.holds():
            self.broken = True
        elif not signed.claims(digest):
            self.changed = True
        else:
            self.untrusted += signers


def _judge_signed(image: Image, trust: Trust, entries: Sequence[Entry], whole: bool) -> Decision:
    found = _Findings()
    permission: Decision | None = None
    for entry in entries:
        digest = _digest(image, entry.algorithm)
        if digest is None:
            found.broken = True
            continue
        signed = _read(entry)
        refusal = _forbidden(signed, digest, trust.dbx)
        permission = permission or _trusted(signed, digest, trust, found)
        if refusal:
            return refusal
        hit = find_hash(trust.dbx, entry.algorithm, digest)
        if hit:
            return refused("hash-revoked", "is revoked", decided_by=entry_name("dbx", hit))
        hit = find_hash(trust.db, entry.algorithm, digest)
        if hit and not permission:
            permission = allowed(entry_name("db", hit), "is trusted by its hash")
    if not whole:
        return refused("damaged-signature", "has a damaged certificate table")
    return permission or _refusal(found)


def _digest(image: Image, algorithm: str) -> bytes | None:
    if algorithm not in _USABLE:
        return None
    try:
        return image.digests(pe.firmware_ranges(image), (algorithm,))[algorithm]
    except Damaged:
        return None


def _read(entry: Entry) -> Signed | None:
    try:
        return authenticode.read(entry.data)
    except Damaged:
        return None


def verifies(signed: Signed | None, digest: bytes, trusted: Signature) -> bool:
    """Whether a signature is of that hash and descends from a certificate of a database (AuthenticodeVerify)."""
    if signed is None or trusted.kind != "x509" or not signed.claims(digest):
        return False
    try:
        return signed.leads_to(certificate.load(trusted.data))
    except Damaged:
        return False


def _forbidden(signed: Signed | None, digest: bytes, revoked: Sequence[Signature]) -> Decision | None:
    """IsForbiddenByDbx: nothing is forbidden without a dbx; with one, a signature without readable signers is."""
    if not revoked:
        return None
    for entry in revoked:
        if verifies(signed, digest, entry):
            return _certificate_revoked(entry_name("dbx", entry))
    certificates = [one.certificate for one in signed.signers] if signed else []
    if not certificates or None in certificates:
        return refused("damaged-signature", "has a signature that cannot be read")
    for one in certificates:
        hit = revoked_body(revoked, one) if one else None
        if hit:
            return _certificate_revoked(entry_name("dbx", hit))
    return None


def _certificate_revoked(decided_by: str) -> Decision:
    return refused("certificate-revoked", "is signed with a revoked certificate", decided_by=decided_by)


def _trusted(signed: Signed | None, digest: bytes, trust: Trust, found: _Findings) -> Decision | None:
    """IsAllowedByDb: the first certificate of db from which the signature descends decides, also when it is revoked."""
    for entry in trust.db:
        if signed and verifies(signed, digest, entry):
            hit = revoked_body(trust.dbx, certificate.load(entry.data))
            if hit:
                found.revoked = entry_name("dbx", hit)
                return None
            return allowed(entry_name("db", entry), f"is signed by {signed.names}")
    found.note(signed, digest, trust.db)
    return None


def _names(signed: Signed, signer: Certificate, db: Sequence[Signature]) -> bool:
    for entry in db:
        with contextlib.suppress(Damaged):
            if entry.kind == "x509" and certificate.names(signer, signed.certificates, certificate.load(entry.data)):
                return True
    return False


def _refusal(found: _Findings) -> Decision:
    if found.revoked:
        return _certificate_revoked(found.revoked)
    if found.untrusted and not found.perhaps:
        return not_trusted(found.untrusted)
    if found.other_keys:
        return _not_rsa(found)
    if found.changed:
        return refused("damaged-signature", "was changed after it was signed")
    if found.broken:
        return refused("damaged-signature", "has a signature that does not hold")
    return refused("damaged-signature", "has a certificate table without a signature")


def _not_rsa(found: _Findings) -> Decision:
    names = " and ".join(dict.fromkeys(signer.subject for signer in found.other_keys))
    if found.perhaps:
        because = f"is signed by {names} with a key that is not RSA, and not all firmware verifies those"
        return Decision(verdict="unknown", reason="signer-not-trusted", because=because)
    return refused("signer-not-trusted", f"is signed by {names} with a key that is not RSA, and not trusted")


def not_trusted(signers: Sequence[Certificate]) -> Decision:
    """The refusal of an image with right signatures by signers that nothing in the databases leads to."""
    names = list(dict.fromkeys(signer.subject for signer in signers))
    signed_by = " and ".join(names)
    missing = " or ".join(dict.fromkeys(signer.issuer for signer in signers))
    because = f"is signed by {signed_by}, {'which is not' if len(names) == 1 else 'none of which is'} trusted"
    return refused("signer-not-trusted", because, missing=missing)
