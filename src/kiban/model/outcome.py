# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a running generation 2 machine got past its firmware, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BootState = Literal[
    "",  # not known, not running, or not of generation 2
    "firmware",  # still in it
    "started",  # it handed over to a boot loader or an operating system, which has not refused what comes next
    "refused",  # Secure Boot refused a loader, or the loader refused what it was to start
    "failed",  # nothing could be booted, for another reason: no medium, no answer from the network
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """How far a machine has come since it was started or reset.

    `device` is the one that decided ("" when that is not known), `text` the decisive words on the guest's screen,
    `sentence` the explanation and `hint` what to do; all are empty unless the state is refused or failed.
    """

    state: BootState = ""
    device: str = ""
    text: str = ""
    sentence: str = ""
    hint: str = ""
