# SPDX-License-Identifier: GPL-2.0-or-later
"""Authenticode signatures: the certificate table of an image, what each signature claims, and whether it holds.

Sources: Microsoft's "Windows Authenticode Portable Executable Signature Format", RFC 2315, and EDK2's
CryptAuthenticode.c and CryptPkcs7VerifyCommon.c, whose decisions (and OpenSSL's under them) are the ones that count.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from asn1crypto import cms  # type: ignore[import-untyped]  # it has no types; used in two modules here

from kiban.adapters.bootcheck import certificate
from kiban.adapters.bootcheck.certificate import UNREADABLE, Certificate
from kiban.adapters.bootcheck.pe import Image
from kiban.errors import Damaged
from kiban.model.bootcheck import Signer

_PKCS, _BY_GUID = 2, 0x0EF1  # WIN_CERTIFICATE.wCertificateType
_PKCS7_GUID = bytes.fromhex("9dd2af4adf68ee498aa9347d375665a7")
_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_LARGEST_TABLE = 4 * 1024 * 1024  # bytes; real ones have 10 to 30 thousand
_MOST_ENTRIES = 64
_LARGEST = 256 * 1024  # bytes of a signature; EDK2 takes less than 64 KiB

_HASH_IDS = {  # the value bytes of object identifiers
    bytes.fromhex("2b0e03021a"): "sha1",
    bytes.fromhex("608648016503040204"): "sha224",
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the certificate table, without its header; PKCS #7 as it should be."""

    kind: int
    data: bytes = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The hash EDK2 takes for the image: by an object identifier at a fixed place, "" if none it knows is there."""
        if len(self.data) < 2 or self.data[1] & 0x82 != 0x82:
            return ""
        return next((name for value, name in _HASH_IDS.items() if self.data[32:].startswith(value)), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignerInfo:
    """One signer of a signature; `certificate` is None when it did not come with it."""

    certificate: Certificate | None
    holds: bool  # the signature's mathematics


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A signature that could be read. `content` is what is signed; its last bytes are the image's hash."""

    content: bytes = field(repr=False)
    certificates: tuple[Certificate, ...]
    signers: tuple[SignerInfo, ...]

    @property
    def names(self) -> str:
        """Who signed, for a sentence."""
        return " and ".join(dict.fromkeys(one.certificate.subject for one in self.signers if one.certificate))

    def claims(self, digest: bytes) -> bool:
        """Whether the signature is about an image of that hash."""
        return self.content.endswith(digest)

    def holds(self) -> bool:
        """Whether all signatures are right, whoever made them."""
        return bool(self.signers) and all(signer.certificate and signer.holds for signer in self.signers)

    def leads_to(self, trusted: Certificate) -> bool:
        """Whether all signers are, or descend from, the trusted certificate, and all signatures are right."""
        return self.holds() and all(
            signer.certificate is not None and certificate.leads_to(signer.certificate, self.certificates, trusted)
            for signer in self.signers
        )


def firmware_table(image: Image) -> tuple[list[Entry], bool]:
    """The entries as EDK2 walks them, and whether it reaches the end of the table as announced.

    Entries of other kinds than PKCS #7 are passed over, as there. Damaged for a table no real image has.
    """
    offset, end = image.certificate_table[0], sum(image.certificate_table)
    _check_table(image)
    found: list[Entry] = []
    for _ in range(_MOST_ENTRIES):
        if end - offset <= 8:
            return found, offset == end
        length, _, kind = struct.unpack("<IHH", image.read(offset, 8))
        padding = -length % 8
        if length <= 8 or length + padding > end - offset:
            return found, False
        data = image.read(offset + 8, length - 8)
        if kind == _BY_GUID and length <= 24:
            return found, False
        if kind == _PKCS or (kind == _BY_GUID and data.startswith(_PKCS7_GUID)):
            found.append(Entry(kind, data[16:] if kind == _BY_GUID else data))
        offset += length + padding
    raise Damaged(f"The certificate table has more than {_MOST_ENTRIES} entries.", code="damaged-signature")


def shim_table(image: Image) -> list[Entry]:
    """The entries as shim walks them; Damaged where shim gives up. Only WIN_CERT_TYPE_PKCS_SIGNED_DATA counts."""
    start, size = image.certificate_table
    _check_table(image)
    if start + size > image.size:
        raise Damaged("The certificate table reaches beyond the image.", code="damaged-signature")
    found: list[Entry] = []
    offset = 0
    for _ in range(_MOST_ENTRIES):
        if offset >= size or start + offset >= image.size:
            return found
        if offset + 4 > size or start + offset + 12 > image.size:
            raise Damaged("The certificate table ends within an entry.", code="damaged-signature")
        length, _, kind = struct.unpack("<IHH", image.read(start + offset, 8))
        if not 8 <= length <= size - offset:
            raise Damaged("An entry of the certificate table has a wrong length.", code="damaged-signature")
        if kind == _PKCS:
            found.append(Entry(kind, image.read(start + offset + 8, length - 8)))
        offset += length + -length % 8
    raise Damaged(f"The certificate table has more than {_MOST_ENTRIES} entries.", code="damaged-signature")


def _check_table(image: Image) -> None:
    if image.certificate_table[1] > _LARGEST_TABLE:
        raise Damaged("The certificate table is larger than any real one.", code="damaged-signature")


@functools.lru_cache(maxsize=64)
def read(data: bytes) -> Signed:
    """Read the PKCS #7 message of an entry; Damaged when OpenSSL could not, or when it is no Authenticode."""
    if len(data) > _LARGEST:
        raise Damaged("A signature is larger than any real one.", code="damaged-signature")
    try:
        return _read(data)
    except UNREADABLE:
        raise Damaged("A signature cannot be read.", code="damaged-signature") from None


def _read(data: bytes) -> Signed:
    outer = cms.ContentInfo.load(data)
    if outer["content_type"].native != "signed_data":
        raise Damaged("A signature is no PKCS #7 signed data.", code="damaged-signature")
    message = outer["content"]
    inner = message["encap_content_info"]
    if inner["content_type"].dotted != _INDIRECT_DATA:
        raise Damaged("A signature is no Authenticode.", code="damaged-signature")
    content = _value(_value(inner["content"].dump()))  # within its tag [0]
    certificates = tuple(certificate.load(one.chosen.dump()) for one in message["certificates"] or ())
    hashes = {one["algorithm"].native for one in message["digest_algorithms"]}
    return Signed(
        content=content,
        certificates=certificates,
        signers=tuple(_signer(one, certificates, content, hashes) for one in message["signer_infos"]),
    )


def _value(encoded: bytes) -> bytes:
    """The value of a DER element of less than 64 KiB, by the rules of AuthenticodeVerify()."""
    first = encoded[1]
    start = 2 if first < 0x80 else 2 + (first & 0x7F)
    length = first if first < 0x80 else int.from_bytes(encoded[2:start], "big")
    if first > 0x82 or first == 0x80 or len(encoded) < start + length:
        raise ValueError(first)
    return encoded[start : start + length]


def _signer(
    info: cms.SignerInfo, certificates: tuple[Certificate, ...], content: bytes, hashes: set[str]
) -> SignerInfo:
    who = info["sid"]
    if who.name != "issuer_and_serial_number":
        raise ValueError(who.name)
    issuer = certificate.comparable(who.chosen["issuer"])
    serial = who.chosen["serial_number"].native
    found = next((one for one in certificates if one.serial == serial and one.issuer_key == issuer), None)
    algorithm = info["digest_algorithm"]["algorithm"].native
    if found is None or algorithm not in certificate.HASHES or algorithm not in hashes:
        return SignerInfo(certificate=found, holds=False)
    message = _attributes(info, content, algorithm)
    signature = info["signature"].native
    holds = message is not None and certificate.signed_by(found.key, signature, message, algorithm)
    return SignerInfo(certificate=found, holds=holds)


def _attributes(info: cms.SignerInfo, content: bytes, algorithm: str) -> bytes | None:
    """What the signer signed: its attributes, if they speak of this content, else the content. None if they do not."""
    attributes = info["signed_attrs"]
    if not attributes:
        return content
    digest = next((one["values"][0].native for one in attributes if one["type"].native == "message_digest"), None)
    if digest != certificate.digest(content, algorithm):
        return None
    signed: bytes = attributes.dump()
    return b"\x31" + signed[1:]  # signed as the SET it is, not under its tag in the message


def signers(image: Image) -> tuple[Signer, ...]:
    """Who signed, for people, in the table's order; what cannot be read is left out."""
    if not image.certificate_table[1]:
        return ()
    try:
        entries, _ = firmware_table(image)
    except Damaged:
        return ()
    return tuple(signer for entry in entries for signer in _describe(entry))


def _describe(entry: Entry) -> Iterable[Signer]:
    try:
        signed = read(entry.data)
    except Damaged:
        return
    for one in signed.signers:
        if one.certificate is not None:
            yield Signer(
                subject=one.certificate.subject,
                issuer=one.certificate.issuer,
                sha256=one.certificate.sha256,
                not_after=one.certificate.not_after,
                chain=tuple(link.subject for link in certificate.chain(one.certificate, signed.certificates)),
            )
