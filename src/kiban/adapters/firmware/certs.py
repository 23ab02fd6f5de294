# SPDX-License-Identifier: GPL-2.0-or-later
"""X.509 certificates as keys: whether bytes are one, and what it says about itself in words.

`cryptography` does the reading; it is imported only here, when somebody asks, because it is slow to load.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

UNREADABLE = "(unreadable certificate)"


@dataclass(frozen=True, slots=True)
class Facts:
    """A certificate in words: common names (the whole name where there is none), times in ISO 8601, UTC.

    `sha256` is the fingerprint of the whole certificate. Unreadable bytes have that and no more.
    """

    name: str
    issuer: str
    not_before: str
    not_after: str
    sha256: str


def facts(der: bytes) -> Facts:
    """What a certificate says; never fails, because the guest may have put anything into its store."""
    digest = hashlib.sha256(der).hexdigest()
    certificate = load(der)
    if certificate is None:
        return Facts(UNREADABLE, "", "", "", digest)
    try:
        return Facts(
            _common_name(certificate.subject),
            _common_name(certificate.issuer),
            certificate.not_valid_before_utc.isoformat(),
            certificate.not_valid_after_utc.isoformat(),
            digest,
        )
    except ValueError:  # the outer shape is right, and a name or a time in it is not
        return Facts(UNREADABLE, "", "", "", digest)


def load(der: bytes) -> x509.Certificate | None:
    """The certificate in DER bytes, or None where they are none."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        return None


def from_pem(text: bytes) -> list[bytes] | None:
    """The certificates of a PEM file as DER, in their order; None where there is none or one is damaged.

    Anything else in the file, such as a private key, is passed over.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return [certificate.public_bytes(Encoding.DER) for certificate in x509.load_pem_x509_certificates(text)]
    except (ValueError, x509.InvalidVersion):
        return None


def _common_name(name: x509.Name) -> str:
    from cryptography.x509.oid import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()
