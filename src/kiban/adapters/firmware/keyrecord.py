# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that a machine keeps beside its variable store: those of its custom template, and those of before a change.

<machine>/keys.json         the keys a person gave with --template custom; `reset` puts them into the store anew
          keys.undo.json    the store's keys before and after the last change, for `undo`

Both are JSON with each database as EFI signature lists in base64, replaced as a whole.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiban.adapters.files import replace_file
from kiban.adapters.firmware import keys, siglist
from kiban.adapters.firmware.keys import DATABASES, Keys
from kiban.errors import Damaged

CUSTOM, UNDO = "keys.json", "keys.undo.json"

_VERSION = 1
_MAX_FILE = 2 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of keys: what it was (a verb), when (ISO 8601, UTC), of which template the machine was before."""

    what: str
    time: str
    template: str
    before: Keys
    after: Keys


def save_custom(directory: Path, given: Keys) -> None:
    """Keep the keys of a custom template in the machine's directory."""
    _write(directory / CUSTOM, {"keys": _plain(given)})


def load_custom(directory: Path) -> Keys | None:
    """Those keys, or None where the machine has none. Raises Damaged."""
    content = _read(directory / CUSTOM)
    return None if content is None else _keys(directory / CUSTOM, content.get("keys"))


def save_change(directory: Path, change: Change) -> None:
    """Keep what `undo` needs, in place of the change before."""
    plain = {"what": change.what, "time": change.time, "template": change.template}
    _write(directory / UNDO, {**plain, "before": _plain(change.before), "after": _plain(change.after)})


def load_change(directory: Path) -> Change | None:
    """The last change, or None where there is none to undo. Raises Damaged."""
    path = directory / UNDO
    content = _read(path)
    if content is None:
        return None
    words = {name: content.get(name) for name in ("what", "time", "template")}
    if not all(isinstance(word, str) for word in words.values()):
        raise _damaged(path)
    before, after = (_keys(path, content.get(name)) for name in ("before", "after"))
    return Change(**{name: str(word) for name, word in words.items()}, before=before, after=after)


def drop_change(directory: Path) -> None:
    """Forget the last change: it is undone."""
    (directory / UNDO).unlink(missing_ok=True)


def _plain(of: Keys) -> dict[str, str]:
    return {d: base64.b64encode(siglist.build(of.of(d))).decode() for d in DATABASES}


def _keys(path: Path, content: Any) -> Keys:
    if not isinstance(content, Mapping):
        raise _damaged(path)
    try:
        return keys.make({d: tuple(siglist.parse(base64.b64decode(content[d], validate=True))) for d in DATABASES})
    except (KeyError, TypeError, binascii.Error, Damaged) as error:
        raise _damaged(path) from error


def _write(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, json.dumps({"version": _VERSION, **content}, indent=1).encode() + b"\n")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE + 1)
        content = json.loads(text) if len(text) <= _MAX_FILE else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise _damaged(path)
    return content


def _damaged(path: Path) -> Damaged:
    return Damaged(f"{path} cannot be understood.", "Restore it from a backup, or give the keys anew with --keys")
