# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions as they are kept for the service's next start: a file of its owner's in the state directory.

It has hashes only, so whoever reads it gets in nowhere. What cannot be understood, or is too old, is left out: then a
browser needs a new link or its token again, which is all that is lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from kiban.adapters.files import replace_file
from kiban.engine.tokens import Caller, Tokens
from kiban.errors import KibanError
from kiban.model.roles import Role

VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
Door = Literal["loopback", "tls"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One session as it is kept; `hash` is the SHA-256 of its secret, in hex."""

    hash: str
    door: Door
    caller: Caller
    where: str
    id: str
    began: datetime
    until: datetime


class SessionFile:
    """The sessions of one state directory, and the name that those on loopback go by."""

    def __init__(self, path: Path, tokens: Tokens) -> None:
        self._path, self._tokens = path, tokens

    def load(self) -> tuple[str, list[Record]]:
        """The name on loopback and the sessions whose time is not over and whose tokens are still good."""
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(MAX_BYTES))
            if found["version"] != VERSION:
                return "", []
            return str(found["name"]), [*self._understood(found["sessions"])]
        except FileNotFoundError:
            return "", []
        except (OSError, ValueError, TypeError, KeyError, RecursionError, KibanError) as error:
            _log.warning("the sessions of before are lost: %s: %s", type(error).__name__, error)
            return "", []

    def save(self, name: str, records: Iterable[Record]) -> None:
        """Keep these and no others. Where that is not possible none are kept: who was sent away must not come back."""
        kept = {"version": VERSION, "name": name, "sessions": [_written(record) for record in records]}
        try:
            replace_file(self._path, json.dumps(kept, indent=1).encode())
        except KibanError as error:
            _log.warning("sessions end with the service: %s", error)
            self._path.unlink(missing_ok=True)

    def _understood(self, items: list[dict[str, Any]]) -> Iterator[Record]:
        tokens = {token.sha256: token for token in self._tokens.list()}
        now = datetime.now(UTC)
        for item in items:
            token = tokens.get(item["token"]) if item["token"] else None
            began, until = datetime.fromisoformat(item["began"]), datetime.fromisoformat(item["until"])
            if item["role"] not in get_args(Role) or item["door"] not in get_args(Door):
                raise ValueError("a role or a door that there is not")
            if not all(isinstance(item[name], str) for name in ("hash", "where", "id")):
                raise ValueError("not text")
            if bool(item["token"]) != (token is not None) or not began <= now < until:
                continue
            caller = Caller(item["role"], token)
            yield Record(item["hash"], item["door"], caller, item["where"], item["id"], began, until)


def _written(record: Record) -> dict[str, object]:
    return {
        "hash": record.hash,
        "door": record.door,
        "role": record.caller.role,
        "token": record.caller.token.sha256 if record.caller.token else "",
        "where": record.where,
        "id": record.id,
        "began": record.began.isoformat(),
        "until": record.until.isoformat(),
    }
