# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest asks the terminal at its COM port, such as where the cursor is, which terminals answer by themselves.

It takes one answer, while each of several terminals gives one; and a terminal that has come later answers what it finds
among what was said before. So the first answer to a question is passed on, if it comes soon.
"""

from __future__ import annotations

import re
import time
from collections import deque

SOON = 10.0
"""Seconds in which an answer is waited for, with a browser on a slow line."""
MOST = 100
"""Questions of a kind that wait for an answer; the oldest is given up when there are more."""
KINDS = {
    # ECMA-48 and DEC's VT510: DA, secondary DA, DSR, CPR, DECXCPR, DECRQM (ANSI; private), DECRQSS; xterm's colours
    "attributes": (rb"\x1b\[0?c|\x1bZ", rb"\x1b\[\?[\d;]+c"),
    "more_attributes": (rb"\x1b\[>0?c", rb"\x1b\[>[\d;]+c"),
    "status": (rb"\x1b\[5n", rb"\x1b\[0n"),
    # but not what are keys, too: F3 with Shift, Alt, Ctrl is ESC [ 1 ; 2 R to ESC [ 1 ; 8 R
    "cursor": (rb"\x1b\[6n", rb"\x1b\[(?!1;[2-8]R)\d+;\d+R"),
    "cursor_page": (rb"\x1b\[\?6n", rb"\x1b\[\?[\d;]+R"),
    "mode": (rb"\x1b\[\d{1,5}\$p", rb"\x1b\[\d+;\d\$y"),
    "private_mode": (rb"\x1b\[\?\d{1,5}\$p", rb"\x1b\[\?\d+;\d\$y"),
    "setting": (rb"\x1bP\$q", rb"\x1bP[01]\$r[^\x1b]*\x1b\\"),
    "colour": (rb"\x1b\](?:4;\d{1,3}|1[012]);\?", rb"\x1b\](?:4;\d+|1[012]);rgb:[\da-f/]+\x1b\\"),
}
LONGEST = 10
"""Bytes of a question, as above."""


def _any(which: int) -> re.Pattern[bytes]:
    return re.compile(b"|".join(b"(?P<%s>%s)" % (kind.encode(), both[which]) for kind, both in KINDS.items()))


ASKED, ANSWERED = _any(0), _any(1)


class Questions:
    """Those that a guest has asked at one port and that were not answered yet."""

    def __init__(self) -> None:
        self._open: dict[str, deque[float]] = {kind: deque(maxlen=MOST) for kind in KINDS}
        self._end = b""

    def hear(self, said: bytes) -> None:
        """Note what the guest asks; a question may come in pieces."""
        said = self._end + said
        after = 0
        for asked in ASKED.finditer(said):
            self._open[str(asked.lastgroup)].append(time.monotonic())
            after = asked.end()
        self._end = said[after:][1 - LONGEST :]

    def take(self, typed: bytes) -> bool:
        """Whether this goes to the guest: an answer does if it is asked for, which it is not any more then."""
        answer = ANSWERED.fullmatch(typed)
        if answer is None:
            return True
        waiting = self._open[str(answer.lastgroup)]
        while waiting:
            if time.monotonic() - waiting.popleft() < SOON:
                return True
        return False
