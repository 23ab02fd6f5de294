# SPDX-License-Identifier: GPL-2.0-or-later
"""What firmware, shim and GRUB mean by the words they leave on the screen.

Sources of the words: EDK2's UefiBootManagerLib and BdsDxe (release builds print them too), its status codes as `%r`
prints them, shim's and GRUB's messages. A guest can write the same words itself; it deceives only about itself then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from kiban.adapters.screen.text import Text

Stage = Literal[
    "dark",  # nothing that can be read: a logo, graphics, an operating system's own font, or an empty screen
    "other",  # text in the firmware's font, but none that is known
    "firmware",
    "handed",  # the firmware has started an entry, and nothing has been said since
    "loader",  # a boot loader or a kernel speaks
    "refused",
    "failed",
    "menu",  # the firmware's own, for a person to choose from: over what it has said before
]
MAX_WORDS = 200


@dataclass(frozen=True)
class Words:
    """What a screen says: `entry` is a boot entry such as Boot0000 with its `title`, or both are empty."""

    stage: Stage
    entry: str = ""
    title: str = ""
    words: str = ""
    size: tuple[int, int] = (0, 0)
    """The screen's, in pixels."""
    picture: int = field(default=0, compare=False)
    """A number of the whole picture: with another one something was drawn, readable or not."""


@dataclass(frozen=True)
class _Said:
    """A line by the firmware's boot manager, and all that follows until its next one."""

    verb: str
    entry: str
    title: str
    rest: str

    @property
    def status(self) -> str:
        found = _STATUS.search(self.rest) if self.verb.startswith("failed") else None
        return found[1] if found else ""

    def words(self, stage: Stage) -> Words:
        told = f'{self.verb} {self.entry} "{self.title}": {self.status}'
        return Words(stage, self.entry, self.title, told[:MAX_WORDS])


# the device path is left out of what is told: after HTTP boot it holds the secret part of the folder's address
_BDS = re.compile(r'(loading|starting|failed to load|failed to start) (Boot[0-9A-F]{4}) "(.{0,200}?)" from (.*)', re.S)
_STATUS = re.compile(r": ([A-Z][A-Za-z]*(?: [A-Za-z]+)*)")
_OWN = "Fv("  # programs inside the firmware, such as its shell, which Secure Boot never lets run
_REFUSALS = {"Access Denied", "Security Violation"}
_REFUSING = re.compile(
    r"Verification failed: |Security Violation|Security Policy Violation|Access Denied"  # shim, systemd-boot
    r"|bad shim signature|prohibited by secure boot|shim_lock protocol not found|verification requested but nobody",
)
_LOADER = re.compile(r"Welcome to GRUB|GNU GRUB|grub>|grub rescue>|EFI stub: ")
_FIRMWARE = re.compile(r"BdsDxe: |>>Start (PXE|HTTP)|PXE-E\d\d|NBP file|Boot Manager Menu")
_MENU = ("Boot Maintenance Manager", "Device Manager")  # on EDK2's front page
_OVER = "No bootable option or device was found"


def understand(text: Text) -> Words:
    """What the text on a screen says about the boot."""
    return replace(_understood(text), size=(text.width, text.height))


def _understood(text: Text) -> Words:
    if not text.lines:
        return Words("dark")
    said = [part for part in _said(text.flow) if not part.rest.startswith(_OWN)]
    last = said[-1] if said else None
    if last and last.verb == "starting":
        return _started(text, last)
    for part in said:
        if part.status in _REFUSALS:
            return part.words("refused")
    if _OVER in text.flow:
        first = next((part for part in said if part.status), None)
        return first.words("failed") if first else Words("failed", words=_OVER)
    if last or _FIRMWARE.search(text.flow):
        return Words("firmware")
    return _without_firmware(text)


def _without_firmware(text: Text) -> Words:
    """A screen without a word of the firmware's boot manager."""
    if all(entry in text.flow for entry in _MENU):
        return Words("menu", words="the firmware waits in its menu")
    alone = _started(text, _Said("", "", "", text.flow))
    return alone if alone.stage != "handed" else Words("other")


def _started(text: Text, entry: _Said) -> Words:
    """What came after the firmware handed over; who spoke last counts, since some complain and go on."""
    refusing, loader = _last(_REFUSING, entry.rest), _last(_LOADER, entry.rest)
    if refusing > loader:
        line = next((line for line in reversed(text.lines) if _REFUSING.search(line)), "")
        return Words("refused", entry.entry, entry.title, line.strip()[:MAX_WORDS])
    return Words("loader" if loader >= 0 else "handed", entry.entry, entry.title)


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((found.start() for found in pattern.finditer(text)), default=-1)


def _said(flow: str) -> Iterator[_Said]:
    for part in flow.split("BdsDxe: ")[1:]:
        if found := _BDS.match(part):
            yield _Said(found[1], found[2], found[3].strip(), found[4])
