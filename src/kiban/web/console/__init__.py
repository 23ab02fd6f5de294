# SPDX-License-Identifier: GPL-2.0-or-later
"""The console: a machine's screen with keyboard and mouse, and terminals on its COM ports.

browser: screen.js, noVNC ─ WebSocket ─► gate ─► relay.py ─► engine.display ─ socket pair ─► QEMU's VNC server
"""

from __future__ import annotations

from kiban.web.base import Site
from kiban.web.console import library, page, relay, terminal


def add(site: Site) -> None:
    """The pages, noVNC's files, and the WebSocket between them and QEMU."""
    page.add(site)
    library.add(site)
    relay.add(site)
    terminal.add(site)
