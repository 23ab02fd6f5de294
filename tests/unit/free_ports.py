# SPDX-License-Identifier: GPL-2.0-or-later
"""A port for what a test is about to start."""

from __future__ import annotations

import contextlib
import secrets
import socket

FIRST, LAST = 10_000, 32_000
"""Below those that Linux gives to connections (net.ipv4.ip_local_port_range), which would take it in between."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has, and that nobody gets who has not asked for it."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
