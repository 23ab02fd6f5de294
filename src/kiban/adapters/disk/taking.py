# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking over disks from elsewhere: what is in a file of another format as a qcow2 of our own.

The source is opened for reading only, by us, and given to qemu-img with its format named. The result is there once it
is whole (`kiban.adapters.disk.placing`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiban.adapters.disk.changing import Source, convert_node
from kiban.adapters.disk.copying import Done, copy_into, nothing
from kiban.adapters.disk.facts import read_facts
from kiban.adapters.disk.formats import FORMATS, READABLE, ImageFormat, check_size
from kiban.adapters.disk.headers import check_header
from kiban.adapters.disk.images import check_made
from kiban.adapters.disk.placing import finish, new_file, unfinished
from kiban.adapters.disk.strange import vmdk_size
from kiban.adapters.disk.tool import qemu_img
from kiban.adapters.files import open_regular
from kiban.adapters.whole import in_thread
from kiban.errors import BadInput
from kiban.model.foreign import Extent, ImageKind

NOT_YET = "nbd+unix:///disk?socket=the-rest-has-not-been-copied-yet"
"""The backing file in the header of a disk whose rest is still elsewhere: nothing that anybody could open."""


def size_of(extent: Extent, kind: ImageKind) -> int:
    """Bytes of the disk in a file that is said to be qcow2, raw, VMDK or VDI. It blocks.

    Raises NotFound, NotAllowed, and BadInput for what is not of that format, damaged, refers to other files, or lies in
    an archive where only a VMDK is read in place.
    """
    with _opened(extent, kind) as descriptor:
        if kind == "vmdk":
            return vmdk_size(descriptor, extent)
        return check_whole(descriptor, Path(extent.path), READABLE[kind])


@contextmanager
def _opened(extent: Extent, kind: ImageKind) -> Iterator[int]:
    path = Path(extent.path)
    with open_regular(path) as descriptor:
        whole = extent.offset == 0 and extent.size == os.fstat(descriptor).st_size
        if not whole and kind != "vmdk":
            raise BadInput(f"In {path} there is a {kind} disk.", f"Unpack it: tar -xf {path}", code="packed-disk")
        yield descriptor


async def fetch_file(extent: Extent, kind: ImageKind, target: Path, done: Done = nothing) -> None:
    """Make the qcow2 `target` of a disk in a file. Raises as `size_of`, and as `kiban.adapters.disk.images.create`."""
    size = await in_thread(size_of, extent, kind)
    with _opened(extent, kind) as descriptor:
        file: dict[str, Any] = {"driver": "file", "filename": f"/proc/self/fd/{descriptor}"}
        if extent.offset:
            file = {"driver": "raw", "offset": extent.offset, "size": extent.size, "file": file}
        props: dict[str, Any] = {"driver": kind, "read-only": True, "file": file}
        if kind in ("qcow2", "vmdk"):
            props["backing"] = None
        if kind == "raw":
            props["size"] = size  # whole sectors only
        source = Source(node=props, size=size, path=Path(extent.path), keep=(descriptor,))
        await convert_node(source, target, FORMATS["qcow2"], done=done)


async def fetch_as_it_is(source: int, target: Path, form: ImageFormat, done: Done = nothing) -> None:
    """Make a copy of an open image that has no parent; raises as `check_whole` and `copy_into`."""
    target = new_file(target)
    with unfinished(target) as (part, lock):
        await copy_into(source, lock, target, done)
        await in_thread(check_whole, lock, target, form)
        await finish(part, target)


def check_whole(descriptor: int, path: Path, form: ImageFormat) -> int:
    """Bytes of the disk in an open image; BadInput for what is not of that format, damaged, or refers to others."""
    check_header(descriptor, path, form)
    return read_facts(descriptor, path, form).virtual_size


async def create_over(target: Path, size: int) -> None:
    """Make an empty qcow2 over a disk that is still elsewhere; its header says so in a way that nobody can follow."""
    target = new_file(target)
    check_size(FORMATS["qcow2"], size)
    with unfinished(target) as (part, lock):
        arguments = ["create", "-q", "-u", "-f", "qcow2", "-b", NOT_YET, "-F", "raw", str(part), str(size)]
        check_made(target, await qemu_img(*arguments, keep=(lock,)))
        await finish(part, target)


def is_whole(image: Path) -> bool:
    """Whether a qcow2 that was made by `create_over` does not need its source any more. It blocks."""
    with open_regular(image) as descriptor:
        return not read_facts(descriptor, image, FORMATS["qcow2"]).parent
