# SPDX-License-Identifier: GPL-2.0-or-later
"""What NiceGUI takes from the sockets of pages, less what nobody needs here."""

from __future__ import annotations

from nicegui import core


def tame() -> None:
    """Once NiceGUI is loaded.

    `log` is an event by which a browser writes whatever it likes, of any level and as many lines, into the service's
    log: nobody could tell it from what the service says. The others are what pages are made of.
    """
    core.sio.handlers["/"].pop("log", None)
