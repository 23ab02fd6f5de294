# SPDX-License-Identifier: GPL-2.0-or-later
"""A differencing disk goes back into its parent, with no machine on it. See kiban.engine.merging for one that runs.

The parent is written to where it is, so it takes no second copy of a large disk. Until the child is gone, it covers
all that changes in its parent: whatever ends a merge half way, the chain has the same content before, during and after,
and the merge can be done again.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from kiban.adapters.disk import chain, seal
from kiban.adapters.disk.chain import Link, descriptors, name_of, node
from kiban.adapters.disk.changing import expect
from kiban.adapters.disk.copying import Done, nothing
from kiban.adapters.disk.tool import qemu_img
from kiban.errors import BadInput

_GROWS = ("qcow2", "raw")
"""Formats that QEMU can make larger where they are."""


def check(links: list[Link]) -> tuple[Link, Link]:
    """The child and the parent that a merge is about.

    Raises BadInput: there is no parent (no-parent), or the child is larger than a parent that cannot grow (bad-size).
    """
    if len(links) < 2:
        raise BadInput(f"{links[0].path} has no parent to be merged into.", "kiban disk info", code="no-parent")
    child, parent = links[:2]
    if child.facts.virtual_size > parent.facts.virtual_size and parent.form.name not in _GROWS:
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
        with Path(f"/proc/self/fd/{child.descriptor}").open("r+b", buffering=0) as file:
            chain.write_record(file.fileno(), words)
            os.fsync(file.fileno())


async def commit(links: list[Link], key: bytes, done: Done = nothing) -> None:
    """Write what a child has into its parent. The child stays, for the caller to remove.

    Raises as `check` does, Conflict (disk-busy) when another program has one of them open, HostLacks (no-space).
    """
    child, parent = check(links)
    await asyncio.to_thread(prepare, links, key)
    props = node(links, writable=True)
    del props["backing"]["read-only"]  # qemu-img opens it for writing when it needs to
    outcome = await qemu_img("commit", "-p", "-d", name_of(props), keep=descriptors(links), done=done)
    expect(outcome, child.path, parent.path)
    await asyncio.to_thread(os.fsync, parent.descriptor)
