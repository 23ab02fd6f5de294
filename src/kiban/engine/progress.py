# SPDX-License-Identifier: GPL-2.0-or-later
"""How long work says where it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and a few words."""


def quiet(fraction: float, text: str) -> None:
    """A Progress for callers that do not care."""
