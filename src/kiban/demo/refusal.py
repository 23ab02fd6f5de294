# SPDX-License-Identifier: GPL-2.0-or-later
"""An ISO with an unsigned boot loader on one generation 2 machine, with Secure Boot on and then off.

What happened is read off the guest's screen: the firmware's own words for a refusal, and memtest86+'s blue screen for a
start. Nothing else of the machine changes between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiban.client import Client
from kiban.demo import png
from kiban.demo.png import Picture
from kiban.errors import Failed

MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
PACKAGE = "memtest86+"
PATIENCE = 300.0
"""Seconds for the firmware to come to its decision, or for memtest86+ to draw, on a slow host without KVM."""
INTERVAL = 1.0
"""Seconds between two looks at the screen."""

BLUE, RED = (0, 0, 170), (170, 0, 0)


@dataclass(frozen=True)
class Seen:
    """A screen that showed what was waited for, and the seconds from the start command until then."""

    png: bytes
    picture: Picture
    seconds: float


def refused(picture: Picture) -> bool:
    """Whether the firmware says that it may not start what it loaded."""
    return picture.access_denied() is not None


def started(picture: Picture) -> bool:
    """Whether memtest86+ has drawn its screen: blue, with the one red sign that is the plus of its name."""
    colour, part = picture.commonest()
    return colour == BLUE and part > 0.5 and picture.has(RED)


def watch(host: Client, name: str, sign: Callable[[Picture], bool], what: str) -> Seen:
    """Start a machine and look at its screen until `sign` is there.

    Raises:
        Failed: it was not there within PATIENCE; the message says that `what` was not seen.
    """
    began = time.monotonic()
    host.start(name)
    while time.monotonic() - began < PATIENCE:
        data = host.screenshot(name)
        picture = png.decode(data)
        if sign(picture):
            return Seen(data, picture, round(time.monotonic() - began, 2))
        time.sleep(INTERVAL)
    raise Failed(f"The screen of {name} did not show {what} within {PATIENCE:.0f} s.", f"Look: kiban screenshot {name}")
