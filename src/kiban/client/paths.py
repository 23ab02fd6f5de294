# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths: of the caller's files, which the service must be told from the root on, and of the service's addresses."""

from __future__ import annotations

import os

from kiban.client.transport import quote
from kiban.errors import BadInput, NotAllowed, NotFound

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_PATHS = frozenset(
    {"path", "directory", "iso", "floppy", "folder", "folders", "keys", "files", "pk", "kek", "db", "mok", "parents"}
)
_DISKS = frozenset({"disk", "parent"})
"""Members that are a path or MACHINE:DISK; a file that is called like that is meant with a slash: `./web:disk0`."""


def absolute(value: Any, *, local: bool = True) -> Any:
    """A request with its paths made absolute; BadInput where the service is not `local` and they are not."""
    if isinstance(value, (list, tuple)):
        return [absolute(item, local=local) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if not isinstance(value, dict):
        return value
    paths = _PATHS | {"dvds"} | {name for name in _DISKS if not _is_of_machine(value.get(name))}
    return {name: (_path if name in paths else absolute)(item, local=local) for name, item in value.items()}


def _path(value: Any, *, local: bool) -> Any:
    """A path, or some."""
    if isinstance(value, (list, tuple)):
        return [_path(item, local=local) for item in value]
    if not isinstance(value, (str, os.PathLike)):
        return absolute(value, local=local)
    text = os.fspath(value)
    if not local and text and not text.startswith("/"):
        hint = "Say where it is there, from / on; an ISO of yours is sent there with kiban media add."
        raise BadInput(
            f"{text[:200]} is a path of this computer, and the service is on another.", hint, code="a-path-here"
        )
    return os.path.abspath(text) if text else text  # noqa: PTH100  # pathlib takes 10 ms to import


def _is_of_machine(text: Any) -> bool:
    machine, colon, disk = str(text).rpartition(":")
    return bool(colon and machine) and "/" not in machine and disk.startswith("disk") and disk[4:].isdigit()


def opened(file: str | os.PathLike[str]) -> BinaryIO:
    """A regular file of the caller's own; it may be called as the caller likes."""
    try:
        if not os.path.isfile(file) and os.path.exists(file):  # noqa: PTH110, PTH113  # pathlib takes 10 ms to import
            raise BadInput(f"{os.fspath(file)} is no file.", "Name an ISO or floppy image.", code="not-a-file")
        return open(file, "rb")  # noqa: PTH123  # as above
    except PermissionError:
        raise NotAllowed(f"{os.fspath(file)} may not be read.", code="unreadable-file") from None
    except (OSError, ValueError):
        raise NotFound(f"There is no file {os.fspath(file)}.", "Check the path.", code="no-file") from None


def path_of(name: str, *more: str) -> str:
    """The address of something of a machine; BadInput for what no machine can be called."""
    if bad := [part for part in (name, *more) if part in ("", ".", "..")]:
        raise BadInput(f"There is nothing of the name {bad[0]!r}.", "See all machines: kiban ls")
    return "/".join(["/v1/machines", *(quote(part) for part in (name, *more))])
