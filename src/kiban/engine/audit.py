# SPDX-License-Identifier: GPL-2.0-or-later
"""All machines at once: whose loaders they trust, how old that is, and what they boot now and after an update.

Nothing is written. A machine that cannot be looked at gets a row that says why, and the others are looked at all the
same. Media are read in confined children, of which no more run at a time than the host has processors for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Literal

from kiban.adapters.firmware import renewal
from kiban.adapters.firmware.renewal import Authorities
from kiban.engine import bootcheck, keyview, prospect
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress
from kiban.engine.prospect import Prospect
from kiban.errors import KibanError
from kiban.model.bootcheck import Reason, Report, Verdict
from kiban.model.states import State

Action = Literal["", "look", "update", "new-loader", "mend"]
"""What a machine wants: nothing; somebody to look at what cannot be read; an update; a newer loader before it can have
one; or, since its keys refuse what it would boot and no update changes that, the command of `explain`."""

_BY_KEYS: frozenset[Reason] = frozenset(
    {"unsigned", "signer-not-trusted", "damaged-signature", "hash-revoked", "certificate-revoked", "sbat-revoked"}
)
"""Refusals that are about trust; an empty drive or disk is nobody's concern here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What a machine would boot, in short; `sentence` is that of `explain`."""

    verdict: Verdict
    reason: Reason
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """One machine. Generation 1 has no keys, so all that is about keys is empty; so it is where there is a `problem`.

    `dbx_date` is the day (ISO 8601) of the newest of Microsoft's revocations that is there (""), `missing` how many an
    update would add, `lacks` all that it would add, in words. `after` is `now` with the keys of after an update; both
    are None where it could not be looked at. `command` is the one that does what `action` asks for (""), and `notes`
    are sentences.
    """

    machine: str
    generation: int  # 0 when the definition cannot be read
    state: State
    problem: str = ""
    secure_boot: bool = False
    setup_mode: bool = False
    authorities: Authorities | Literal[""] = ""
    dbx_date: str = ""
    missing: int = 0
    lacks: tuple[str, ...] = ()
    now: Outlook | None = None
    after: Outlook | None = None
    tpm: bool = False
    action: Action = ""
    command: str = ""
    notes: tuple[str, ...] = ()


async def audit(host: Host, progress: Progress) -> list[Audited]:
    """Look at every machine, in the order of their names. Those that are removed meanwhile are left out."""
    handles = sorted(host.handles.values(), key=lambda handle: handle.name)
    done = 0

    async def one(handle: Handle) -> Audited:
        nonlocal done
        async with host.looks:
            row = await _row(handle)
        done += 1
        progress(done / len(handles), f"{done} of {len(handles)} machines")
        return row

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(handle)) for handle in handles]
    return [task.result() for task, handle in zip(tasks, handles, strict=True) if handle.id in host.handles]


async def _row(handle: Handle) -> Audited:
    machine = handle.definition
    if machine is None:
        return _unreadable(handle, 0, handle.problem, f"kiban info {handle.name}")
    if machine.uefi is None:
        return Audited(machine=handle.name, generation=machine.generation, state=handle.state)
    try:
        found = await asyncio.to_thread(prospect.of, handle)
    except (KibanError, OSError) as error:
        return _unreadable(handle, machine.generation, str(error), f"kiban secureboot show {handle.name}")
    try:
        before, after = await prospect.reports(handle, found, bootcheck.explain)
    except (KibanError, OSError) as error:  # an update would end by it too
        untold = Report(verdict="unknown", reason="", sentence=str(error), hint="", stages=(), bytes_read=0)
        row = await asyncio.to_thread(_judged, handle, found, untold, untold)
        return replace(row, action="look", command=f"kiban secureboot explain {handle.name}", notes=(str(error),))
    return await asyncio.to_thread(_judged, handle, found, before, after)


def _unreadable(handle: Handle, generation: int, problem: str, command: str) -> Audited:
    return Audited(
        machine=handle.name,
        generation=generation,
        state=handle.state,
        problem=problem,
        action="look",
        command=command,
    )


def _judged(handle: Handle, found: Prospect, before: Report, after: Report) -> Audited:
    action, command = _advice(handle.name, found, before, after)
    lacking = renewal.lacking(found.present)
    return Audited(
        machine=handle.name,
        generation=handle.machine.generation,
        state=handle.state,
        secure_boot=found.now.secure_boot,
        setup_mode=not found.now.pk,
        authorities=renewal.authorities(found.present),
        dbx_date=renewal.list_date(found.present.dbx),
        missing=len(lacking.get("dbx", ())),
        lacks=keyview.lacks(found.present),
        now=_outlook(before),
        after=_outlook(after),
        tpm=handle.machine.tpm,
        action=action,
        command=command,
        notes=tuple(_notes(handle, action, before, after)),
    )


def _outlook(report: Report) -> Outlook:
    return Outlook(verdict=report.verdict, reason=report.reason, sentence=report.sentence)


def _advice(name: str, found: Prospect, before: Report, after: Report) -> tuple[Action, str]:
    update = f"kiban secureboot update {name}"
    if found.wanted != found.present:
        if prospect.breaks(before, after):
            return "new-loader", after.hint
        if not _refused_by_keys(after):
            return "update", update
    if _refused_by_keys(after):
        return "mend", after.hint or f"kiban secureboot explain {name}"
    return "", ""


def _refused_by_keys(report: Report) -> bool:
    return report.verdict == "refused" and report.reason in _BY_KEYS


def _notes(handle: Handle, action: Action, before: Report, after: Report) -> list[str]:
    notes = [before.sentence] if _refused_by_keys(before) or before.verdict == "unknown" else []
    if action == "new-loader":
        notes.append(f"After an update it would not start as it does now: {after.sentence} Update its loader first.")
    if action == "update":
        if _refused_by_keys(before) and after.verdict == "allowed":
            notes.append("It would boot after the update.")
        if after.verdict == "unknown" and after.sentence != before.sentence:
            notes.append(f"After the update: {after.sentence}")
        if handle.machine.tpm:
            notes.append(keyview.SEALED)
        if handle.state != "off":
            notes.append(f"It is {handle.state}, and the update wants it off.")
    return notes
