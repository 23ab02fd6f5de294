# SPDX-License-Identifier: GPL-2.0-or-later
"""What one who loads images has decided about one of them, and the names by which its reasons speak of entries."""

from __future__ import annotations

from dataclasses import dataclass

from kiban.adapters.bootcheck import certificate
from kiban.errors import Damaged
from kiban.model.bootcheck import Reason, Verdict
from kiban.model.trust import Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The verdict on one image.

    `decided_by` is the entry that decided ("db: Microsoft UEFI CA 2023"), "" when none did. `because` is a clause
    without subject and full stop, to follow the image's name ("is signed by X, which the machine does not trust").
    `missing` is the common name of the certificate that would have to be trusted, "" when that would not help.
    """

    verdict: Verdict
    reason: Reason = ""
    decided_by: str = ""
    because: str = ""
    missing: str = ""


def refused(reason: Reason, because: str, *, decided_by: str = "", missing: str = "") -> Decision:
    """A refusal; see Decision."""
    return Decision(verdict="refused", reason=reason, because=because, decided_by=decided_by, missing=missing)


def allowed(decided_by: str, because: str) -> Decision:
    """A permission; see Decision."""
    return Decision(verdict="allowed", decided_by=decided_by, because=because)


def clause(error: Damaged) -> str:
    """An error's sentence as part of another one."""
    return error.message[:1].lower() + error.message[1:].rstrip(".")


def entry_name(database: str, entry: Signature) -> str:
    """`db: Microsoft UEFI CA 2023`, `dbx: SHA-256 80b4d9…`."""
    if entry.kind == "x509":
        return f"{database}: {certificate.name_of(entry.data)}"
    kind = entry.kind.removeprefix("x509-").replace("sha", "SHA-")
    what = "certificate " if entry.kind.startswith("x509-") else ""
    return f"{database}: {what}{kind} {entry.data.hex()[:16]}…"
