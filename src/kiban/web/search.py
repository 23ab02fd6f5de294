# SPDX-License-Identifier: GPL-2.0-or-later
"""The field that a list is searched by, and what was typed into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from kiban.web.words import Words

SOUGHT = 200
"""Characters of a search; every machine is compared with each word of it whenever one changes."""


def field(words: Words, seek: Callable[..., Any]) -> ui.input:
    """Where a search is typed; `seek` is called with NiceGUI's event when somebody paused in it."""
    found = ui.input(words("search"), on_change=seek).classes("k-search")
    return found.props(f'dense outlined clearable debounce=150 type="search" maxlength={SOUGHT}')


def sought(text: object) -> list[str]:
    """The words of a search, whatever a browser sends as one."""
    return str(text or "")[:SOUGHT].casefold().split()
