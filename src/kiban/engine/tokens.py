# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens of callers who come over TLS: a file of names, roles and hashes in the state directory.

A token has 256 random bits, so a plain SHA-256 of it cannot be turned around. A running service sees a change at once.
When a token was last used is the time of an empty file of its name, which may be lost without harm.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from kiban.adapters.files import replace_file, sweep_replaced
from kiban.errors import BadInput, Conflict, Damaged, KibanError, NotAllowed, NotFound
from kiban.model.roles import Role
from kiban.paths import private

NOTED = 60.0
"""Seconds between notes of a token's use."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Token:
    """One token as it is kept: never the token itself."""

    name: str
    role: Role
    sha256: str
    created: str


@dataclass(frozen=True)
class TokenView:
    """One token as it is shown."""

    name: str
    role: Role
    created: str
    used: str
    """When it was last used, to the minute or so; empty for never."""


@dataclass(frozen=True)
class Caller:
    """Who asks for something: by a token or, where there is none, by the service's own socket."""

    role: Role
    token: Token | None = None

    @property
    def name(self) -> str:
        """The token's; empty for whoever came by the socket."""
        return self.token.name if self.token is not None else ""


_List = list[Token]  # inside the class, `list` is a method
_ViewList = list[TokenView]


class Tokens:
    """The tokens of one state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / "tokens.json"
        self._uses = state / "tokens-used"
        self._noted: dict[str, float] = {}
        self._seen: tuple[int, int, int] | None = None
        self._tokens: list[Token] = []

    def list(self) -> list[Token]:
        """All tokens, oldest first; Damaged when the file cannot be understood."""
        try:
            info = self._path.stat()
            seen = (info.st_ino, info.st_mtime_ns, info.st_size)
            if seen != self._seen:
                self._tokens = [_token(item) for item in json.loads(self._path.read_bytes())["tokens"]]
                self._seen = seen
        except FileNotFoundError:
            self._tokens, self._seen = [], None
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(f"{self._path} is not a list of tokens.", "Remove it and make the tokens anew.") from error
        return [*self._tokens]

    def shown(self) -> _ViewList:
        """All tokens, oldest first, with when they were last used."""
        return [TokenView(token.name, token.role, token.created, self._used(token.name)) for token in self.list()]

    def create(self, name: str, role: Role = "operator") -> str:
        """Make a token and return it; it is not kept and cannot be shown again."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name[:80]!r} cannot be a token's name.", "Use letters, digits, '.', '_' and '-'.")
        secret = secrets.token_urlsafe(32)
        with self._changing() as tokens:
            if any(token.name == name for token in tokens):
                raise Conflict(f"There is a token {name} already.", f"Revoke it first: kiban token revoke {name}")
            self._forget(name)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            tokens.append(Token(name, role, _hash(secret.encode()), created))
        return secret

    def revoke(self, name: str) -> None:
        """Make a token worthless, at once; NotFound when there is none of that name."""
        with self._changing() as tokens:
            left = [token for token in tokens if token.name != name]
            if len(left) == len(tokens):
                raise NotFound(f"There is no token {name[:80]!r}.", "See all: kiban token list")
            tokens[:] = left
        self._forget(name)

    def find(self, secret: bytes) -> Token:
        """The token that `secret` is, or NotAllowed. Takes as long for a wrong token as for a right one."""
        given, found = _hash(secret), None
        for token in self.list():
            if hmac.compare_digest(token.sha256, given):
                found = token
        if found is None:
            raise NotAllowed("This token is not known here.", "It may have been revoked.", code="wrong-token")
        self._note(found.name)
        return found

    def good(self, token: Token) -> bool:
        """Whether it has not been revoked since; a damaged file lets nobody in."""
        try:
            return token in self.list()
        except (KibanError, OSError):
            return False

    def _note(self, name: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(name, -NOTED) < NOTED:
            return
        self._noted[name] = now
        with contextlib.suppress(OSError):  # on a full disk callers are answered all the same
            self._uses.mkdir(mode=0o700, exist_ok=True)
            (self._uses / name).touch(mode=0o600)

    def _used(self, name: str) -> str:
        try:
            return datetime.fromtimestamp((self._uses / name).stat().st_mtime, UTC).isoformat(timespec="seconds")
        except OSError:
            return ""

    def _forget(self, name: str) -> None:
        self._noted.pop(name, None)
        with contextlib.suppress(OSError):
            (self._uses / name).unlink()

    @contextmanager
    def _changing(self) -> Iterator[_List]:
        """The tokens, to be changed in place and then written; one process at a time."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._path.with_suffix(".lock"), "w", opener=private) as lock:  # Path.open has no opener
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = self.list()
            yield tokens
            text = json.dumps({"version": 1, "tokens": [asdict(token) for token in tokens]}, indent=2)
            sweep_replaced(self._path)
            replace_file(self._path, text.encode())


def _token(item: dict[str, str]) -> Token:
    if item["role"] not in get_args(Role):
        raise ValueError(item["role"])
    return Token(**item)  # type: ignore[arg-type]  # the role is checked above


def _hash(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
