# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine's firmware and shim trust, as plain data: the Secure Boot databases and shim's own lists.

Read from a variable store by `kiban.adapters.firmware`, judged by `kiban.adapters.bootcheck`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SignatureKind = Literal["x509", "sha256", "sha384", "sha512", "x509-sha256", "x509-sha384", "x509-sha512", "other"]
"""Kinds of database entries, UEFI 2.10, 32.4.1: a certificate, a hash of an image, a hash of a certificate's body."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One entry of a database: `data` is a DER certificate or a raw hash; `owner` is the GUID of who put it there."""

    kind: SignatureKind
    data: bytes
    owner: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Everything that decides whether an image may start.

    `mok` and `mokx` are shim's additional allowed and denied entries, `sbat_level` is the text of its revocation
    levels ("" when none is stored), and `shim_validation` is False when the guest's owner switched it off (MokSBState);
    `shim_uses_db` is False when the owner had shim trust its own list only, not the firmware's db (MokDBState).
    """

    secure_boot: bool
    template: str
    pk: tuple[Signature, ...]
    kek: tuple[Signature, ...]
    db: tuple[Signature, ...]
    dbx: tuple[Signature, ...]
    mok: tuple[Signature, ...] = ()
    mokx: tuple[Signature, ...] = ()
    sbat_level: str = ""
    shim_validation: bool = True
    shim_uses_db: bool = True
