# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be done with disks: a child made, converted, cloned, resized, compacted, checked. The links are opened.

Whatever is made new is made beside its place and put there by one rename; what there was stays until then. Progress is
a fraction from 0 to 1.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiban.adapters.disk import chain, seal
from kiban.adapters.disk.chain import Link, descriptors, name_of, node
from kiban.adapters.disk.copying import Done, copy_into, nothing
from kiban.adapters.disk.formats import FORMATS, GROW_IN_PLACE, ImageFormat, check_size
from kiban.adapters.disk.images import check_made, options
from kiban.adapters.disk.placing import finish, finish_over, new_file, take_room, unfinished, written_back
from kiban.adapters.disk.space import require_space
from kiban.adapters.disk.tool import expect, qemu_img
from kiban.adapters.whole import finished, in_thread
from kiban.errors import BadInput, Conflict, Failed
from kiban.model.units import format_size

_LONGEST_NAME = 1000  # bytes of a parent's name; qcow2 has room for 1023


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a check found: `errors` lose data, `leaks` only room (in clusters); `known` where the format has a check."""

    known: bool
    errors: int = 0
    leaks: int = 0


async def create_child(path: Path, parent: list[Link], key: bytes, size: int | None = None) -> None:
    """Make a differencing disk, a qcow2, on a chain; with the parent's size if none (bytes) is given.

    Its record is sealed with `key`.

    Raises as `images.create` does.
    """
    form, target = FORMATS["qcow2"], new_file(path)
    size = parent[0].facts.virtual_size if size is None else size
    check_size(form, size)
    name = chain.backing_name(target, parent[0].real)
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise BadInput(f"The path of the parent, {name[:80]}…, is too long.", "Give it a shorter one", code="bad-path")
    with unfinished(target) as (part, lock):
        # -u: it does not look at the parent; we have
        backing = ["-u", "-b", name, "-F", parent[0].form.driver]
        check_made(target, await qemu_img("create", "-q", "-f", "qcow2", *backing, str(part), str(size), keep=(lock,)))
        chain.write_record(lock, (seal.seal(key, parent[0].facts.identity),))
        await finish(part, target)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a disk is made of: a block node of QEMU's, its size in bytes, its name for errors, descriptors it needs."""

    node: dict[str, Any]
    size: int
    path: Path
    keep: Sequence[int] = ()


async def convert(
    links: list[Link],
    target: Path,
    form: ImageFormat,
    *,
    fixed: bool = False,
    verify: bool = False,
    done: Done = nothing,
) -> None:
    """Make a whole image of a chain; see `convert_node`."""
    size = links[0].facts.virtual_size
    source = Source(node=node(links), size=size, path=links[0].path, keep=descriptors(links))
    await convert_node(source, target, form, fixed=fixed, verify=verify, done=done)


async def convert_node(
    source: Source, target: Path, form: ImageFormat, *, fixed: bool = False, verify: bool = False, done: Done = nothing
) -> None:
    """Make a whole image of a disk, at a new path. What is zero takes no room, unless `fixed`.

    The result is opened and checked for its size and its own consistency; with `verify`, every byte is compared too.

    Raises as `images.create` does, and Conflict (disk-busy) while another program writes to the source.
    """
    target = new_file(target)
    check_size(form, source.size)
    if fixed:
        await in_thread(require_space, target, source.size)
    with unfinished(target) as (part, lock):
        share = 0.6 if verify else 1.0
        order = [] if form.name == "vmdk" else ["-W"]  # one that is read as a stream has its pieces in order
        said = ["-p", *order, "-m", "16", "-O", form.driver, *options(form, fixed)]
        arguments = ["convert", *said, name_of(source.node)]
        keep = (lock, *source.keep)
        async with written_back(lock):
            outcome = await qemu_img(*arguments, str(part), keep=keep, done=lambda part: done(part * share))
        expect(outcome, source.path, target)
        if fixed:
            await in_thread(take_room, lock, target)
        await _check_result(part, form, source.size, target)
        if verify:
            await _compare(source, part, form, target, lambda part: done(share + part * (1 - share)))
        await finish(part, target)


async def rebuild(links: list[Link], size: int | None = None, done: Done = nothing) -> None:
    """Make an image anew in its place, with nothing in it that is zero; `size` (bytes) may be another one.

    A differencing disk stays one of the same parent. The caller has checked that what a smaller size cuts off is empty.

    Raises BadInput for what would be lost by it, and as `convert`.
    """
    image = links[0]
    _check_rebuild(image)
    size = image.facts.virtual_size if size is None else size
    kept = min(size, image.facts.virtual_size)
    fixed = image.facts.kind == "fixed" and image.form.name != "raw"
    part_of = {"driver": "raw", "size": kept, "file": node(links)} if kept < image.facts.virtual_size else node(links)
    with unfinished(image.real) as (part, lock):
        made = ["create", "-q", "-f", image.form.driver, *options(image.form, fixed), *_like(image)]
        check_made(image.real, await qemu_img(*made, str(part), str(size), keep=(lock,)))
        if image.facts.record:
            chain.write_record(lock, image.facts.record)
        arguments = ["convert", "-p", "-n", "-O", image.form.driver, name_of(part_of), *_into(part, links[1:])]
        outcome = await qemu_img(*arguments, keep=(lock, *descriptors(links)), done=done)
        expect(outcome, image.path, image.path)
        if fixed:
            await in_thread(take_room, lock, image.real)
        await _check_result(part, image.form, size, image.path)
        await finish_over(part, image.real, image.status)


def _check_rebuild(image: Link) -> None:
    lost = ""
    if image.facts.snapshots:
        lost = f"{image.path} has snapshots inside, which would be lost."
    elif image.facts.logical_sector != 512:
        lost = f"{image.path} has sectors of {image.facts.logical_sector} bytes, which QEMU cannot make."
    if lost:
        raise BadInput(lost, "Convert it to a new disk: kiban disk convert", code="cannot-rebuild")


def _like(image: Link) -> list[str]:
    """What `qemu-img create` is told so that the new image is like the old one."""
    if image.form.name != "qcow2":
        return []
    (bits,) = struct.unpack(">I", os.pread(image.descriptor, 4, 20))
    facts = image.facts
    backing = ["-u", "-b", facts.parent, "-F", facts.parent_format] if facts.parent else []
    return ["-o", f"cluster_size={1 << bits}", *backing]


def _into(part: Path, parents: list[Link]) -> list[str]:
    """What `qemu-img convert` writes to: an empty image, or one in which all that is not written is its parent's."""
    if not parents:
        return ["--target-is-zero", str(part)]
    target = {"driver": "qcow2", "file": {"driver": "file", "filename": str(part)}, "backing": node(parents)}
    # with -n the name of the parent says no more than that there is one
    return ["-B", str(parents[0].real), "-F", parents[0].form.driver, name_of(target)]


async def resize(links: list[Link], size: int, *, shrink: bool = False, done: Done = nothing) -> None:
    """Give a disk another size, in bytes; its content stays. What a smaller one cuts off must be empty.

    qcow2 and raw change where they are; QEMU cannot do that with VHDX and VHD, which are made anew.

    Raises BadInput: a size that the format cannot have, a smaller one without `shrink` (needs-shrink), or one that
    would cut off data (would-lose-data).
    """
    image, old = links[0], links[0].facts.virtual_size
    check_size(image.form, size)
    if size == old:
        return
    if size < old:
        await _check_shrink(links, size, shrink)
    if image.form.name not in GROW_IN_PLACE:
        await rebuild(links, size, done)
    else:
        await _resize_in_place(links, size)


async def _resize_in_place(links: list[Link], size: int) -> None:
    image = links[0]
    said = ["--shrink"] if size < image.facts.virtual_size else []
    if image.form.name == "raw" and image.facts.kind == "fixed" and not said:
        require_space(image.path, size - image.facts.virtual_size)
        said = ["--preallocation=falloc"]
    arguments = ("resize", "-q", *said, name_of(node(links, writable=True)), str(size))
    outcome = await finished(qemu_img(*arguments, keep=descriptors(links)))
    expect(outcome, image.path, image.path)


async def _check_shrink(links: list[Link], size: int, shrink: bool) -> None:
    path, old = links[0].path, links[0].facts.virtual_size
    if not shrink:
        raise BadInput(
            f"{path} has {format_size(old)}, so {format_size(size)} would make it smaller.",
            "If that is meant, say --shrink; nothing is cut off but what is empty",
            code="needs-shrink",
        )
    end = {"driver": "raw", "offset": size, "size": old - size, "file": node(links)}
    zeros = {"driver": "null-co", "size": old - size, "read-zeroes": True}
    outcome = await qemu_img("compare", name_of(end), name_of(zeros), keep=descriptors(links))
    if outcome.status == 1:
        raise BadInput(
            f"{path} has data in what would be cut off, behind {format_size(size)}.",
            "Make its partitions smaller in the guest first; a GPT keeps its second table at the very end of the disk",
            code="would-lose-data",
        )
    expect(outcome, path, path)


async def check(links: list[Link]) -> Check:
    """Whether an image is consistent in itself; its parents have been checked by opening them."""
    path = links[0].path
    outcome = await qemu_img("check", "--output=json", name_of(node(links)), keep=descriptors(links))
    if outcome.status == 63:  # the format has no check
        return Check(known=False)
    if outcome.status not in (0, 2, 3):
        expect(outcome, path, path)
    try:
        found = json.loads(outcome.output)
        errors = int(found.get("corruptions", 0)) + int(found.get("check-errors", 0))
        return Check(known=True, errors=errors, leaks=int(found.get("leaks", 0)))
    except (ValueError, TypeError, AttributeError):
        raise Failed("qemu-img check said nothing intelligible.", "See kiban doctor", code="bad-tool") from None


async def _check_result(part: Path, form: ImageFormat, size: int, target: Path) -> None:
    with ExitStack() as stack:
        image = await in_thread(chain.open_link, stack, part, form)
        found = await check([image])
    if image.facts.virtual_size != size or found.errors:
        raise Failed(f"{target} did not become what it was to be.", "Try again, and look at the disks: dmesg")


async def _compare(source: Source, part: Path, form: ImageFormat, target: Path, done: Done) -> None:
    with ExitStack() as stack:
        made = await in_thread(chain.open_link, stack, part, form)
        arguments = ["compare", "-p", name_of(source.node), name_of(node([made]))]
        outcome = await qemu_img(*arguments, keep=(made.descriptor, *source.keep), done=done)
    if outcome.status == 1:
        raise Failed(f"{target} did not become the same as its source.", "Try again, and look at the disks: dmesg")
    expect(outcome, target, target)


async def clone(links: list[Link], target: Path, done: Done = nothing) -> None:
    """Copy an image as it is, by reflink where there is one; of a differencing disk a second child of its parent.

    Raises as `images.create` does, and Conflict (file-busy) when somebody wrote to it meanwhile.
    """
    image, target = links[0], new_file(target)
    with unfinished(target) as (part, lock):
        await copy_into(image.descriptor, lock, target, done)
        now = os.fstat(image.descriptor)
        if (now.st_size, now.st_mtime_ns) != (image.status.st_size, image.status.st_mtime_ns):
            raise Conflict(
                f"{image.path} was written to meanwhile.", "See who uses it, then try again", code="file-busy"
            )
        if len(links) > 1:
            await _point_at(part, target, lock, links[1])
        await finish(part, target)


async def _point_at(part: Path, target: Path, lock: int, parent: Link) -> None:
    """Let a copied child find its parent from where it is now; its record goes with it."""
    name = chain.backing_name(target, parent.real)
    arguments = ["rebase", "-q", "-u", "-f", "qcow2", "-b", name, "-F", parent.form.driver, str(part)]
    expect(await qemu_img(*arguments, keep=(lock,)), target, target)
