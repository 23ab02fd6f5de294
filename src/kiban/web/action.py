# SPDX-License-Identifier: GPL-2.0-or-later
"""Buttons for what cannot be done again right after it was: pressed by keyboard, they keep the focus all the same."""

from __future__ import annotations

from nicegui import ui


class Action(ui.button):
    """A button that is said to be disabled, and ignored, where another one would be taken out of the keyboard's way.

    A browser takes the focus from what it disables, and whoever goes by keyboard would be at the top of the page.
    """

    def _handle_enabled_change(self, enabled: bool) -> None:
        self.props.set_optional("aria-disabled", None if enabled else "true")
