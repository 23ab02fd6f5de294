# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may see the pages: links that work once, tokens, and the sessions that they become.

Secrets are 256 random bits, kept as SHA-256; whoever reads the service's memory dump, a log or the file of sessions
finds none that works. Sessions outlive the service; links are in memory only.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kiban.engine.tokens import Caller, Tokens
from kiban.errors import NotAllowed
from kiban.web.sessions import Door, Record, SessionFile

LINK_SECONDS = 60.0
SESSION_SECONDS = 12 * 3600.0
KEPT = 50
"""Links and sessions of one caller, each; the oldest goes when there are more."""
LOOK = 1.0
"""Seconds between looks at whether sessions' tokens are still good."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A session: whose it is and what its browser may do, until it is `over`."""

    caller: Caller
    door: Door
    """Where it was begun, and counts."""
    where: str = ""
    """Address that it was begun from."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names it in lists; it lets nobody in."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, eq=False)
class _Link:
    caller: Caller
    until: float


class Access:
    """The links and sessions of one service's web manager."""

    def __init__(self, tokens: Tokens, file: SessionFile) -> None:
        self._tokens = tokens
        self._file = file
        self._links: dict[str, _Link] = {}
        self._visits: dict[str, Visit] = {}
        self._name = ""
        self.on_end: Callable[[Visit], None] = lambda _: None
        """Told of each session that is over."""

    @property
    def name(self) -> str:
        """What the web manager goes by on loopback; sessions there are of that name."""
        return self._name

    def rename(self, name: str) -> None:
        """Go by another name on loopback, which nobody has a session of."""
        self._name = name
        self._save()

    def restore(self, doors: Collection[Door]) -> None:
        """Let the sessions of the service before this one go on, at these doors."""
        self._name, records = self._file.load()
        for one in records:
            if one.door in doors:
                self._visits[one.hash] = Visit(one.caller, one.door, one.where, one.id, one.began)
                self._limit(one.hash, (one.until - datetime.now(UTC)).total_seconds())

    def link(self, caller: Caller) -> str:
        """A secret that begins one session of `caller` within LINK_SECONDS."""
        secret = secrets.token_urlsafe(32)
        self._links.pop(_oldest(self._links, caller), None)
        self._links[_hash(secret)] = _Link(caller, time.monotonic() + LINK_SECONDS)
        return secret

    def begin(self, secret: str, door: Door, where: str = "") -> str:
        """Turn a link's secret into that of a session; NotAllowed when it was used, is too old, or never was one."""
        link = self._links.pop(_hash(secret), None)
        if link is None or time.monotonic() >= link.until or not self._good(link.caller):
            raise NotAllowed(
                "This link has been used or is more than a minute old.", "Get a new one: kiban web", code="wrong-link"
            )
        return self._begin(Visit(link.caller, door, where))

    def begin_by_token(self, secret: str, where: str = "") -> str:
        """Begin a session for whoever has a token, and return its secret; NotAllowed where it is none."""
        token = self._tokens.find(secret.strip().encode())
        return self._begin(Visit(Caller(token.role, token), "tls", where))

    def _begin(self, visit: Visit) -> str:
        key = secrets.token_urlsafe(32)
        self._end(_oldest(self._visits, visit.caller))
        self._visits[_hash(key)] = visit
        self._limit(_hash(key), SESSION_SECONDS)
        self._save()
        return key

    def _limit(self, name: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._end, name)

    def find(self, key: str, door: Door) -> Visit | None:
        """The session with that secret, if it was begun at that door and its token is still good."""
        visit = self._visits.get(_hash(key))
        if visit is not None and not self._good(visit.caller):
            self._end(_hash(key))
            return None
        return visit if visit is not None and visit.door == door else None

    def visits(self) -> list[Visit]:
        """All sessions, oldest first."""
        return [*self._visits.values()]

    def end(self, visit: Visit) -> None:
        """End a session, and with it the connections that it has."""
        for name in [name for name, found in self._visits.items() if found is visit]:
            self._end(name)
        self._save()

    async def watch(self) -> None:
        """End sessions whose tokens are revoked, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            for visit in self.visits():
                if not self._good(visit.caller):
                    self.end(visit)

    def _good(self, caller: Caller) -> bool:
        return caller.token is None or self._tokens.good(caller.token)

    def _end(self, name: str) -> None:
        if (visit := self._visits.pop(name, None)) is not None:
            visit.over.set()
            self.on_end(visit)

    def _save(self) -> None:
        self._file.save(self._name, [_record(name, visit) for name, visit in self._visits.items()])


def _record(name: str, visit: Visit) -> Record:
    until = visit.began + timedelta(seconds=SESSION_SECONDS)
    return Record(name, visit.door, visit.caller, visit.where, visit.id, visit.began, until)


def _oldest(kept: dict[str, Visit] | dict[str, _Link], caller: Caller) -> str:
    """The key of the caller's oldest when there are KEPT of his; so nobody pushes out another."""
    own = [key for key, one in kept.items() if one.caller == caller]
    return own[0] if len(own) >= KEPT else ""


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
