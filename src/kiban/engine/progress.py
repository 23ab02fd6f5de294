# SPDX-License-Identifier: GPL-2.0-or-later
"""How long work says where it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and a few words."""


def quiet(fraction: float, text: str) -> None:
    """A Progress for callers that do not care."""


def telling(progress: Progress, text: str, before: float = 0.0, share: float = 1.0) -> Callable[[float], None]:
    """Progress of a part of the work, by its own fraction: it begins at `before` and is `share` of the whole."""
    progress(before, text)
    return lambda fraction: progress(before + fraction * share, text)
