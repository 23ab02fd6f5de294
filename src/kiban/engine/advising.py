# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine for an ISO should be: the system on it, which generation suits it and why, and what it wants."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.osinfo import advice, iso, recognise
from kiban.adapters.osinfo.recognise import Recognised
from kiban.errors import HostLacks
from kiban.model.contract import DEFAULT_CPUS, DEFAULT_MEMORY, DEFAULT_TEMPLATE
from kiban.model.units import GiB

LEAST_DISK = 20 * GiB
"""Bytes that a suggested disk has at least; it takes room only as it is written to."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A machine of one generation for a guest; sizes in bytes.

    Where it does not suit (`ok`), `reason` says why and `hint` what to do; where it does, a reason is a warning.
    """

    generation: int
    ok: bool
    reason: str
    hint: str
    cpus: int
    memory: int
    disk: int
    tpm: bool
    template: str


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What is known of an ISO. `guest` is osinfo's short id and empty, as `name` is, for one that nobody described.

    Attributes:
        path: of the ISO.
        label: of its volume.
        others: short ids of further systems whose discs bear the same labels.
        generation: the better one, 0 where neither suits; `reason` is why.
        suggestions: of generation 1, then of 2.
    """

    path: str
    label: str
    guest: str
    name: str
    others: tuple[str, ...]
    generation: int
    reason: str
    suggestions: tuple[Suggestion, ...]


async def advise(path: str) -> Advice:
    """Look at an ISO; NotFound, NotAllowed or BadInput where there is none at that path."""
    return await asyncio.to_thread(_advise, Path(path))


def _advise(path: Path) -> Advice:
    found = _recognise(path)
    suggestions = tuple(_suggestion(found, generation) for generation in (1, 2))
    generation, reason = _choose(found, *suggestions)
    profile = found.profile
    return Advice(
        path=str(path),
        label=found.label.volume_id,
        guest=(profile.asked or profile.short_id) if profile else "",
        name=(profile.asked or profile.name) if profile else "",
        others=found.others,
        generation=generation,
        reason=reason,
        suggestions=suggestions,
    )


def _recognise(path: Path) -> Recognised:
    try:
        return recognise.recognise(path)
    except HostLacks as error:  # its label is there without the database
        _log.info("ISOs are not recognised: %s", error)
        return Recognised(iso.read_label(path), None, "", False, ())


def _suggestion(found: Recognised, generation: int) -> Suggestion:
    verdict, profile = advice.suits(found.profile, generation, found), found.profile
    chosen = advice.defaults(profile, generation) if profile else None
    wanted = max(profile.recommended.disk or 0, profile.minimum.disk or 0) if profile else 0
    template = DEFAULT_TEMPLATE if generation == 2 else ""
    return Suggestion(
        generation=generation,
        ok=verdict.ok,
        reason=verdict.reason,
        hint=verdict.hint,
        cpus=chosen.cpus if chosen else DEFAULT_CPUS,
        memory=chosen.memory if chosen else DEFAULT_MEMORY,
        disk=max(-(-wanted // GiB) * GiB, LEAST_DISK),
        tpm=bool(chosen and chosen.tpm),
        template=(chosen.secure_boot_template if chosen else "") or template,
    )


def _choose(found: Recognised, first: Suggestion, second: Suggestion) -> tuple[int, str]:
    """The generation that suits better, and why."""
    name = found.profile.name if found.profile else "The medium"
    if not first.ok and not second.ok:
        return 0, first.reason
    if not second.ok or (second.reason and first.ok and not first.reason):
        return 1, second.reason
    if not found.label.boots_on:
        return 2, f"{name} is not known to be bootable; generation 2 is the choice for what is 64-bit."
    return 2, f"{name} starts on UEFI, which generation 2 has, with Secure Boot."
