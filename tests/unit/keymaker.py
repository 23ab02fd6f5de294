# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys of one's own for tests: certificates, and the files that efitools would make of them."""

from __future__ import annotations

import datetime
import struct
from functools import cache
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kiban.adapters.firmware import siglist
from kiban.adapters.firmware.siglist import SHA256, X509, Entry

OWNER = UUID("12345678-1234-1234-1234-123456789abc")
PKCS7 = UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")


@cache
def certificate(name: str, encoding: Encoding = Encoding.DER) -> bytes:
    """A self-signed certificate; each name has one for as long as the tests run."""
    return _made(name).public_bytes(encoding)


@cache
def _made(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin.replace(year=2036))
    return builder.sign(key, hashes.SHA256())


def entry(name: str) -> Entry:
    """A certificate as an entry of a database."""
    return Entry(X509, OWNER, certificate(name))


def digest(number: int) -> Entry:
    """A hash as an entry of a database."""
    return Entry(SHA256, OWNER, number.to_bytes(32, "big"))


def auth(payload: bytes) -> bytes:
    """A signed update, of which nobody checks the signature."""
    signature = b"\x30\x03\x02\x01\x00"
    return bytes(16) + struct.pack("<LHH16s", 24 + len(signature), 0x200, 0xEF1, PKCS7.bytes_le) + signature + payload


def folder(path: Path) -> Path:
    """A folder with the keys of a custom template, one in each format."""
    path.mkdir(parents=True)
    (path / "PK.crt").write_bytes(certificate("own PK", Encoding.PEM))
    (path / "PK.der").write_bytes(certificate("own PK"))
    (path / "PK.key").write_text("-----BEGIN PRIVATE KEY-----\nnot to be read\n")
    (path / "KEK.auth").write_bytes(auth(siglist.build([entry("own KEK")])))
    (path / "db.cer").write_bytes(certificate("own db"))
    (path / "db-2.pem").write_bytes(certificate("second db", Encoding.PEM) + certificate("third db", Encoding.PEM))
    (path / "dbx.esl").write_bytes(siglist.build([digest(1), digest(2), entry("lost signer")]))
    return path
