# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts one machine with many media and reads from its COM port what its firmware did with each of them.

Each medium has a boot entry, and the firmware goes on to the next when one is refused or hands the machine back. So
dozens of predictions meet what really happens in one start.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matrix_artifacts import STOPS, Artifact
from rig import Guest

from kiban.adapters.bootcheck import runner
from kiban.adapters.firmware import trust as firmware_trust
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Trust

WAIT = 180.0  # seconds without anything new after which a machine is given up
QUIET = 2.0  # seconds without a word after which shim's box is taken to be waiting for its key
_CONTROL = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")
_BOX = re.compile(r"Verification failed|Security (Policy )?Violation")
_REFUSED = {
    "Not Found": "the firmware finds nothing",
    **dict.fromkeys(("Access Denied", "Unsupported", "Load Error"), "the firmware refuses"),
}
_WORDS = re.compile(
    r'BdsDxe: (?:(loading|starting) Boot[0-9A-F]{4} "([^"]*)"[^\r]*\r'
    r'|(failed to load|failed to start) Boot[0-9A-F]{4} "([^"]*)" from .{0,600}?: '
    r"([A-Z][A-Za-z]+(?: [A-Za-z]+)*)\s*?\r)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """An artifact on a medium of a machine: its device and the description of the boot entry that is to load it."""

    artifact: Artifact
    place: str  # matrix_media.Place
    medium: Medium
    device: str
    entry: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What was predicted for a trial, in the words of `expected`, and what happened, in the same words."""

    trial: Trial
    report: Report
    predicted: str
    happened: str

    @property
    def agrees(self) -> bool:
        """Whether that is the same."""
        return self.predicted == self.happened

    @property
    def line(self) -> str:
        """For people, a disagreement marked."""
        mark, reason = " " if self.agrees else "!", self.report.reason or "allowed"
        return (
            f"{mark} {self.trial.artifact.name:22} {self.trial.place:7} "
            f"predicted: {self.predicted} ({reason}), happened: {self.happened}"
        )


def expected(report: Report) -> str:
    """A report in the words that `happened` has for what is seen from outside."""
    if report.verdict != "refused":
        return "runs" if report.verdict == "allowed" else report.verdict
    stage = next((one for one in report.stages if one.verdict == "refused"), None)
    if stage is None or (stage.loaded_by == "firmware" and (stage.reason == "no-loader" or not stage.architecture)):
        return "the firmware finds nothing"  # as it says of what is no program, too
    if stage.loaded_by == "shim" and stage.kind == "shim":
        return "shim switches off"
    if stage.reason in ("no-loader", "network-file-missing"):
        return "shim finds nothing"
    return f"{ {'firmware': 'the firmware', 'grub': 'GRUB'}.get(stage.loaded_by, stage.loaded_by) } refuses"


def predict(trials: Sequence[Trial], trust: Trust) -> list[Report]:
    """What the confined child says about each medium alone."""

    async def ask() -> list[Report]:
        return [await runner.explain([one.medium], trust) for one in trials]

    return asyncio.run(ask())


def trust_of(guest: Guest) -> Trust:
    """What the machine's own NVRAM says that it trusts."""
    view = guest.view
    return firmware_trust.read(Path(view.directory) / "nvram.fd", view.template or "")


class Console:
    """What a machine says on COM1 from now on, as text without control sequences.

    COM1 leads to a file and not to a socket: QEMU throws away what a reader does not take at once.
    """

    def __init__(self, guest: Guest) -> None:
        self.text = ""
        self.ended = False
        self._guest = guest
        self._path = Path(guest.view.coms[0].path)
        self._start = self._path.stat().st_size if self._path.exists() else 0
        self._size = 0
        self._last = time.monotonic()

    def listen(self) -> None:
        """Take in what was said."""
        ended = self._guest.view.state == "off"  # before: so nothing was said after what is read
        said = self._path.read_bytes()[self._start :] if self._path.exists() else b""
        if len(said) > self._size:
            self._size, self._last = len(said), time.monotonic()
            self.text = _CONTROL.sub("", said.decode(errors="replace"))
            return
        self.ended = ended
        time.sleep(0.2)

    def is_quiet(self) -> bool:
        """Whether nothing was said for a while."""
        return time.monotonic() - self._last > QUIET

    def press_return(self) -> None:
        """Press the key."""
        self._guest.client.press(self._guest.name, "ret")
        self._last = time.monotonic()


@dataclass(slots=True)
class _Try:
    """What the firmware said of one entry: how loading or running it ended, "" while it has not; and what was said."""

    refused: str = ""
    started: bool = False
    ended: str = ""
    said: str = ""


def _tries(text: str) -> dict[str, _Try]:
    """By the entry's description."""
    found: dict[str, _Try] = {}
    current, place = _Try(), 0
    for match in _WORDS.finditer(text):
        current.said += text[place : match.start()]
        place = match.end()
        current = found.setdefault(match[2] or match[4], _Try())
        if match[1] == "starting":
            current.started = True
        elif match[3] == "failed to load":
            current.refused = match[5]
        elif match[3] == "failed to start":
            current.ended = match[5]
    current.said += text[place:]
    return found


def _outcome(trial: Trial, tried: _Try, guest: Guest, *, is_off: bool) -> str:
    """What became of a trial; "" while that is open."""
    if tried.refused:
        return _REFUSED.get(tried.refused, f"failed to load: {tried.refused}")
    if STOPS + trial.artifact.name in tried.said:
        return "GRUB refuses"
    if tried.started and _runs(trial.artifact, tried, guest):
        return "runs"
    if tried.started and is_off:
        return "shim switches off"
    return _ended(tried.ended, tried.said) if tried.ended else ""


def _runs(artifact: Artifact, tried: _Try, guest: Guest) -> bool:
    if artifact.says:
        return artifact.says in tried.said and (bool(tried.ended) or not artifact.comes_back)
    return not artifact.comes_back and guest.view.boot.state == "started"  # it says nothing that can be read


def _ended(status: str, said: str) -> str:
    if status == "Unsupported" and not said.strip():
        return "the firmware refuses"  # EDK2 loads what is for a 32-bit PC, and then does not start it
    if _BOX.search(said):
        return "shim refuses"
    return "shim finds nothing" if "grubx64.efi" in said and "start_image() returned" in said else f"ended: {said!r}"


def run(guest: Guest, trials: Sequence[Trial], *, wait: float = WAIT) -> list[Result]:
    """Predict, then start the machine until each trial has an outcome: once, and again behind each that kept it, and
    behind each adapter.

    Args:
        guest: off, with a file for COM1.
        trials: in the order in which they are to be tried.
        wait: seconds without an outcome after which a trial is given up.
    """
    reports = predict(trials, trust_of(guest))
    outcomes: list[str] = []
    while len(outcomes) < len(trials):
        left = trials[len(outcomes) :]
        guest.client.edit(guest.name, boot=[one.device for one in left])
        outcomes += _start(guest, left, wait)
    return [
        Result(trial=trial, report=report, predicted=expected(report), happened=outcome)
        for trial, report, outcome in zip(trials, reports, outcomes, strict=True)
    ]


def _start(guest: Guest, trials: Sequence[Trial], wait: float) -> list[str]:
    """One start: what became of the trials up to the first that keeps the machine, that one at least."""
    console = Console(guest)
    guest.client.start(guest.name)
    found: list[str] = []
    end = time.monotonic() + wait
    while len(found) < len(trials):
        console.listen()
        trial = trials[len(found)]
        tried = _tries(console.text).get(trial.entry, _Try())
        outcome = _outcome(trial, tried, guest, is_off=console.ended)
        if not outcome and (console.ended or time.monotonic() > end):
            outcome = f"nothing was seen but {console.text[-300:]!r}"
        if outcome:
            found.append(outcome)
            end = time.monotonic() + wait
        elif _BOX.search(tried.said) and console.is_quiet():
            console.press_return()
        if outcome and (trial.medium.kind == "folder" or not (tried.refused or tried.ended)):
            break  # behind an adapter's first entry are others of its, and PXE without an answer takes a minute
    guest.off()
    return found
