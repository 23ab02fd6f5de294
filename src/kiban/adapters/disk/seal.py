# SPDX-License-Identifier: GPL-2.0-or-later
"""What proves that a differencing disk was made here, and on which state of its parent.

A child's header names its parent by a path. Were that enough, an image from anywhere could have any file of this host
read as its disk. So a child that Kiban makes carries the state of its parent, sealed with a key that only this state
directory has: whoever has no key can make no such record, and a record that is copied proves that one parent only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from kiban.adapters.files import replace_file
from kiban.errors import Damaged

KEY_BYTES = 32
_MAC_DIGITS = 32  # 128 bits
MERGING = "merging:"


def load_key(path: Path) -> bytes:
    """The key of this state directory, made at its first use. Raises Damaged, and what `replace_file` raises."""
    if not path.exists():
        replace_file(path, secrets.token_bytes(KEY_BYTES))
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror}.", f"ls -l {path}") from error
    if len(key) != KEY_BYTES or path.stat().st_uid != os.geteuid():
        raise Damaged(f"{path} is not the key that it was.", "Restore it; without it no differencing disk is trusted")
    return key


def seal(key: bytes, identity: str) -> str:
    """A word for a child's record: the state of its parent, sealed."""
    return f"{identity}/{_mac(key, identity)}"


def states(record: Iterable[str]) -> frozenset[str]:
    """The states that a record names, whoever wrote it."""
    return frozenset(word.partition("/")[0] for word in record)


def proven(key: bytes, record: Iterable[str]) -> frozenset[str]:
    """Those of them that were sealed with this key."""
    pairs = [word.partition("/") for word in record]
    return frozenset(state for state, _, mac in pairs if hmac.compare_digest(mac.encode(), _mac(key, state).encode()))


def merging(status: os.stat_result) -> str:
    """The state of a parent that its child is being merged into: whatever is in it, the child covers what changes."""
    return f"{MERGING}{status.st_ino}"


def _mac(key: bytes, identity: str) -> str:
    return hmac.new(key, identity.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:_MAC_DIGITS]
