# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC as an element of a page: connects while the machine runs, and again when the connection is lost."""

from __future__ import annotations

from nicegui.element import Element

from kiban.web.words import Words

WORDS = ("connecting", "lost", "session over", "keys go", "keys stay", "only looking")
"""What the browser says by itself, also when it has lost the service."""


class Screen(Element, component="screen.js"):
    """A machine's screen.

    Args:
        machine_id: whose.
        words: of the page.
        hands: whether keyboard and mouse go to the guest.
        name: the machine's, for those who do not see the screen.
    """

    def __init__(self, machine_id: str, words: Words, *, hands: bool, name: str) -> None:
        super().__init__()
        self._props["address"] = f"/console/{machine_id}/screen"
        self._props["hands"] = hands
        self._props["words"] = {key: words(f"screen {key}") for key in WORDS} | {"label": words("screen of", name=name)}
        self._props["alive"] = False
        self._props["note"] = ""
        self._props["fit"] = True

    def show(self, *, alive: bool, note: str) -> None:
        """Connect while the machine is `alive`; `note` is said in place of a screen while it is not."""
        if (self._props["alive"], self._props["note"]) != (alive, note):
            self._props["alive"], self._props["note"] = alive, note
            self.update()

    @property
    def fit(self) -> bool:
        """Whether the screen is scaled to the room that it has."""
        return bool(self._props["fit"])

    @fit.setter
    def fit(self, fit: bool) -> None:
        self._props["fit"] = fit
        self.update()
