# SPDX-License-Identifier: GPL-2.0-or-later
"""A differencing disk goes back into its parent, with no machine on it. See kiban.engine.merging for one that runs.

The parent is written to where it is, so it takes no second copy of a large disk. Until the child is gone, it covers
all that changes in its parent: whatever ends a merge half way, the chain has the same content before, during and after,
and the merge can be done again.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

from kiban.adapters.disk import chain, seal
from kiban.adapters.disk.chain import Link, descriptors, name_of, node
from kiban.adapters.disk.copying import Done, nothing
from kiban.adapters.disk.facts import read_facts
from kiban.adapters.disk.formats import FORMATS, GROW_IN_PLACE
from kiban.adapters.disk.placing import wait_for
from kiban.adapters.disk.tool import expect, qemu_img
from kiban.adapters.disk.vhdxlog import replay
from kiban.adapters.whole import in_thread
from kiban.errors import BadInput, Conflict, NotFound


def check(links: list[Link]) -> tuple[Link, Link]:
    """The child and the parent that a merge is about.

    Raises BadInput: there is no parent (no-parent), or the child is larger than a parent that cannot grow (bad-size).
    """
    if len(links) < 2:
        raise BadInput(f"{links[0].path} has no parent to be merged into.", "kiban disk info", code="no-parent")
    child, parent = links[:2]
    if child.facts.virtual_size > parent.facts.virtual_size and parent.form.name not in GROW_IN_PLACE:
        raise BadInput(
            f"{child.path} is larger than its parent, a {parent.form.name}, which cannot grow in place.",
            "Make a whole disk of it instead: kiban disk convert",
            code="bad-size",
        )
    return child, parent


def prepare(links: list[Link], key: bytes) -> None:
    """Let the child accept whatever its parent has from now on; the parent may be written to afterwards."""
    child, parent = links[:2]
    if child.facts.record:
        words = (seal.seal(key, parent.facts.identity), seal.seal(key, seal.merging(parent.status)))
        _write_record(child, words)


async def conclude(links: list[Link], key: bytes, *, in_use: bool = False) -> None:
    """After a merge that came to nothing: let the child accept its parent as it is now, and no later state of it.

    Nobody may be writing to the parent any more. Does nothing to a child that is not being merged.

    Args:
        links: child and parent.
        key: with which the child is sealed.
        in_use: a QEMU goes on with them; else what was left half done in the parent is put in order, too.

    Raises as `replay` does.
    """
    child, parent = links[:2]
    if seal.merging(parent.status) in seal.proven(key, _record(child)):
        if not in_use:
            await replay(parent)
            await _give_back(parent)
        await in_thread(_accept_present, child, parent, key)


async def _give_back(image: Link) -> None:
    """Free the clusters of a qcow2 that were taken and not used yet: as much as the merge had written."""
    if image.form.name == "qcow2":
        check = ("check", "-q", "-r", "leaks", name_of(node([image], writable=True)))
        expect(await qemu_img(*check, keep=descriptors([image])), image.path, image.path)


def _record(child: Link) -> tuple[str, ...]:
    return read_facts(child.descriptor, child.path, child.form).record


def _accept_present(child: Link, parent: Link, key: bytes) -> None:
    os.fsync(parent.descriptor)
    now = read_facts(parent.descriptor, parent.path, parent.form)
    _write_record(child, (seal.seal(key, now.identity),))


def _write_record(child: Link, words: tuple[str, ...]) -> None:
    with Path(f"/proc/self/fd/{child.descriptor}").open("r+b", buffering=0) as file:
        chain.write_record(file.fileno(), words)
        os.fsync(file.fileno())


def is_begun(child: Link, key: bytes) -> bool:
    """Whether a child is being merged, or was when somebody was killed."""
    return any(state.startswith(seal.MERGING) for state in seal.proven(key, _record(child)))


async def settle(path: Path, key: bytes) -> None:
    """The same for an image, if it is there and is being merged, after a service was killed.

    Raises Conflict while somebody still works with it, and what opening its chain raises.
    """
    form = FORMATS["qcow2"]
    with ExitStack() as stack:
        try:
            child = chain.open_link(stack, path, form)
        except (NotFound, BadInput):
            return  # whatever is there, it is no child
        if is_begun(child, key):
            await in_thread(wait_for, child.descriptor, path)
            links: list[Link] = []
            await in_thread(chain.follow, stack, path, form, key, links)
            await conclude(links, key)


async def commit(links: list[Link], key: bytes, done: Done = nothing) -> None:
    """Write what a child has into its parent. The child stays, for the caller to remove.

    Raises as `check` does, Conflict (disk-busy) when another program has one of them open, HostLacks (no-space).
    """
    child, parent = check(links)
    _lock(child)
    again = is_begun(child, key)
    await in_thread(prepare, links, key)
    await replay(parent)
    if again:
        await _give_back(parent)
    props = node(links, writable=True)
    del props["backing"]["read-only"]  # qemu-img opens it for writing when it needs to
    outcome = await qemu_img("commit", "-p", "-d", name_of(props), keep=descriptors(links), done=done)
    expect(outcome, child.path, parent.path)
    await in_thread(os.fsync, parent.descriptor)


def _lock(child: Link) -> None:
    """Show as long as the tool works, which inherits the lock, that this child's parent is being written to."""
    try:
        fcntl.flock(child.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"{child.path} is being merged already.", "Wait for that to end", code="file-busy") from None
