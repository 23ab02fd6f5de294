# SPDX-License-Identifier: GPL-2.0-or-later
"""What a generation 2 machine would load, and whether it may: the question and the answer as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["allowed", "refused", "unknown"]

Reason = Literal[
    "",  # allowed
    "no-medium",  # the drive is empty, the adapter has no boot folder
    "no-loader",  # nothing where the firmware looks for a loader
    "not-efi",  # the medium boots by BIOS only
    "wrong-architecture",  # a loader of another processor, a 32-bit one most of all
    "damaged-image",  # not a well-formed PE image
    "damaged-signature",  # it is signed, and the signature does not match or cannot be read
    "unsigned",
    "signer-not-trusted",
    "hash-revoked",
    "certificate-revoked",
    "sbat-revoked",
    "network-file-missing",
    "unreadable",  # damaged or unknown partition table, file system or disk image
]

Loader = Literal["firmware", "shim", "grub", "systemd-boot", "other"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Medium:
    """Something the firmware tries, in its order. `partition` (GUID, lower case) and `loader` (UEFI path with
    backslashes) are those of a boot entry; empty means the removable-media path. A folder is what PXE or HTTP serves,
    and `loader` is then its boot file. `parents` are path and format of what a differencing disk is made on, the next
    one first.
    """

    device: str  # disk0, dvd0, nic0; or the name of a file that was asked about
    kind: Literal["disk", "dvd", "folder", "none"]
    path: str
    format: Literal["raw", "qcow2", "vhdx", "vhd", "iso", ""]
    partition: str = ""
    loader: str = ""
    protocol: Literal["", "tftp", "http"] = ""
    parents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Who signed an image; names are common names, times ISO 8601. `sha256` is the certificate's fingerprint."""

    subject: str
    issuer: str
    sha256: str
    not_after: str
    chain: tuple[str, ...]  # the certificates that came with the signature, from the signer upwards


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One image of the chain, and what the one who loads it (`loaded_by`) decides."""

    device: str
    path: str
    kind: str  # in words: shim, GRUB, Linux kernel, unified kernel image, Windows Boot Manager, EFI program
    loaded_by: Loader
    architecture: str  # x86-64, i386, arm64 …; "" when it is no PE image
    size: int  # bytes
    sha256: str  # Authenticode hash, "" when there is none
    signers: tuple[Signer, ...]
    sbat: tuple[tuple[str, int], ...]  # component and generation
    verdict: Verdict
    reason: Reason
    decided_by: str  # the entry that decided, such as `db: Microsoft UEFI CA 2023`; "" when none did
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The answer. `sentence` names device, file, signer and what is missing; `hint` is one command or "".

    `bytes_read` counts what was read of media and images, in bytes.
    """

    verdict: Verdict
    reason: Reason
    sentence: str
    hint: str
    stages: tuple[Stage, ...]
    bytes_read: int
