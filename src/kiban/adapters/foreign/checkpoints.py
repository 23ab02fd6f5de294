# SPDX-License-Identifier: GPL-2.0-or-later
"""The checkpoints of a Hyper-V machine as a tree.

Each is a configuration of its own. Which one it was made from stands in a setting whose name no public document gives:
one with "parent" in its name whose value is another checkpoint's id is believed. Where there is none, the disks know:
`by_disks` puts the tree together from their chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kiban.adapters.foreign import names
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.settings import Setting
from kiban.errors import BadInput
from kiban.model.foreign import ForeignCheckpoint, ForeignDisk, ForeignMachine

_CHAIN_LIMIT = 1024


def owner(tree: Setting) -> str:
    """The id of the machine that a checkpoint is of, "" when it does not say."""
    return names.guid(tree.text("configuration/settings/global/logical_id"))


def parent(tree: Setting, ids: set[str]) -> str:
    """The checkpoint, of those with these ids, that this configuration goes on from; "" when it does not say."""
    found = (names.guid(s.value) for s in _parents(tree) if isinstance(s.value, str))
    return next((name for name in found if name in ids), "")


def _parents(tree: Setting) -> Iterator[Setting]:
    waiting = [*tree.below("configuration/properties"), *tree.below("configuration/global_settings")]
    while waiting:
        setting = waiting.pop()
        if "parent" in setting.name.lower():
            yield setting
        waiting.extend(setting.children)


def with_checkpoints(machine: ForeignMachine, found: list[ForeignCheckpoint], current: str) -> ForeignMachine:
    """The machine with its checkpoints, each after its parent; says so when the tree is not known for sure."""
    if len({c.id for c in found}) != len(found):
        raise BadInput(
            f"Two checkpoints of {shown(machine.name)} have the same id.",
            "Export the machine again.",
            code="damaged-description",
        )
    roots = [shown(c.name) for c in found if not c.parent]
    left = machine.left_out
    if len(roots) > 1 or (found and not current):
        left += (f"Which checkpoint was made from which: the chain of the disks says it ({', '.join(roots[:10])}).",)
    return replace(machine, checkpoints=_sorted(machine, found), current_checkpoint=current, left_out=left)


def _sorted(machine: ForeignMachine, found: list[ForeignCheckpoint]) -> tuple[ForeignCheckpoint, ...]:
    below: dict[str, list[ForeignCheckpoint]] = {}
    for checkpoint in sorted(found, key=lambda c: (c.created, c.id)):
        below.setdefault(checkpoint.parent, []).append(checkpoint)
    ordered: list[ForeignCheckpoint] = []
    waiting = below.get("", [])
    while waiting:
        ordered.append(waiting[0])
        waiting = [*below.get(waiting[0].id, []), *waiting[1:]]
    if len(ordered) != len(found):
        raise BadInput(
            f"The checkpoints of {shown(machine.name)} are each other's parents.",
            "Export the machine again.",
            code="damaged-description",
        )
    return tuple(ordered)


def by_disks(machine: ForeignMachine, parent_of: Callable[[str], str]) -> ForeignMachine:
    """Put the tree of checkpoints together from the chain of the disks.

    Args:
        machine: as it was read.
        parent_of: for the path of a disk's file, the path of its parent's, "" for one without a parent.
    """
    holders = {_key(disk): c.id for c in machine.checkpoints for disk in c.machine.disks}

    def above(disks: tuple[ForeignDisk, ...], own: str) -> str:
        for disk in disks:
            path = disk.file.path if disk.file else ""
            seen = {path}
            while path and len(seen) < _CHAIN_LIMIT:
                path = parent_of(path)
                if path in seen:
                    break
                seen.add(path)
                found = holders.get(names.file_name(path).lower(), "")
                if found and found != own:
                    return found
        return ""

    made = [replace(c, parent=above(c.machine.disks, c.id)) for c in machine.checkpoints]
    left = tuple(s for s in machine.left_out if not s.startswith("Which checkpoint was made"))
    return with_checkpoints(replace(machine, left_out=left), made, above(machine.disks, ""))


def _key(disk: ForeignDisk) -> str:
    return names.file_name(disk.path).lower()
