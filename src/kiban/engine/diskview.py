# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk as people and programs see it: what it is, what it is made on and what is made on it, and who uses those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.chains.runner import Chain
from kiban.adapters.disk import chain
from kiban.adapters.disk.chain import Key, Link
from kiban.adapters.disk.formats import ImageFormat
from kiban.adapters.whole import in_thread
from kiban.engine import diskforeign, disks, diskuse
from kiban.engine.diskuse import Chained
from kiban.engine.host import Host
from kiban.errors import KibanError
from kiban.model.machine import SECTOR_BYTES
from kiban.model.requests import DiskRef


@dataclass(frozen=True, kw_only=True)
class Use:
    """A machine that has a disk: as its own, which it writes to (`writes`), or under one of its own."""

    machine: str
    disk: str
    state: str
    writes: bool


@dataclass(frozen=True, kw_only=True)
class LinkView:
    """One image. Sizes in bytes; `parent` is the path of the image it is made on, "" for none."""

    path: str
    format: str
    kind: str  # fixed, dynamic, differencing
    virtual_size: int
    actual_size: int
    logical_sector: int
    physical_sector: int
    dirty: bool
    snapshots: int
    parent: str
    uses: tuple[Use, ...]


@dataclass(frozen=True, kw_only=True)
class DiskView:
    """A disk: `path` is what was asked for, `links` it and its relatives, parents before children.

    `problem` says why the chain cannot be followed to its end. In a list of all disks `path` is the first parent of a
    family, or where a machine's disk should be that is not there, and then there are no links.
    """

    path: str
    links: tuple[LinkView, ...]
    problem: str


async def look(host: Host, ref: DiskRef, folders: Sequence[str] = ()) -> DiskView:
    """A disk with its whole family; `folders` are where parents of a VHD or VHDX may lie, besides its own folder."""
    path, form = disks.find(host, ref)
    if await in_thread(diskforeign.is_child, path, form):
        return _foreign(await diskforeign.describe(path, form, folders))
    return await in_thread(_look, host, path, form)


async def families(host: Host) -> list[DiskView]:
    """The disks of all machines with what they are made on; those that share a parent are in one family."""
    return await in_thread(_families, host)


def _families(host: Host) -> list[DiskView]:
    found: dict[Key | Path, list[Chained]] = {}
    for one in diskuse.chains(host):
        found.setdefault(one.links[-1].key if one.links else one.path, []).append(one)
    views = [_family(members) for members in found.values()]
    return sorted(views, key=lambda view: view.path)


def _family(members: Sequence[Chained]) -> DiskView:
    links = [one.links for one in members]
    path = links[0][-1].real if links[0] else members[0].path
    problems = [f"{one.own}: {one.problem}" for one in members if one.problem]
    return DiskView(path=str(path), links=tuple(_views(links, members)), problem=" ".join(problems))


def _look(host: Host, path: Path, form: ImageFormat) -> DiskView:
    links: list[Link] = []
    problem = ""
    with ExitStack() as stack:
        try:
            chain.follow(stack, path, form, host.disk_key(), links)
        except KibanError as error:
            if not links:
                raise
            problem = f"{error.message} ({error.hint})"
        known = diskuse.chains(host)
    own = {link.key for link in links}
    family = [links, *(one.links for one in known if own & {link.key for link in one.links})]
    return DiskView(path=str(links[0].real), links=tuple(_views(family, known)), problem=problem)


def _views(family: Sequence[Sequence[Link]], known: Sequence[Chained]) -> Iterator[LinkView]:
    """Each image of the family once, parents before children."""
    seen: set[Key] = set()
    for links in family:
        parents = ["", *(str(link.real) for link in reversed(links))]
        for link, parent in zip(reversed(links), parents, strict=False):
            if link.key not in seen:
                seen.add(link.key)
                yield _view(link, parent, tuple(_uses(link.key, known)))


def _view(link: Link, parent: str, uses: tuple[Use, ...]) -> LinkView:
    facts = link.facts
    return LinkView(
        path=str(link.real),
        format=link.form.name,
        kind=facts.kind,
        virtual_size=facts.virtual_size,
        actual_size=link.status.st_blocks * 512,
        logical_sector=facts.logical_sector,
        physical_sector=facts.physical_sector,
        dirty=facts.dirty,
        snapshots=facts.snapshots,
        parent=parent or facts.parent,  # one that was not followed is named as its child names it
        uses=uses,
    )


def _uses(key: Key, known: Sequence[Chained]) -> Iterator[Use]:
    for one in known:
        for depth, link in enumerate(one.links):
            if link.key == key:
                yield Use(machine=one.machine, disk=one.disk, state=one.state, writes=depth == 0)


def _foreign(found: Chain) -> DiskView:
    links = [*reversed(found.links)]
    parents = ["", *(str(link.path) for link in links)]
    views = (
        LinkView(
            path=str(link.path),
            format=found.form,
            kind="differencing" if parent else "dynamic",
            virtual_size=link.size,
            actual_size=link.path.stat().st_blocks * 512,
            logical_sector=SECTOR_BYTES[link.sectors][0],
            physical_sector=SECTOR_BYTES[link.sectors][1],
            dirty=False,
            snapshots=0,
            parent=parent,
            uses=(),
        )
        for link, parent in zip(links, parents, strict=False)
    )
    return DiskView(path=str(found.links[0].path), links=tuple(views), problem="")
