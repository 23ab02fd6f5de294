# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's TPM as people see it, and its measured-boot event log in words.

The log is read from inside, through the guest agent where it answers, or from outside, in the guest's memory; either
is the guest's own word. What makes it true is that its measurements, replayed, give the PCRs of the TPM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from kiban.adapters.firmware import eventlog, eventwords, memorylog
from kiban.adapters.firmware.eventlog import EventLog
from kiban.adapters.whole import in_thread
from kiban.engine import guestmemory, guesttpm, nvram, tpm
from kiban.engine.handle import Handle
from kiban.errors import BadInput, Conflict, KibanError, NotFound, NotInGeneration
from kiban.model.generations import GENERATIONS
from kiban.model.machine import Machine

Source = Literal["agent", "memory"]
Wanted = Literal["auto", "agent", "memory"]
FIRMWARE_PCRS = range(8)
"""Nothing is measured into them once an operating system runs; into the others it may at any time."""


@dataclass(frozen=True, kw_only=True)
class Pcr:
    """A register: what the log makes of it, and what the guest reads in it; "" where that is not known. In hex."""

    bank: str
    number: int
    meaning: str
    replayed: str
    guest: str


@dataclass(frozen=True, kw_only=True)
class MeasuredEvent:
    """A measurement; `digests` in hex by bank, `size` of what it says was measured, in bytes.

    `proven` tells whether that is what its digests are of; None where they are of a file or a program.
    """

    number: int
    pcr: int
    type: str
    digests: Mapping[str, str]
    size: int
    text: str
    proven: bool | None


@dataclass(frozen=True, kw_only=True)
class MeasuredBoot:
    """An event log. `unread` is the number of bytes at its end that are no event."""

    source: Source
    banks: tuple[str, ...]
    events: tuple[MeasuredEvent, ...]
    pcrs: tuple[Pcr, ...]
    unread: int


@dataclass(frozen=True, kw_only=True)
class TpmView:
    """A machine's TPM. `size` in bytes and `made` in ISO 8601 are its state's; the rest is known while it runs.

    `running` is whether its swtpm is. `matches` tells whether the replayed log gives the PCRs 0 to 7 that the guest
    reads (None: not known); `problem` says why something is not known.
    """

    present: bool
    version: str
    running: bool
    made: str | None
    size: int
    banks: tuple[str, ...]
    source: str
    events: int
    matches: bool | None
    pcrs: tuple[Pcr, ...]
    problem: str


_ABSENT = TpmView(
    present=False, version="", running=False, made=None, size=0, banks=(), source="", events=0, matches=None, pcrs=(),
    problem="",
)  # fmt: skip


async def show(handle: Handle) -> TpmView:
    """The machine's TPM, as far as it can be looked at."""
    machine = handle.machine
    if not machine.tpm:
        return replace(_ABSENT, problem=_without(machine).message)
    made, size = await in_thread(tpm.state, handle.directory)
    view = replace(
        _ABSENT,
        present=True,
        version="2.0",
        running=tpm.runs(handle),
        made=_time(made) if made else None,
        size=size,
    )
    try:
        source, log = await _log(handle, "auto")
    except KibanError as error:
        return replace(view, problem=error.message)
    return await _compared(handle, replace(view, source=source), log)


async def _compared(handle: Handle, view: TpmView, log: EventLog) -> TpmView:
    try:
        real, problem = await guesttpm.pcrs(handle, log.banks), ""
    except KibanError as error:
        real, problem = {}, error.message
    pcrs = _pcrs(log, real)
    matches = all(p.replayed == p.guest for p in pcrs if p.number in FIRMWARE_PCRS and p.replayed) if real else None
    if lies := sum(eventlog.proven(event) is False for event in log.events):
        problem = f"{lies} events of the log do not say what was measured."
    return replace(view, banks=log.banks, events=len(log.events), matches=matches, pcrs=pcrs, problem=problem)


async def measured(handle: Handle, wanted: Wanted = "auto") -> MeasuredBoot:
    """The event log in words. Raises as `raw` does."""
    source, log = await _log(handle, wanted)
    names = {device.path(): device.id for device in nvram.devices(handle.machine)}
    events = await in_thread(_events, log, names)
    return MeasuredBoot(source=source, banks=log.banks, events=events, pcrs=_pcrs(log, {}), unread=log.unread)


async def raw(handle: Handle, wanted: Wanted = "auto") -> bytes:
    """The event log as the TCG defines it, without padding.

    Raises:
        NotInGeneration, NotFound: the machine has no TPM, or no log was found.
        Conflict: it is off.
    """
    return (await _read(handle, wanted))[1]


async def _log(handle: Handle, wanted: Wanted) -> tuple[Source, EventLog]:
    source, data = await _read(handle, wanted)
    return source, await in_thread(eventlog.parse, data)


async def _read(handle: Handle, wanted: Wanted) -> tuple[Source, bytes]:
    machine = handle.machine
    if not machine.tpm:
        raise _without(machine)
    if handle.monitor is None:
        raise Conflict(
            f"{handle.name} is {handle.state}, and its event log is in its memory.",
            f"Start it first: kiban start {handle.name}",
            code=f"is-{handle.state}",
        )
    if wanted != "memory":
        try:
            return "agent", await guesttpm.log(handle)
        except KibanError:
            if wanted == "agent":
                raise
    async with guestmemory.reader(handle) as read:
        return "memory", await memorylog.find(read, guestmemory.low_memory(machine))


def _without(machine: Machine) -> NotFound | BadInput:
    if not GENERATIONS[machine.generation].tpm:
        return NotInGeneration(
            f"{machine.name} has no TPM: a generation 1 machine cannot have one.", "Make a generation 2 machine."
        )
    return NotFound(f"{machine.name} has no TPM.", f"While it is off: kiban set {machine.name} --tpm on", code="no-tpm")


def _pcrs(log: EventLog, real: Mapping[tuple[str, int], str]) -> tuple[Pcr, ...]:
    replayed = {
        (bank, number): value.hex() for bank, values in eventlog.replay(log).items() for number, value in values.items()
    }
    return tuple(
        Pcr(
            bank=bank,
            number=number,
            meaning=eventwords.PCR_MEANING.get(number, ""),
            replayed=replayed.get((bank, number), ""),
            guest=real.get((bank, number), ""),
        )
        for bank, number in sorted({*replayed, *real})
    )


def _events(log: EventLog, names: Mapping[bytes, str]) -> tuple[MeasuredEvent, ...]:
    return tuple(
        MeasuredEvent(
            number=number,
            pcr=event.pcr,
            type=event.name,
            digests={bank: digest.hex() for bank, digest in event.digests.items()},
            size=len(event.data),
            text=eventwords.describe(event, names),
            proven=eventlog.proven(event),
        )
        for number, event in enumerate(log.events, 1)
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
