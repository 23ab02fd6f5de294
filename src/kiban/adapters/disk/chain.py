# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk and the disks that it is made of: a differencing disk, its parent, and so on, opened link by link by us.

QEMU never resolves a name out of an image: it gets the links as open files, put together. A parent is followed where
its child's record proves that the child was made here on this very parent (see `seal`). Without that it must lie
beside its child and have a format with a mark, and no machine gets it: else an image from anywhere could have a file of
the host read as its disk.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiban.adapters.disk import seal
from kiban.adapters.disk.facts import RECORD, Facts, extensions, read_facts
from kiban.adapters.disk.formats import FORMATS, ImageFormat
from kiban.adapters.files import open_regular
from kiban.errors import BadInput, Conflict, Failed, NotFound

DEEPEST = 64
"""Links of the longest chain."""
_RECORD_BYTES = 256
"""Room for two sealed states: the one that the child was made on, and that of a parent it is being merged into."""
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
Key = tuple[int, int]
"""Device and inode: the file itself, whatever its names."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One image of a chain, open for reading as long as its chain is. `real` is its path without symbolic links."""

    path: Path
    real: Path
    form: ImageFormat
    facts: Facts
    status: os.stat_result
    descriptor: int

    @property
    def key(self) -> Key:
        """Which file it is."""
        return self.status.st_dev, self.status.st_ino


@contextmanager
def opened(path: Path, form: ImageFormat, key: bytes, *, strict: bool = False) -> Iterator[list[Link]]:
    """The whole chain of an image, itself first.

    Args:
        path: the image.
        form: its format.
        key: with which children made here are sealed.
        strict: follow only children that are, as for a machine's disk; else also parents that lie beside their child.

    Raises:
        NotFound, NotAllowed: the image, or a parent (no-parent).
        BadInput: one is not what it is said to be, or a parent may not be followed (parent-elsewhere, needs-parent).
        Conflict: a parent was changed since its child was made (parent-changed).
    """
    links: list[Link] = []
    with ExitStack() as stack:
        follow(stack, path, form, key, links, strict=strict)
        yield links


def follow(
    stack: ExitStack, path: Path, form: ImageFormat, key: bytes, links: list[Link], *, strict: bool = False
) -> None:
    """Open an image and its parents into `links`, for the life of `stack`; raises as `opened`, with links so far."""
    links.append(open_link(stack, path.absolute(), form))
    while links[-1].facts.kind == "differencing":
        child = links[-1]
        place, parent_form = _place_of_parent(child, key, strict)
        try:
            parent = open_link(stack, place, parent_form)
        except NotFound:
            raise NotFound(
                f"{place}, the parent of {child.path}, is missing.", "Put it back where it was", code="no-parent"
            ) from None
        _check_parent(child, parent, key)
        if parent.key in [link.key for link in links] or len(links) == DEEPEST:
            raise BadInput(f"{child.path} is in a chain without an end.", "Take it from its source", code="chain-loop")
        links.append(parent)


def open_link(stack: ExitStack, path: Path, form: ImageFormat) -> Link:
    """One image, open for the life of `stack`; its parents are not looked for. Raises as `opened` does."""
    descriptor = stack.enter_context(open_regular(path))
    facts = read_facts(descriptor, path, form)
    real = Path(f"/proc/self/fd/{descriptor}").readlink()
    return Link(path=path, real=real, form=form, facts=facts, status=os.fstat(descriptor), descriptor=descriptor)


def _place_of_parent(child: Link, key: bytes, strict: bool) -> tuple[Path, ImageFormat]:
    """Where a child's header says that its parent is, if it may be looked for there."""
    name, facts = child.facts.parent, child.facts
    shown = "".join(c for c in name if c.isprintable())[:255]
    if child.form.name != "qcow2":
        raise BadInput(
            f"{child.path} is a differencing disk and needs its parent, '{shown}'.",
            "Make it whole first: kiban disk convert",
            code="needs-parent",
        )
    if not name or _PROTOCOL.match(name):
        raise _elsewhere(child, shown)
    place = child.real.parent / name
    known = {form.driver: form for form in FORMATS.values()}
    if facts.parent_format not in known:
        raise BadInput(
            f"{child.path} does not say what format its parent '{shown}' has.",
            f"Say it, if you know: qemu-img rebase -u -F FORMAT -b {shown} {child.path}",
            code="no-parent-format",
        )
    form = known[facts.parent_format]
    beside = form.name != "raw" and place.resolve().parent == child.real.parent
    if not seal.proven(key, facts.record) and (strict or not beside):
        raise _elsewhere(child, shown)
    return place, form


def _elsewhere(child: Link, name: str) -> BadInput:
    return BadInput(
        f"{child.path} refers to '{name}', and nothing proves that it was made on it here.",
        "If both are to be trusted, lay them into one folder and make it whole: kiban disk convert",
        code="parent-elsewhere",
    )


def _check_parent(child: Link, parent: Link, key: bytes) -> None:
    # of a record that is not ours it is at least believed that the parent was another one
    states = seal.proven(key, child.facts.record) or seal.states(child.facts.record)
    if states and not states & {parent.facts.identity, seal.merging(parent.status)}:
        raise Conflict(
            f"{parent.path} was changed since {child.path} was made on it.",
            "Put back the parent as it was then, with its time (cp -p)",
            code="parent-changed",
        )


def node(
    links: list[Link], *, writable: bool = False, shared: bool = False, name: Callable[[Link], str] | None = None
) -> dict[str, Any]:
    """A chain as a block node of QEMU's, its files by descriptor: what was looked at is what is opened.

    Args:
        links: the chain, top first.
        writable: the top one; its parents stay as they are.
        shared: even while somebody writes to it; what is read then may be half of something.
        name: what each file is called there, for a program that may not open it by itself.
    """
    name = name or _inherited
    below: dict[str, Any] | None = None
    for link in reversed(links):
        file: dict[str, Any] = {"driver": "file", "filename": name(link)}
        if shared:
            file["locking"] = "off"
        top = link is links[0]
        props = {"driver": link.form.driver, "read-only": not (top and writable), "file": file}
        below = {**props, "backing": below} if link.form.name in ("qcow2", "vmdk") else props
    assert below is not None  # noqa: S101  # a chain has a link
    return below


def _inherited(link: Link) -> str:
    return f"/proc/self/fd/{link.descriptor}"


def name_of(props: dict[str, Any]) -> str:
    """A block node as qemu-img takes it in the place of a file name: in json: nothing is taken for a protocol."""
    return "json:" + json.dumps(props)


def descriptors(links: list[Link]) -> list[int]:
    """What qemu-img has to inherit for `node`."""
    return [link.descriptor for link in links]


def backing_name(child: Path, parent: Path) -> str:
    """How a child's header names its parent: alone if it lies beside it, so that both can be moved; else in full."""
    parent = parent.resolve()
    alone = parent.parent == child.parent.resolve() and not _PROTOCOL.match(parent.name)
    return parent.name if alone else str(parent)


def write_record(descriptor: int, words: tuple[str, ...]) -> None:
    """Note in the header of a qcow2 child which states of its parent are right, each sealed.

    A record that is there is replaced by one write within its place. A first one is put before the end of the
    extensions, and the parent's name moved behind it, in a header that nobody uses yet.

    Args:
        descriptor: open for reading and writing.
        words: two at most, from `seal.seal`.

    Raises Failed when there is no room for it.
    """
    data = " ".join(words).encode().ljust(_RECORD_BYTES, b"\0")
    there = {kind: at for kind, _, at in extensions(descriptor)}
    offset, size = struct.unpack(">QI", os.pread(descriptor, 12, 8))
    name = os.pread(descriptor, size, offset)
    if len(data) != _RECORD_BYTES or 0 not in there or there[0] + 8 + _RECORD_BYTES + 8 + len(name) > 4096:
        raise Failed("The parent's state does not fit into the header of its child.", "Use a shorter path")
    if RECORD in there:
        os.pwrite(descriptor, data, there[RECORD] + 8)
        return
    added = struct.pack(">II", RECORD, _RECORD_BYTES) + data + bytes(8)
    os.pwrite(descriptor, added + name, there[0])
    os.pwrite(descriptor, struct.pack(">Q", there[0] + len(added)), 8)
