# SPDX-License-Identifier: GPL-2.0-or-later
"""X.509 certificates as OpenSSL sees them inside firmware and shim: who issued whom, and who may issue at all.

Time, purpose and revocation lists are not looked at there (X509_V_FLAG_NO_CHECK_TIME, X509_PURPOSE_ANY), so not here.
Only RSA counts: shim and EDK2 of 2022 are built without elliptic curves; newer firmware may have them.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import dataclass, field

from asn1crypto import x509  # type: ignore[import-untyped]  # it has no types; used in two modules here
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kiban.errors import Damaged

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What asn1crypto raises on bytes that are not what they should be; its parsers have no error of their own."""

HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - old certificates are verified with what signed them
    "sha1": hashes.SHA1(),  # noqa: S303 - the same
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

_KNOWN_EXTENSIONS = frozenset(  # those that OpenSSL lets pass when they are marked critical
    (
        *("key_usage", "subject_alt_name", "basic_constraints", "certificate_policies", "crl_distribution_points"),
        *("extended_key_usage", "policy_constraints", "name_constraints", "policy_mappings", "inhibit_any_policy"),
        *("netscape_certificate_type",),
    )
)

Name = tuple[frozenset[tuple[str, str | bytes]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """What of a certificate decides. `body` is the part that is signed and that dbx names by hash (TBSCertificate)."""

    der: bytes = field(repr=False)
    body: bytes = field(repr=False)
    subject: str
    issuer: str
    subject_key: Name = field(repr=False)  # names in the form in which they are compared
    issuer_key: Name = field(repr=False)
    serial: int
    not_after: str  # ISO 8601
    authority: bool  # may issue certificates
    depth: int | None  # how many authorities may stand below it
    key: bytes = field(repr=False)  # SubjectPublicKeyInfo
    is_rsa: bool
    key_id: bytes | None
    issuer_key_id: bytes | None
    issuer_serial: int | None
    signature: bytes = field(repr=False)
    hash: str  # of the signature, "" for what is not RSA with PKCS #1 v1.5
    purposes: tuple[str, ...]  # extended key usages, dotted
    strange: bool  # has a critical extension that OpenSSL does not know

    @property
    def sha256(self) -> str:
        """The fingerprint, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()


@functools.lru_cache(maxsize=256)
def load(der: bytes) -> Certificate:
    """Read a certificate; Damaged when it cannot be read. Bytes after it are ignored, as OpenSSL does."""
    try:
        return _convert(x509.Certificate.load(der))
    except UNREADABLE:
        raise Damaged("A certificate cannot be read.", code="damaged-signature") from None


def _convert(read: x509.Certificate) -> Certificate:
    body = read["tbs_certificate"]
    algorithm = read["signature_algorithm"]
    authority_id = read.authority_key_identifier_value
    constraints = read.basic_constraints_value
    return Certificate(
        der=read.dump(),
        body=body.dump(),
        subject=common_name(read.subject),
        issuer=common_name(read.issuer),
        subject_key=comparable(read.subject),
        issuer_key=comparable(read.issuer),
        serial=read.serial_number,
        not_after=body["validity"]["not_after"].native.isoformat(),
        authority=_may_issue(read),
        depth=constraints["path_len_constraint"].native if constraints is not None else None,
        key=read.public_key.dump(),
        is_rsa=read.public_key.algorithm == "rsa",
        key_id=read.key_identifier,
        issuer_key_id=authority_id["key_identifier"].native if authority_id is not None else None,
        issuer_serial=authority_id["authority_cert_serial_number"].native if authority_id is not None else None,
        signature=read["signature_value"].native,
        hash=algorithm.hash_algo if algorithm["algorithm"].native.endswith("_rsa") else "",
        purposes=tuple(use.dotted for use in read.extended_key_usage_value or ()),
        strange=any(name not in _KNOWN_EXTENSIONS for name in read.critical_extensions),
    )


def _may_issue(read: x509.Certificate) -> bool:
    """What OpenSSL's X509_check_ca says."""
    usage = read.key_usage_value
    if usage is not None and "key_cert_sign" not in usage.native:
        return False
    if read.basic_constraints_value is not None:
        return bool(read.basic_constraints_value["ca"].native)
    if read["tbs_certificate"]["version"].native == "v1":
        return bool(read.self_issued)
    return usage is not None


def comparable(name: x509.Name) -> Name:
    """A name in the form in which names are compared: without case, without needless blanks, of no kind of string."""
    return tuple(
        frozenset((pair["type"].dotted, _plain(pair["value"])) for pair in relative) for relative in name.chosen
    )


def _plain(value: x509.Asn1Value) -> str | bytes:
    native = value.native
    return " ".join(native.split()).lower() if isinstance(native, str) else value.dump()


def common_name(name: x509.Name) -> str:
    """The common name; without one, the whole name. Control characters are shown as `?`; at most 120 characters."""
    native = name.native
    found = native.get("common_name", "") if isinstance(native, dict) else ""
    text = found if isinstance(found, str) and found else name.human_friendly
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120] or "an unnamed certificate"


def name_of(der: bytes) -> str:
    """The common name of a certificate, or what can be said of one that cannot be read."""
    try:
        return load(der).subject
    except Damaged:
        return "a certificate that cannot be read"


def digest(message: bytes, algorithm: str) -> bytes:
    """A hash of HASHES."""
    return hashlib.new(algorithm, message, usedforsecurity=False).digest()


def signed_by(key: bytes, signature: bytes, message: bytes, algorithm: str) -> bool:
    """Whether that is an RSA signature (PKCS #1 v1.5) of the message; `key` is a SubjectPublicKeyInfo."""
    if algorithm not in HASHES:
        return False
    try:
        public = load_der_public_key(key)
        if not isinstance(public, RSAPublicKey):
            return False
        public.verify(signature, message, PKCS1v15(), HASHES[algorithm])
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def names_as_issuer(child: Certificate, issuer: Certificate) -> bool:
    """Whether `child` says that `issuer` issued it (X509_check_issued); the signature is another matter."""
    if child.issuer_key != issuer.subject_key:
        return False
    if None not in (child.issuer_key_id, issuer.key_id) and child.issuer_key_id != issuer.key_id:
        return False
    return child.issuer_serial is None or child.issuer_serial == issuer.serial


def leads_to(leaf: Certificate, others: tuple[Certificate, ...], trusted: Certificate) -> bool:
    """Whether `leaf` is `trusted`, or was issued by it, over any of `others` (X509_V_FLAG_PARTIAL_CHAIN)."""
    if leaf.der == trusted.der:
        return not leaf.strange
    links = chain(leaf, others)
    top = next((place for place, link in enumerate(links) if names_as_issuer(link, trusted)), None)
    return top is not None and _holds([*links[: top + 1], trusted])


def names(leaf: Certificate, others: tuple[Certificate, ...], trusted: Certificate) -> bool:
    """Whether the chain says that it leads to `trusted`, proved or not."""
    return any(link.der == trusted.der or names_as_issuer(link, trusted) for link in chain(leaf, others))


def chain(leaf: Certificate, others: tuple[Certificate, ...]) -> list[Certificate]:
    """`leaf` and those above it among `others`, as they name each other; at most ten."""
    found = [leaf]
    while len(found) < 10:
        above = next((other for other in others if other not in found and names_as_issuer(found[-1], other)), None)
        if above is None:
            break
        found.append(above)
    return found


def _holds(links: list[Certificate]) -> bool:
    """Whether each in the chain may issue the one before, and did."""
    if any(link.strange for link in links):
        return False
    below = 0
    for place, link in enumerate(links[1:], 1):
        if not link.authority or (place > 1 and link.depth is not None and below > link.depth):
            return False
        below += link.subject_key != link.issuer_key
    return all(
        signed_by(issuer.key, child.signature, child.body, child.hash) for child, issuer in itertools.pairwise(links)
    )
