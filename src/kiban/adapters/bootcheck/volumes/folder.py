# SPDX-License-Identifier: GPL-2.0-or-later
"""What file systems have in common here: files are found by path, and a folder's names can be listed.

Paths may have slashes or backslashes, since UEFI writes the one and GRUB the other; all of them start at the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kiban.adapters.images.source import Source

DEPTH_LIMIT = 32  # folders in a path; UEFI's own paths have at most 260 characters


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder, as it is written there; `size` in bytes, 0 for a folder."""

    name: str
    is_folder: bool
    size: int


class Folder(Protocol):
    """Files by path. Both raise Damaged where the file system cannot be read on the way there."""

    def find(self, path: str) -> Source | None:
        """The contents of the file; None when there is no file of that path."""

    def entries(self, path: str) -> list[Entry]:
        """What is in that folder, in its own order, without "." and ".."; empty when there is no such folder."""


def parts(path: str) -> list[str] | None:
    """The names in a path, "." and ".." resolved; None for one that is too deep or leaves the root."""
    names: list[str] = []
    for name in path.replace("\\", "/").split("/"):
        if name == "..":
            if not names:
                return None
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return names if len(names) <= DEPTH_LIMIT else None


class Names:
    """A folder that is a table of paths, such as the one a network server serves; case counts, as it does for TFTP.

    Args:
        files: path relative to the root, with slashes, to contents.
    """

    def __init__(self, files: Mapping[str, Source]) -> None:
        self._files = {tuple(parts(path) or ()): source for path, source in files.items()}

    def find(self, path: str) -> Source | None:
        names = parts(path)
        return None if names is None else self._files.get(tuple(names))

    def entries(self, path: str) -> list[Entry]:
        names = parts(path)
        if names is None:
            return []
        depth = len(names)
        found: dict[str, Entry] = {}
        for path_parts, source in self._files.items():
            if len(path_parts) > depth and list(path_parts[:depth]) == names:
                is_file = len(path_parts) == depth + 1
                name = path_parts[depth]
                found.setdefault(name, Entry(name, not is_file, source.size if is_file else 0))
        return list(found.values())
