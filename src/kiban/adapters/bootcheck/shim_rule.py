# SPDX-License-Identifier: GPL-2.0-or-later
"""How shim decides: about itself when it starts (SBAT self-check), then about what it loads or is asked about.

Written from rhboot/shim 15.4 to 16.1. Not seen from outside, so not here: the key a shim was built with (it may sign
its own MokManager and fallback loader) and extra certificates beside it on the medium.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kiban.adapters.bootcheck import authenticode, certificate, loadable, pe, sbat
from kiban.adapters.bootcheck.authenticode import Signed
from kiban.adapters.bootcheck.decision import Decision, allowed, clause, entry_name, refused
from kiban.adapters.bootcheck.firmware_rule import find_hash, not_trusted, verifies
from kiban.adapters.bootcheck.pe import Image
from kiban.errors import Damaged
from kiban.model.trust import Signature, SignatureKind, Trust

_LARGEST = 4 * 1024 * 1024  # bytes of a vendor section
_MODULES_ONLY = "1.3.6.1.4.1.2312.16.1.2"  # extended key usage; shim ignores such certificates
_KINDS: dict[str, SignatureKind] = {
    "a5c059a1-94e4-4aa7-87b5-ab155c2bf072": "x509",
    "c1c41626-504c-4092-aca9-41f936934328": "sha256",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shim:
    """What a shim brings along. `own_sbat` is None for shims from before SBAT (15.3), which know nothing of it."""

    trusted: tuple[Signature, ...]
    denied: tuple[Signature, ...]
    own_sbat: bytes | None
    automatic: str  # the revocation level it sets by itself
    latest: str  # the one it sets when told to (mokutil --set-sbat-policy latest)


def read(image: Image) -> Shim:
    """Read what is built into a shim. Damaged when its vendor section cannot be understood; BadInput never."""
    vendor = image.section(".vendor_cert")
    if vendor is None:
        raise Damaged("It is no shim: it has no section for a vendor's certificate.", code="damaged-image")
    trusted, denied = _vendor(image.content(vendor, _LARGEST))
    own = image.section(".sbat")
    levels = image.section(".sbatlevel")
    automatic, latest = sbat.embedded_levels(image.content(levels, sbat.LARGEST) if levels else b"")
    return Shim(
        trusted=tuple(_entries(trusted)),
        denied=tuple(_entries(denied)),
        own_sbat=image.content(own, sbat.LARGEST) if own else None,
        automatic=automatic,
        latest=latest,
    )


def _vendor(section: bytes) -> tuple[bytes, bytes]:
    if len(section) < 16:
        raise Damaged("The shim's vendor section is cut off.", code="damaged-image")
    size, denied_size, offset, denied_offset = struct.unpack_from("<IIII", section)
    if max(offset + size, denied_offset + denied_size) > len(section):
        raise Damaged("The shim's vendor section is cut off.", code="damaged-image")
    return section[offset : offset + size], section[denied_offset : denied_offset + denied_size]


def _entries(data: bytes) -> Iterator[Signature]:
    """A single certificate, or EFI_SIGNATURE_LISTs (UEFI 2.10, 32.4.1) up to the first that makes no sense."""
    if data[:2] == b"\x30\x82":
        yield Signature("x509", data, "")
        return
    while len(data) >= 28:
        size, header, each = struct.unpack_from("<III", data, 16)
        if not 28 <= size <= len(data) or each <= 16:
            return
        kind = _KINDS.get(str(uuid.UUID(bytes_le=data[:16])))
        for start in range(28 + header, size - each + 1, each):
            if kind is not None:
                yield Signature(
                    kind, data[start + 16 : start + each], str(uuid.UUID(bytes_le=data[start : start + 16]))
                )
        data = data[size:]


def level(shim: Shim, trust: Trust) -> tuple[str, str]:
    """The revocation level in force once this shim runs under Secure Boot, and whose it is: "stored" or "shim"."""
    if trust.sbat_level and sbat.keeps(trust.sbat_level, shim.automatic):
        return trust.sbat_level, "stored"
    return shim.automatic, "shim"


def starts(shim: Image, trust: Trust) -> Decision:
    """What a shim that the firmware has let in decides about itself: it switches the machine off when it is revoked.

    Switching off shim's validation does not spare it: it looks at that later. Damaged when it is no shim.
    """
    own = read(shim)
    if not trust.secure_boot or own.own_sbat is None:
        return allowed("", "checks nothing about itself")
    return _sbat(own.own_sbat, own, trust) or allowed("", "is not revoked by SBAT")


def judge(image: Image, shim: Image, trust: Trust, *, asked: bool = False) -> Decision:
    """What shim does with an image that it loads itself, or that it is asked about by a loader (`asked`).

    A loader asks for kernels and for what it chain-loads; only for those may SBAT data be missing. Damaged when `shim`
    is none, or `image` ends where its headers say it goes on.
    """
    if image.machine != pe.X64:
        return refused("wrong-architecture", f"is for {image.architecture} processors, and the machine is x86-64")
    fault = loadable.shim_fault(image, runs_it=not asked)
    if fault:
        return refused("damaged-image", fault)
    if not trust.secure_boot or not trust.shim_validation:
        off = "may start because Secure Boot is off"
        return allowed("", "may start because shim's validation is off" if trust.secure_boot else off)
    own = read(shim)
    try:
        decision = _authenticode(image, own, trust)
    except Damaged as error:
        return refused("damaged-signature", f"cannot be verified: {clause(error)}")
    if decision.verdict != "allowed" or own.own_sbat is None:
        return decision
    return _image_sbat(image, own, trust, asked=asked) or decision


def _ranges(image: Image) -> tuple[list[pe.Range], bytes]:
    """What shim hashes (generate_hash), with the zeros it adds. Damaged where it gives up."""
    ranges = pe.header_ranges(image) + pe.section_ranges(image)
    done = image.headers_size + sum(length for _, length in pe.section_ranges(image))
    if done > image.size:
        raise Damaged("Its sections are larger than the file.", code="damaged-image")
    offset, size = image.certificate_table
    tail = b""
    if image.size > done and size:
        if image.size - done < size or image.size - size != offset:
            raise Damaged("Its certificate table is not at its end.", code="damaged-image")
        ranges.append((done, image.size - size - done))
        done = image.size - size
    if image.size > done + size:
        ranges.append((done, image.size - done))
        tail = bytes(-image.size % 8)
    return [(start, length) for start, length in ranges if length > 0], tail


def _authenticode(image: Image, shim: Shim, trust: Trust) -> Decision:
    """verify_buffer_authenticode: denied by hash, allowed by hash, then by signatures, of which one good one does."""
    ranges, tail = _ranges(image)
    digest = image.digests(ranges, ("sha256",), tail)["sha256"]
    for name, database in _deny(shim, trust):
        entry = find_hash(database, "sha256", digest)
        if entry:
            return refused("hash-revoked", "is revoked", decided_by=entry_name(name, entry))
    for name, database in _allow(shim, trust):
        entry = find_hash(database, "sha256", digest)
        if entry:
            return allowed(entry_name(name, entry), "is trusted by its hash")
    if not image.certificate_table[1]:
        return refused("unsigned", "is not signed")
    entries = authenticode.shim_table(image)
    decision = _signatures([_read(entry.data) for entry in entries], digest, shim, trust)
    if decision.reason == "damaged-signature" and {"sha384", "sha512", "sha1"} & {entry.algorithm for entry in entries}:
        return refused(decision.reason, "is signed with another hash than SHA-256, the only one that shim looks at")
    return decision


def _deny(shim: Shim, trust: Trust) -> tuple[tuple[str, Sequence[Signature]], ...]:
    return ("shim's own dbx", shim.denied), ("dbx", trust.dbx), ("MokListX", trust.mokx)


def _allow(shim: Shim, trust: Trust) -> tuple[tuple[str, Sequence[Signature]], ...]:
    return ("db", trust.db), ("shim", shim.trusted), ("MokList", trust.mok)


def _read(data: bytes) -> Signed | None:
    try:
        return authenticode.read(data)
    except Damaged:
        return None


def _signatures(signatures: Sequence[Signed | None], digest: bytes, shim: Shim, trust: Trust) -> Decision:
    revoked = None
    for signed in signatures:
        denied = _descends(signed, digest, _deny(shim, trust))
        if denied:
            revoked = revoked or denied
            continue
        by = _descends(signed, digest, _allow(shim, trust))
        if by and signed:
            return allowed(by, f"is signed by {signed.names}")
    if revoked:
        return refused("certificate-revoked", "is signed with a revoked certificate", decided_by=revoked)
    right = [signed for signed in signatures if signed and signed.holds()]
    signers = [one.certificate for signed in right for one in signed.signers if signed.claims(digest)]
    if signers:
        return not_trusted([signer for signer in signers if signer])
    return refused(
        "damaged-signature", "was changed after it was signed" if right else "has a signature that does not hold"
    )


def _descends(signed: Signed | None, digest: bytes, databases: Sequence[tuple[str, Sequence[Signature]]]) -> str:
    """The entry of the databases from which a signature descends, named; "" when none."""
    for name, database in databases:
        for entry in database:
            if entry.kind == "x509" and _is_usable(entry.data) and verifies(signed, digest, entry):
                return entry_name(name, entry)
    return ""


def _is_usable(der: bytes) -> bool:
    """Shim wants a length in two bytes, nothing behind the certificate, and none that is for kernel modules only."""
    if der[:2] != b"\x30\x82" or int.from_bytes(der[2:4], "big") != len(der) - 4:
        return False
    try:
        return _MODULES_ONLY not in certificate.load(der).purposes
    except Damaged:
        return False


def _image_sbat(image: Image, shim: Shim, trust: Trust, *, asked: bool) -> Decision | None:
    sections = [section for section in image.sections if section.short == ".sbat"]
    if len(sections) > 1 or any(section.relocations for section in sections):
        return refused("damaged-image", "has SBAT data that shim does not take")
    usable = [section for section in sections if section.size and section.size >= section.virtual_size]
    if not usable:
        return None if asked else refused("sbat-revoked", "has no SBAT data, which shim demands of what it loads")
    data = image.read(usable[0].offset, min(usable[0].size, sbat.LARGEST))
    return _sbat(data, shim, trust)


def _sbat(data: bytes, shim: Shim, trust: Trust) -> Decision | None:
    """The refusal by SBAT, if any."""
    text, whose = level(shim, trust)
    decided_by = f"SbatLevel {'of the machine' if whose == 'stored' else 'built into shim'}"
    try:
        hit = sbat.revoked(sbat.image_entries(data), sbat.level_entries(text))
    except Damaged as error:
        return refused("sbat-revoked", f"is refused: {clause(error)}", decided_by=decided_by)
    if hit is None:
        return None
    because = f"has generation {hit.generation} of {hit.component}, and generation {hit.demanded} is demanded"
    return refused("sbat-revoked", because, decided_by=f"{decided_by}: {hit.component},{hit.demanded}")
