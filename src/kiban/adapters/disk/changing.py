# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be done with disks: a child made, converted, resized, compacted, checked, merged. The links are opened.

Whatever is made new is made beside its place and put there by one rename; what there was stays until then. Progress is
a fraction from 0 to 1.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiban.adapters.disk import chain
from kiban.adapters.disk.chain import Link, descriptors, name_of, node
from kiban.adapters.disk.copying import Done, copy_into, nothing
from kiban.adapters.disk.facts import read_facts
from kiban.adapters.disk.formats import FORMATS, ImageFormat, check_size
from kiban.adapters.disk.images import check_made, options
from kiban.adapters.disk.placing import finish, finish_over, new_file, no_space, take_room, unfinished
from kiban.adapters.disk.space import require_space
from kiban.adapters.disk.tool import Outcome, last_line, qemu_img
from kiban.adapters.files import open_regular
from kiban.errors import BadInput, Conflict, Failed
from kiban.model.units import format_size

_GROW_IN_PLACE = ("qcow2", "raw")


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a check found: `errors` lose data, `leaks` only room (in clusters); `known` where the format has a check."""

    known: bool
    errors: int = 0
    leaks: int = 0


async def create_child(path: Path, parent: list[Link], size: int | None = None) -> None:
    """Make a differencing disk, a qcow2, on a chain; with the parent's size if none (bytes) is given.

    Raises as `images.create` does.
    """
    form, target = FORMATS["qcow2"], new_file(path)
    size = parent[0].facts.virtual_size if size is None else size
    check_size(form, size)
    name = chain.backing_name(target, parent[0].real)
    with unfinished(target) as (part, lock):
        # -u: it does not look at the parent; we have
        arguments = ["create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", parent[0].form.driver, str(part), str(size)]
        check_made(target, await qemu_img(*arguments, keep=(lock,)))
        chain.write_record(lock, (parent[0].facts.identity,))
        await asyncio.to_thread(finish, part, target)


async def convert(
    links: list[Link],
    target: Path,
    form: ImageFormat,
    *,
    fixed: bool = False,
    verify: bool = False,
    done: Done = nothing,
) -> None:
    """Make a whole image of a chain, at a new path. What is zero takes no room, unless `fixed`.

    The result is opened and checked for its size and its own consistency; with `verify`, every byte is compared too.

    Raises as `images.create` does, and Conflict (disk-busy) while another program writes to a link.
    """
    target, size = new_file(target), links[0].facts.virtual_size
    check_size(form, size)
    if fixed:
        await asyncio.to_thread(require_space, target, size)
    with unfinished(target) as (part, lock):
        share = 0.6 if verify else 1.0
        source = name_of(node(links))
        arguments = ["convert", "-p", "-W", "-m", "16", "-O", form.driver, *options(form, fixed), source, str(part)]
        outcome = await qemu_img(*arguments, keep=(lock, *descriptors(links)), done=lambda part: done(part * share))
        _expect(outcome, links[0].path, target)
        if fixed:
            await asyncio.to_thread(take_room, lock, target)
        await _check_result(part, form, size, target)
        if verify:
            await _compare(links, part, form, target, lambda part: done(share + part * (1 - share)))
        await asyncio.to_thread(finish, part, target)


async def rebuild(links: list[Link], size: int | None = None, done: Done = nothing) -> None:
    """Make an image anew in its place, with nothing in it that is zero; `size` (bytes) may be another one.

    The caller has checked that what a smaller size cuts off is empty.

    Raises BadInput for what would be lost by it, and as `convert`.
    """
    image = links[0]
    _check_rebuild(image)
    size = image.facts.virtual_size if size is None else size
    kept = min(size, image.facts.virtual_size)
    fixed = image.facts.kind == "fixed" and image.form.name != "raw"
    part_of = {"driver": "raw", "size": kept, "file": node(links)} if kept < image.facts.virtual_size else node(links)
    with unfinished(image.real) as (part, lock):
        made = ["create", "-q", "-f", image.form.driver, *options(image.form, fixed), *_clusters(image)]
        check_made(image.real, await qemu_img(*made, str(part), str(size), keep=(lock,)))
        arguments = ["convert", "-p", "-n", "--target-is-zero", "-O", image.form.driver, name_of(part_of), str(part)]
        outcome = await qemu_img(*arguments, keep=(lock, *descriptors(links)), done=done)
        _expect(outcome, image.path, image.path)
        if fixed:
            await asyncio.to_thread(take_room, lock, image.real)
        await _check_result(part, image.form, size, image.path)
        await asyncio.to_thread(finish_over, part, image.real, image.status)


def _check_rebuild(image: Link) -> None:
    lost = ""
    if image.facts.kind == "differencing":
        lost = "is a differencing disk, which cannot be made anew"
    elif image.facts.snapshots:
        lost = "has snapshots inside, which would be lost"
    elif image.facts.logical_sector != 512:
        lost = f"has sectors of {image.facts.logical_sector} bytes, which QEMU cannot make"
    if lost:
        raise BadInput(f"{image.path} {lost}.", "convert it to a new disk: kiban disk convert", code="cannot-rebuild")


def _clusters(image: Link) -> list[str]:
    if image.form.name != "qcow2":
        return []
    (bits,) = struct.unpack(">I", os.pread(image.descriptor, 4, 20))
    return ["-o", f"cluster_size={1 << bits}"]


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
    if image.form.name not in _GROW_IN_PLACE:
        await rebuild(links, size, done)
    elif image.form.name == "raw":
        await asyncio.to_thread(_resize_raw, image, size)
    else:
        arguments = ["resize", "-q", *(["--shrink"] if size < old else []), name_of(node(links, writable=True))]
        _expect(await qemu_img(*arguments, str(size), keep=descriptors(links)), image.path, image.path)


async def _check_shrink(links: list[Link], size: int, shrink: bool) -> None:
    path, old = links[0].path, links[0].facts.virtual_size
    if not shrink:
        raise BadInput(
            f"{path} has {format_size(old)}, so {format_size(size)} would make it smaller.",
            "if that is meant, say --shrink; nothing is cut off but what is empty",
            code="needs-shrink",
        )
    end = {"driver": "raw", "offset": size, "size": old - size, "file": node(links)}
    zeros = {"driver": "null-co", "size": old - size, "read-zeroes": True}
    outcome = await qemu_img("compare", name_of(end), name_of(zeros), keep=descriptors(links))
    if outcome.status == 1:
        raise BadInput(
            f"{path} has data in what would be cut off, behind {format_size(size)}.",
            "make its partitions smaller in the guest first; a GPT keeps its second table at the very end of the disk",
            code="would-lose-data",
        )
    _expect(outcome, path, path)


def _resize_raw(image: Link, size: int) -> None:
    with _for_writing(image) as file:
        if image.facts.kind == "fixed" and size > image.facts.virtual_size:
            require_space(image.path, size - image.facts.virtual_size)
            try:
                os.posix_fallocate(file.fileno(), image.status.st_size, size - image.status.st_size)
            except OSError:
                os.ftruncate(file.fileno(), image.status.st_size)
                raise no_space(image.path) from None
        os.ftruncate(file.fileno(), size)
        os.fsync(file.fileno())


def _for_writing(image: Link) -> Any:
    """The file of a link, the very one that was looked at, open for writing too."""
    return Path(f"/proc/self/fd/{image.descriptor}").open("r+b", buffering=0)


async def check(links: list[Link]) -> Check:
    """Whether an image is consistent in itself; its parents have been checked by opening them."""
    return await _check_node(node(links), descriptors(links), links[0].path)


async def _check_node(props: dict[str, Any], keep: list[int], path: Path) -> Check:
    outcome = await qemu_img("check", "--output=json", name_of(props), keep=keep)
    if outcome.status == 63:  # the format has no check
        return Check(known=False)
    if outcome.status not in (0, 2, 3):
        _expect(outcome, path, path)
    try:
        found = json.loads(outcome.output)
        errors = int(found.get("corruptions", 0)) + int(found.get("check-errors", 0))
        return Check(known=True, errors=errors, leaks=int(found.get("leaks", 0)))
    except (ValueError, TypeError, AttributeError):
        raise Failed("qemu-img check said nothing intelligible.", "see kiban doctor", code="bad-tool") from None


async def _check_result(part: Path, form: ImageFormat, size: int, target: Path) -> None:
    with open_regular(part) as descriptor:
        facts = await asyncio.to_thread(read_facts, descriptor, part, form)
        image = Link(path=part, real=part, form=form, facts=facts, status=os.fstat(descriptor), descriptor=descriptor)
        found = await check([image])
    if facts.virtual_size != size or found.errors:
        raise Failed(f"{target} did not become what it was to be.", "try again, and look at the disks: dmesg")


async def _compare(links: list[Link], part: Path, form: ImageFormat, target: Path, done: Done) -> None:
    with open_regular(part) as descriptor:
        made: dict[str, Any] = {"driver": form.driver, "file": {"driver": "file", "filename": _proc(descriptor)}}
        if form.name == "qcow2":
            made["backing"] = None
        await _expect_same(node(links), made, [descriptor, *descriptors(links)], target, done)


async def _expect_same(one: dict[str, Any], other: dict[str, Any], keep: list[int], target: Path, done: Done) -> None:
    outcome = await qemu_img("compare", "-p", name_of(one), name_of(other), keep=keep, done=done)
    if outcome.status == 1:
        raise Failed(f"{target} did not become the same as its source.", "try again, and look at the disks: dmesg")
    _expect(outcome, target, target)


def _proc(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


async def merge(links: list[Link], done: Done = nothing, merged: Callable[[], None] = lambda: None) -> None:
    """Write what a differencing disk has into its parent and remove it; its other parents stay as they are.

    The parent is copied (by reflink where there is one), the copy becomes the merged disk, is compared with the chain
    and takes the parent's place. From before until the child is gone, the child names both states of its parent as
    right: with either of them it has the same content.

    Args:
        links: the chain, the child first.
        done: progress.
        merged: called when the parent has everything, before the child goes.
    """
    child, parent = links[0], links[1]
    target = parent.real
    with unfinished(target) as (part, lock):
        await copy_into(parent.descriptor, lock, parent.path, lambda part: done(part * 0.4))
        props = node(links)
        props["backing"]["file"]["filename"] = _proc(lock)
        keep = [lock, *descriptors(links)]
        del props["backing"]["read-only"]
        outcome = await qemu_img("commit", "-p", "-d", name_of(props), keep=keep, done=lambda p: done(0.4 + p * 0.3))
        _expect(outcome, child.path, parent.path)
        await _expect_same(node(links), props["backing"], keep, parent.path, lambda p: done(0.7 + p * 0.3))
        await asyncio.to_thread(_put_merged, child, parent, part, lock)
    merged()
    child.real.unlink()


def _put_merged(child: Link, parent: Link, part: Path, lock: int) -> None:
    os.fsync(lock)
    if child.facts.record:
        new = read_facts(lock, part, parent.form).identity
        with _for_writing(child) as file:
            chain.write_record(file.fileno(), (parent.facts.identity, new))
            os.fsync(file.fileno())
    finish_over(part, parent.real, parent.status)


def _expect(outcome: Outcome, source: Path, target: Path) -> None:
    """Raise what qemu-img failed with, if it did."""
    if outcome.status == 0:
        return
    if "lock" in outcome.complaint and "Failed to get" in outcome.complaint:
        raise Conflict(f"{source} is in use by another program.", "see which: fuser -v FILE", code="disk-busy")
    reason = last_line(outcome.complaint)
    if "No space left on device" in reason:
        raise no_space(target)
    raise Failed(f"qemu-img did not do it with {source}: {reason}.", "see kiban disk check", code="tool-failed")
