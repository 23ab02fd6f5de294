# SPDX-License-Identifier: GPL-2.0-or-later
"""A person's key files: certificates (PEM, DER), signature lists (.esl) and signed updates (.auth), one or a folder.

The formats are those of efitools and sbsigntool. The signature of an .auth file is not checked: whoever may write the
machine's store needs no platform key. Files may come from anywhere, so they are bounded and never followed blindly.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from kiban.adapters.files import open_regular
from kiban.adapters.firmware import certs, keys, siglist
from kiban.adapters.firmware.keys import DATABASES, Database, Keys
from kiban.adapters.firmware.siglist import X509, Entry
from kiban.errors import BadInput, Damaged, NotAllowed, NotFound

CERTIFICATES = (".pem", ".crt", ".cer", ".der")
EXTENSIONS = (*CERTIFICATES, ".esl", ".auth")

_MAX_FILE = 256 << 10  # eight times what the firmware could hold in one database
_MAX_FILES = 64
_MAX_FOLDER = 4096
_NAME = re.compile(rf"(PK|KEK|dbx|db)(-[^/]*)?({'|'.join(map(re.escape, EXTENSIONS))})", re.IGNORECASE)
_NAMES: dict[str, Database] = {database.lower(): database for database in DATABASES}

# EFI_VARIABLE_AUTHENTICATION_2, UEFI specification 2.10, 8.2.2: EFI_TIME, then a WIN_CERTIFICATE_UEFI_GUID.
_AUTH = struct.Struct("<16xLHH16s")
_AUTH_TIME = 16
_AUTH_KIND = (0x0200, 0x0EF1, UUID("4aafd29d-68df-49ee-8aa9-347d375665a7"))  # revision, type, PKCS#7


def read_folder(folder: Path) -> Keys:
    """The keys in a folder, of files named by database: PK.crt, KEK.pem, db.cer, db-2.esl, dbx.auth.

    The same key in several files counts once. Files of other names or extensions, private keys most of all, are not
    opened. Raises NotFound, NotAllowed; BadInput, naming the file, for what cannot be understood, and for a folder
    without a platform key or with two.
    """
    found: dict[Database, list[Entry]] = {database: [] for database in DATABASES}
    for path, database in _named(folder):
        found[database] += siglist.missing(read_file(path, database), found[database])
    if len(found["PK"]) != 1:
        count = len(found["PK"])
        raise BadInput(
            f"{folder} holds {f'{count} platform keys' if count else 'no platform key'}, "
            "and a machine has exactly one.",
            f"Put it there as {folder / 'PK.crt'}; without one Secure Boot cannot be on",
            code="no-platform-key",
        )
    return keys.make({database: tuple(entries) for database, entries in found.items()})


def read_files(paths: Iterable[Path], database: Database) -> tuple[Entry, ...]:
    """The keys in files of any name, for one database. Raises as read_folder does."""
    found: list[Entry] = []
    for path in paths:
        found += siglist.missing(read_file(path, database), found)
    if database == "PK" and len(found) > 1:
        raise BadInput(f"These are {len(found)} platform keys, and a machine has one.", "Name one certificate")
    return tuple(found)


def read_file(path: Path, database: Database) -> list[Entry]:
    """The keys in one file, by its extension. Raises NotFound, NotAllowed, BadInput."""
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise BadInput(
            f"{path} does not say by its name what it is.",
            f"Name it with one of {', '.join(EXTENSIONS)}",
            code="key-file",
        )
    content = _read(path)
    if extension in CERTIFICATES:
        return [Entry(X509, keys.KIBAN, der) for der in _certificates(path, content)]
    entries = _list(path, _payload(path, content) if extension == ".auth" else content)
    _check_kinds(path, database, entries)
    return entries


def is_key_file(path: Path) -> bool:
    """Whether a file is named as one that holds keys, not as an image."""
    return path.suffix.lower() in EXTENSIONS


def _named(folder: Path) -> list[tuple[Path, Database]]:
    """The key files of a folder with their databases, by name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MAX_FOLDER + 1), strict=False)]
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no folder {folder}.", "Check the path", code="no-file") from None
    except PermissionError:
        raise NotAllowed(f"{folder} may not be read.", f"See who owns it: ls -ld {folder}") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} cannot be opened: {error}.", "Name a folder") from error
    matches = [(folder / name, match[1].lower()) for name in sorted(names) if (match := _NAME.fullmatch(name))]
    if len(names) > _MAX_FOLDER or len(matches) > _MAX_FILES:
        raise BadInput(
            f"{folder} holds more than {_MAX_FOLDER} files, or more than {_MAX_FILES} keys.",
            "Put just the machine's keys into a folder of their own",
        )
    return [(path, _NAMES[database]) for path, database in matches]


def _read(path: Path) -> bytes:
    with open_regular(path) as descriptor:
        content = b""
        while len(content) <= _MAX_FILE and (more := os.read(descriptor, _MAX_FILE + 1 - len(content))):
            content += more
    if len(content) > _MAX_FILE:
        raise BadInput(f"{path} is larger than {_MAX_FILE >> 10} KiB, which no key is.", "Is it the file you mean?")
    return content


def _certificates(path: Path, content: bytes) -> list[bytes]:
    """PEM or DER by what stands in it: .crt and .cer are used for both."""
    found = certs.from_pem(content) if b"-----BEGIN" in content else [content] if certs.load(content) else None
    if not found:
        raise BadInput(
            f"{path} holds no certificate that can be read, in PEM or DER.",
            f"Look at it: openssl x509 -text -noout -in {path}",
            code="key-file",
        )
    return found


def _list(path: Path, content: bytes) -> list[Entry]:
    try:
        return siglist.parse(content)
    except Damaged as error:
        raise BadInput(
            f"{path} is not a list of signatures: {error.message}", "Make it with cert-to-efi-sig-list", code="key-file"
        ) from None


def _payload(path: Path, content: bytes) -> bytes:
    try:
        length, revision, kind, guid = _AUTH.unpack_from(content)
    except struct.error:
        length, revision, kind, guid = 0, 0, 0, b""
    end = _AUTH_TIME + length
    if (revision, kind) != _AUTH_KIND[:2] or guid != _AUTH_KIND[2].bytes_le or not _AUTH.size <= end <= len(content):
        raise BadInput(
            f"{path} is not a signed update of a database.", "Make it with sign-efi-sig-list", code="key-file"
        )
    return content[end:]


def _check_kinds(path: Path, database: Database, entries: list[Entry]) -> None:
    for entry in entries:
        if entry.kind == "x509" and certs.load(entry.data) is None:
            raise BadInput(f"{path} holds a certificate that cannot be read.", code="key-file")
        if entry.kind == "other" or (database in ("PK", "KEK") and entry.kind != "x509"):
            raise BadInput(
                f"{path} holds an entry that the firmware has no use for in {database}.",
                "PK and KEK take certificates; db and dbx certificates and SHA-2 hashes",
                code="key-file",
            )
