# SPDX-License-Identifier: GPL-2.0-or-later
"""How many wrong secrets are listened to: a few from one address, and no more than many from all.

Secrets have 256 random bits, so this is not what keeps guessers out; it keeps them from being heard, and from filling
the log. Whoever has not been wrong lately is always heard, so nobody can shut the door for others.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from ipaddress import IPv6Address, ip_address, ip_network

from kiban.errors import NotAllowed

WINDOW = 60.0
"""Seconds that a wrong secret is held against its address."""
EACH = 10
ALL = 200
"""Wrong secrets within WINDOW; when all addresses together have brought more, each has one."""
_log = logging.getLogger(__name__)


class TooMany(NotAllowed):
    """Wrong too often. `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("Too many wrong tries from your address.", "Wait a minute.", code="too-many-tries")
        self.wait = wait


class Patience:
    """What one door remembers of wrong secrets."""

    def __init__(self) -> None:
        self._wrong: deque[tuple[float, str]] = deque(maxlen=10 * ALL)

    def check(self, address: str) -> None:
        """TooMany while an address has to wait."""
        now = time.monotonic()
        while self._wrong and self._wrong[0][0] <= now - WINDOW:
            self._wrong.popleft()
        neighbours = _network(address)
        times = [when for when, network in self._wrong if network == neighbours]
        limit = EACH if len(self._wrong) < ALL else 1
        if len(times) >= limit:
            raise TooMany(times[-limit] + WINDOW - now)

    def wrong(self, address: str) -> None:
        """Hold a wrong secret against an address."""
        self._wrong.append((time.monotonic(), _network(address)))
        if len(self._wrong) < ALL:
            _log.warning("a wrong secret at the web manager's door, from %s", address or "somewhere")


def _network(address: str) -> str:
    """Whose address it is: over IPv6 a host has all of a /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return str(ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)
