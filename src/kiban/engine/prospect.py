# SPDX-License-Identifier: GPL-2.0-or-later
"""What an update would make of a machine's Secure Boot keys, and whether it would still boot then.

`update` asks this before it writes, and the audit asks it of every machine; nothing here writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kiban.adapters.firmware import keys, renewal, trust
from kiban.adapters.firmware.edk2vars import VariableStore
from kiban.adapters.firmware.keys import Keys
from kiban.engine import keyview, nvram
from kiban.engine.handle import Handle
from kiban.model.bootcheck import Report, Stage
from kiban.model.trust import Trust

Judge = Callable[[Handle, Trust], Awaitable[Report]]
"""What the firmware would load from a machine's media if the machine trusted this, and whether it may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prospect:
    """A machine's keys and those of after an update, with what the machine trusts by either; equal if none is added."""

    present: Keys
    wanted: Keys
    now: Trust
    then: Trust


def of(handle: Handle) -> Prospect:
    """The prospect of a machine, running or not; it is slow enough for a thread.

    Raises NotInGeneration, NotFound, NotAllowed, Damaged.
    """
    said = keyview.uefi(handle).template
    store = VariableStore.load(handle.directory / nvram.FILE)
    present = keys.read(store)
    wanted = present.plus(renewal.lacking(present))
    now, then = trust.of_store(store, said), trust.of_keys(wanted, store, said)
    return Prospect(present=present, wanted=wanted, now=now, then=then)


async def reports(handle: Handle, found: Prospect, judge: Judge) -> tuple[Report, Report]:
    """What the machine boots by its present keys, and what by those of after an update.

    Raises what `judge` raises.
    """
    before = await judge(handle, found.now)
    if found.wanted == found.present or not before.stages:
        return before, before  # no other keys, or no image that any keys could decide about
    return before, await judge(handle, found.then)


def breaks(before: Report, after: Report) -> bool:
    """Whether an update would take something away: a machine that may start, or an image that it loads now.

    A machine that another of its media would still boot after that is not the one it was.
    """
    if before.verdict == "refused":
        return False
    allowed = {_image(stage) for stage in before.stages if stage.verdict == "allowed"}
    lost = any(_image(stage) in allowed for stage in after.stages if stage.verdict == "refused")
    return lost or after.verdict == "refused"


def _image(stage: Stage) -> tuple[str, str, str, str]:
    return stage.device, stage.path, stage.loaded_by, stage.sha256
