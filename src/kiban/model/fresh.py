# SPDX-License-Identifier: GPL-2.0-or-later
"""What chance and the clock decide of a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """What makes one machine different from the next, passed in so that the contract stays pure."""

    id: str
    created: str
    mac: Callable[[], str]
    secret: Callable[[], str]
