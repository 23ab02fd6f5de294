# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk and its relatives as a tree: parents above their children, with what each is and who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kiban.model.units import format_size


def tree(disk: Any, *, mark: bool = True) -> Iterator[str]:
    """The lines of the tree; the disk that was asked for is marked (`mark`), a chain that has no end says why."""
    asked = disk.path if mark else ""
    paths = {link.path for link in disk.links}
    roots = [link for link in disk.links if link.parent not in paths]
    for root in roots:
        if root.parent:
            yield f"? {root.parent}  (not there)" if disk.problem else f"? {root.parent}"
        yield from _branch(disk, root, asked, "", "")
    if disk.problem:
        yield f"problem: {disk.problem}"


def _branch(disk: Any, link: Any, asked: str, first: str, rest: str) -> Iterator[str]:
    mark = "* " if link.path == asked else ""
    children = [other for other in disk.links if other.parent == link.path]
    yield f"{first}{mark}{link.path}"
    stem = rest + ("│ " if children else "  ")
    yield f"{stem}{_what(link)}"
    for use in link.uses:
        if use.writes:
            yield f"{stem}{use.disk} of {use.machine}, {use.state}"
    for number, child in enumerate(children, start=1):
        last = number == len(children)
        yield from _branch(disk, child, asked, f"{rest}{'└─' if last else '├─'} ", f"{rest}{'   ' if last else '│  '}")


def _what(link: Any) -> str:
    sizes = f"{format_size(link.virtual_size)}, takes {format_size(link.actual_size)}"
    sectors = f", sectors of {link.logical_sector}" if link.logical_sector != 512 else ""
    notes = [note for note, there in (("was not closed", link.dirty), (_snapshots(link), link.snapshots)) if there]
    return ", ".join([f"{link.format}, {link.kind}, {sizes}{sectors}", *notes])


def _snapshots(link: Any) -> str:
    return f"{link.snapshots} snapshots inside"
