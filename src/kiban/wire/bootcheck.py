# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine would boot, as it is asked for and answered. `kiban.model.bootcheck` says what each member means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kiban.model.bootcheck import Loader, Reason, Verdict
from kiban.wire.base import HostPath, Sent, Wire, Word


class Question(Wire):
    """An ISO, disk image, network boot folder or EFI program that a new machine would boot."""

    path: HostPath
    template: Word = ""
    """Secure Boot template of that machine; microsoft-uefi-ca when left out."""
    format: Literal["raw", "qcow2", "vhdx", "vhd", "iso", ""] = ""
    """Of a disk image; by the end of its name when left out."""
    file: Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """Boot file of a folder, relative to it; a usual one when left out."""


class BootSigner(Sent):
    """Who signed an image."""

    subject: str = Field(examples=["Microsoft Windows UEFI Driver Publisher"])
    issuer: str = Field(examples=["Microsoft Corporation UEFI CA 2011"])
    sha256: str
    """Fingerprint of the certificate."""
    not_after: str
    chain: list[str]
    """The certificates that came with the signature, from the signer upwards."""


class BootStage(Sent):
    """One image of the chain, and what the one who loads it decides."""

    device: str = Field(examples=["dvd0"])
    path: str = Field(examples=["\\EFI\\BOOT\\BOOTX64.EFI"])
    kind: str = Field(examples=["shim"])
    loaded_by: Loader
    architecture: str = Field(examples=["x86-64"])
    size: int
    """Bytes."""
    sha256: str
    """Authenticode hash, by which db and dbx know the image."""
    signers: list[BootSigner]
    sbat: Annotated[
        dict[str, int], BeforeValidator(lambda pairs: dict(pairs) if isinstance(pairs, tuple) else pairs)
    ] = Field(examples=[{"shim": 4}])
    """Generation of each component."""
    verdict: Verdict
    reason: Reason
    decided_by: str = Field(examples=["db: Microsoft Corporation UEFI CA 2011"])
    """The entry that decided; empty when none did."""
    sentence: str


class BootReport(Sent):
    """What would be loaded, and whether it may."""

    verdict: Verdict
    reason: Reason
    """Why it is refused; empty otherwise."""
    sentence: str
    hint: str
    """The one command that mends it; empty where there is none."""
    stages: list[BootStage]
    bytes_read: int
    """Of media and images."""
