# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's certificate: one that is given, or one of its own, made once and kept in the state directory.

A certificate of its own is not signed by anybody, so callers pin its SHA-256 fingerprint (KIBAN_FINGERPRINT).
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kiban.errors import BadInput

if TYPE_CHECKING:
    from cryptography import x509

YEARS = 10


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both PEM files."""

    cert: Path
    key: Path

    def fingerprint(self) -> str:
        """SHA-256 of the first certificate in the file, in lower-case hex."""
        try:
            text = self.cert.read_text(encoding="ascii", errors="replace")
            start = text.find("-----BEGIN CERTIFICATE-----")
            end = text.find("-----END CERTIFICATE-----")
            der = ssl.PEM_cert_to_DER_cert(text[start : end + len("-----END CERTIFICATE-----")])
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self.cert} is not a certificate in PEM form: {error}.", "Name a file that has one."
            ) from error
        return hashlib.sha256(der).hexdigest()

    def names(self) -> set[str]:
        """What the certificate is for, as in a URL: lower case, IPv6 in brackets, `*.example.org` as it is."""
        from cryptography import x509

        found = x509.load_pem_x509_certificate(self.cert.read_bytes()).extensions
        try:
            names = found.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return set()
        addresses = names.get_values_for_type(x509.IPAddress)
        shown = {f"[{address}]" if ":" in str(address) else str(address) for address in addresses}
        return shown | {name.lower() for name in names.get_values_for_type(x509.DNSName)}

    def context(self) -> ssl.SSLContext:
        """What a server needs; BadInput when certificate and key are no pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.cert, self.key)
        except OSError as error:  # SSLError is one
            hint = f"They have to be a certificate and its key, in PEM form: openssl x509 -in {self.cert} -noout -text"
            raise BadInput(f"{self.cert} and {self.key} cannot be used for TLS: {error}.", hint) from error
        return context


def given_or_own(cert: Path | None, key: Path | None, state: Path) -> Certificate:
    """The certificate that is given, both files of it, or the service's own, made now if there is none."""
    if cert is not None and key is not None:
        return Certificate(cert, key)
    if cert is not None or key is not None:
        raise BadInput("A certificate and its key belong together.", "Say both --cert and --key, or neither.")
    own = Certificate(state / "tls" / "cert.pem", state / "tls" / "key.pem")
    if not (own.cert.exists() and own.key.exists()):
        _make(own)
    return own


def _make(own: Certificate) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kiban")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectAlternativeName(_names()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    _write(own.key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    _write(own.cert, certificate.public_bytes(pem))


def _names() -> list[x509.GeneralName]:
    from cryptography import x509

    hosts = dict.fromkeys(["localhost", socket.gethostname()])
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts if host.isascii()]
    return names + [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]


def _write(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  # a mode from the start
        file.write(data)
    new.replace(path)
