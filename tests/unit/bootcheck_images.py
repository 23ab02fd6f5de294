# SPDX-License-Identifier: GPL-2.0-or-later
"""Images and keys for the tests of bootcheck: real EFI programs, a made-up one, authorities, and real signing tools."""

from __future__ import annotations

import functools
import hashlib
import shutil
import struct
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from kiban.adapters.bootcheck import authenticode, pe
from kiban.model.trust import Signature, SignatureKind, Trust

SHIM = Path("/usr/lib/shim/shimx64.efi.signed")  # Debian package shim-signed
UNSIGNED = Path("/usr/lib/shim/fbx64.efi")  # shim-unsigned
FALLBACK = Path("/usr/lib/shim/fbx64.efi.signed")  # shim-helpers-amd64-signed
GRUB = Path("/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed")  # grub-efi-amd64-signed
MEMTEST = Path("/boot/memtest86+x64.efi")  # memtest86+
MEMTEST32 = Path("/boot/memtest86+ia32.efi")
IPXE = Path("/boot/ipxe.efi")  # ipxe
NETBOOT = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")  # debian-installer-12-netboot…
KERNEL = NETBOOT / "linux"

CODE, DATA = 0x60000020, 0x40000040  # section characteristics
RELOCATIONS = struct.pack("<IIHH", 0x1000, 12, 0, 0)  # one block, of padding only; EDK2 takes no empty one


def real(path: Path) -> bytes:
    """A file of a Debian package; the test is skipped without it."""
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    return path.read_bytes()


def image(path: Path) -> pe.Image:
    """The same, parsed."""
    return pe.from_bytes(real(path))


@dataclass(frozen=True)
class Authority:
    """A certificate and its key, also as PEM files in `folder`."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def name(self) -> str:
        return self.certificate.subject.rfc4514_string().removeprefix("CN=")

    @property
    def key_file(self) -> Path:
        return self.folder / f"{self.name}.key"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def entry(self) -> Signature:
        return Signature("x509", self.der, "")

    def body_entry(self, algorithm: str = "sha256") -> Signature:
        """As dbx names a certificate: the hash of its body, and a time, here none."""
        kinds: dict[str, SignatureKind] = {"sha256": "x509-sha256", "sha384": "x509-sha384", "sha512": "x509-sha512"}
        digest = hashlib.new(algorithm, self.certificate.tbs_certificate_bytes).digest()
        return Signature(kinds[algorithm], digest + bytes(16), "")


def authority(
    folder: Path, name: str, issuer: Authority | None = None, *, ca: bool = True, modules_only: bool = False
) -> Authority:
    """A new key with a certificate that expired long ago: firmware does not look at the time."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject_name=subject, serial_number=x509.random_serial_number())
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2002, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if modules_only:
        usage = x509.ObjectIdentifier("1.3.6.1.4.1.2312.16.1.2")
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return _keep(Authority(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()), folder))


def elliptic(folder: Path, name: str) -> Authority:
    """A self-signed certificate with a key on an elliptic curve."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=subject, serial_number=1)
    builder = builder.public_key(key.public_key()).not_valid_before(datetime(2001, 1, 1, tzinfo=UTC))
    return _keep(
        Authority(key, builder.not_valid_after(datetime(2050, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256()), folder)
    )


def _keep(made: Authority) -> Authority:
    """Write its files."""
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made.folder.mkdir(exist_ok=True)
    made.file.write_bytes(made.certificate.public_bytes(pem))
    made.key_file.write_bytes(made.key.private_bytes(pem, private, serialization.NoEncryption()))
    return made


def tool(*command: str, content: bool = True) -> str:
    """Run a tool and give what it printed; the test is skipped without it. It must be content unless told otherwise."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not content, done.stderr
    return done.stdout


def sign(data: bytes, by: Authority, *between: Authority) -> bytes:
    """Sign with sbsign (package sbsigntool), which adds to the signatures that are there."""
    source, target = by.folder / "source.efi", by.folder / "target.efi"
    source.write_bytes(data)
    more = by.folder / "between.pem"
    more.write_bytes(b"".join(one.file.read_bytes() for one in between))
    added = ("--addcert", str(more)) if between else ()
    tool("sbsign", "--key", str(by.key_file), "--cert", str(by.file), *added, "--output", str(target), str(source))
    return target.read_bytes()


def sign_with_hash(data: bytes, by: Authority, algorithm: str) -> bytes:
    """Sign with osslsigncode (package of that name), which knows other hashes than SHA-256."""
    source, target = by.folder / "source.efi", by.folder / "hashed.efi"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    keys = ("-key", str(by.key_file), "-certs", str(by.file))
    tool("osslsigncode", "sign", "-h", algorithm, *keys, "-in", str(source), "-out", str(target))
    return target.read_bytes()


def trust(
    *db: Signature,
    dbx: tuple[Signature, ...] = (),
    mok: tuple[Signature, ...] = (),
    mokx: tuple[Signature, ...] = (),
    sbat_level: str = "",
    secure_boot: bool = True,
    shim_validation: bool = True,
) -> Trust:
    """What a machine trusts that trusts just this."""
    return Trust(
        secure_boot=secure_boot, template="custom", pk=(), kek=(), db=db, dbx=dbx, mok=mok, mokx=mokx,
        sbat_level=sbat_level, shim_validation=shim_validation,
    )  # fmt: skip


def digest(data: bytes, algorithm: str = "sha256") -> bytes:
    """The Authenticode hash as firmware computes it."""
    parsed = pe.from_bytes(data)
    return parsed.digests(pe.firmware_ranges(parsed), (algorithm,))[algorithm]


def hash_entry(data: bytes, algorithm: SignatureKind = "sha256") -> Signature:
    """The entry that names an image by its hash."""
    return Signature(algorithm, digest(data, algorithm), "")


@functools.cache
def microsoft() -> dict[str, Signature]:
    """Microsoft's two authorities for third parties, as they came with Debian's shim: "2011" and "2023"."""
    entries, whole = authenticode.firmware_table(image(SHIM))
    assert whole
    found = [one for entry in entries for one in authenticode.read(entry.data).certificates]
    names = {"2011": "Microsoft Corporation UEFI CA 2011", "2023": "Microsoft UEFI CA 2023"}
    return {
        year: Signature("x509", next(one.der for one in found if one.subject == name), "")
        for year, name in names.items()
    }


def tiny(
    *,
    code: bytes = b"\x31\xc0\xc3",
    sbat: bytes | None = None,
    trailer: bytes = b"",
    machine: int = pe.X64,
    subsystem: int = 10,
    directories: int = 16,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A PE32+ program of our own making: .text (which only returns), .reloc, and .sbat and others where given."""
    sections: list[tuple[bytes, bytes, int]] = [(b".text", code, CODE), (b".reloc", RELOCATIONS, DATA)]
    if sbat is not None:
        sections.append((b".sbat", sbat, DATA))
    sections += [(name, content, DATA) for name, content in extra]
    headers_size = 0x400
    table, body = b"", b""
    for number, (name, content, characteristics) in enumerate(sections):
        padded = content + bytes(-len(content) % 512)
        place = (len(content), 0x1000 * (number + 1), len(padded), headers_size + len(body))
        table += struct.pack("<8sIIIIIIHHI", name, *place, 0, 0, 0, 0, characteristics)
        body += padded
    image_size = 0x1000 * (len(sections) + 1)
    option = struct.pack("<HBBIIIII", 0x20B, 0, 0, 512, 0, 0, 0x1000, 0x1000)
    option += struct.pack(
        "<QIIHHHHHHIIIIHH", 0, 0x1000, 512, 0, 0, 0, 0, 0, 0, 0, image_size, headers_size, 0, subsystem, 0
    )
    option += struct.pack("<QQQQII", 0, 0, 0, 0, 0, directories)
    entries = [(0, 0)] * 16
    entries[5] = (0x2000, 12)
    option += b"".join(struct.pack("<II", *entry) for entry in entries[:directories])
    header = struct.pack("<4sHHIIIHH", b"PE\0\0", machine, len(sections), 0, 0, 0, len(option), 0x22)
    start = b"MZ" + bytes(58) + struct.pack("<I", 64)
    return (start + header + option + table).ljust(headers_size, b"\0") + body + trailer
