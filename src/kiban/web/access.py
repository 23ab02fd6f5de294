# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may see the pages: links that work once, and the sessions that they become. All of it is in memory only.

Both are 256 random bits, kept as SHA-256; whoever reads the service's memory dump or a log finds none that works.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import TypeVar

from kiban.api.roles import Role
from kiban.errors import NotAllowed

T = TypeVar("T")
LINK_SECONDS = 60.0
SESSION_SECONDS = 12 * 3600.0
KEPT = 100
"""Links and sessions, each; the oldest goes when there are more."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A session: what its browser may do, until it is `over`."""

    role: Role
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Access:
    """The links and sessions of one web manager."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[Role, float]] = {}
        self._visits: dict[str, Visit] = {}

    def link(self, role: Role) -> str:
        """A secret that begins one session of `role` within LINK_SECONDS."""
        secret = secrets.token_urlsafe(32)
        _make_room(self._links)
        self._links[_hash(secret)] = (role, time.monotonic() + LINK_SECONDS)
        return secret

    def begin(self, secret: str) -> str:
        """Turn a link's secret into that of a session; NotAllowed when it was used, is too old, or never was one."""
        role, until = self._links.pop(_hash(secret), ("viewer", 0.0))
        if time.monotonic() >= until:
            raise NotAllowed(
                "This link has been used or is more than a minute old.", "Get a new one: kiban web", code="wrong-link"
            )
        visit, key = Visit(role), secrets.token_urlsafe(32)
        if oldest := _make_room(self._visits):
            oldest.over.set()
        self._visits[_hash(key)] = visit
        asyncio.get_running_loop().call_later(SESSION_SECONDS, self.end, key)
        return key

    def find(self, key: str) -> Visit | None:
        """The session with that secret."""
        return self._visits.get(_hash(key))

    def end(self, key: str) -> None:
        """End a session, and with it the connections that it has."""
        if (visit := self._visits.pop(_hash(key), None)) is not None:
            visit.over.set()


def _make_room(kept: dict[str, T]) -> T | None:
    """Drop and return the oldest when there are KEPT."""
    return kept.pop(next(iter(kept))) if len(kept) >= KEPT else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
