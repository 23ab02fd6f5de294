# SPDX-License-Identifier: GPL-2.0-or-later
"""From what is seen of a machine, look by look, to how far its boot has come: a rule without clock, screen or QEMU.

Refused and failed are what the firmware or a loader says in words that still stand on the screen; started is what can
be seen of whoever came after it: the screen in another's hands, a loader's words, or no complaint for a while. So a
refusal is told at once, and taken back when a later entry boots after all.
"""

from __future__ import annotations

from dataclasses import replace

from kiban.adapters.screen.words import Words
from kiban.model.outcome import BootState

KERNEL = 6 << 20
"""Bytes read of disks and DVDs once a kernel is loaded; firmware and boot loader read less."""
SETTLE = 10.0
"""Seconds after which a loader that says nothing is one that was not refused what it loads next."""
LONG = 60.0
"""Seconds without any text, once somebody draws on the screen, after which it is taken for somebody else's."""
DARK = 2
"""Looks without any text after which the screen is somebody else's; one may fall between clearing and writing."""


class Rule:
    """The boot of one machine since its last start or reset."""

    def __init__(self, *, fresh: bool) -> None:
        self.state: BootState = "firmware" if fresh else ""
        self.words = Words("dark")  # the decisive ones
        self.over = False  # whether nothing more is to be seen: the operating system has the screen
        self._seen = False  # whether the firmware has written anything
        self._dark = 0  # looks
        self._since_dark = 0.0
        self._modes: list[tuple[int, int]] = []  # QEMU's own before there is any, the firmware's, an operating system's
        self._first = 0  # picture
        self._is_drawn = False  # whether it is not QEMU's own any more
        self._handed = ""
        self._since = 0.0

    def look(self, words: Words, *, seconds: float, read: int) -> None:
        """Take in one look at the screen.

        Args:
            words: what it says.
            seconds: time of the look, on any clock.
            read: bytes read of disks and DVDs since the start.
        """
        self._compare(words, seconds)
        match words.stage:
            case "dark":
                self._in_the_dark(words, seconds, read)
            case "refused" | "failed":
                self._refuse(words)
            case "menu" if self.state not in ("refused", "failed"):
                self._enter("failed", words)
            case "loader":
                self._enter("started", words)
            case "handed":
                self._wait(words, seconds)
            case "other" if self._handed:
                self._enter("started", words)
            case "firmware" if self.state != "refused":
                # also when a loader came back without a word, or somebody chose another entry in the firmware's menu
                self._enter("firmware", words)
        self._seen = self._seen or words.stage != "dark"
        self._dark = self._dark if words.stage == "dark" else 0
        if words.stage in ("handed", "loader"):
            self._handed = words.entry or self._handed
        elif words.stage == "firmware":
            self._handed = ""

    def _compare(self, words: Words, seconds: float) -> None:
        """Whose mode and picture it is. A program may go back to the mode that QEMU began with, and no look may have
        fallen into the firmware's.
        """
        if not self._modes:
            self._first = words.picture
        is_mode = [words.size] != self._modes[-1:]
        if is_mode:
            self._modes.append(words.size)
        is_stroke = not self._is_drawn and (len(self._modes) > 1 or words.picture != self._first)
        self._is_drawn = self._is_drawn or is_stroke
        if is_mode or is_stroke:
            self._since_dark = seconds

    def _in_the_dark(self, words: Words, seconds: float, read: int) -> None:
        self._since_dark = self._since_dark if self._dark else seconds
        self._dark += 1
        if self._dark >= DARK and (self._seen or read > KERNEL or len(self._modes) > 2):
            self._enter("started", words)
            self.over = True
        elif self._is_drawn and seconds - self._since_dark > LONG:
            self._enter("started", words)

    def _enter(self, state: BootState, words: Words) -> None:
        self.state, self.words = state, words

    def _refuse(self, words: Words) -> None:
        # of several refusals the first counts: later ones are the firmware trying the same media by other names
        if self.state != words.stage:
            entry = words.entry or self._handed
            self._enter("refused" if words.stage == "refused" else "failed", replace(words, entry=entry))

    def _wait(self, words: Words, seconds: float) -> None:
        if self._handed != words.entry:
            self._since = seconds
            self.state = self.state or "firmware"
        elif seconds - self._since >= SETTLE:
            self._enter("started", words)
