# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images: made whole or not at all, and looked at without trusting them.

A format is always named by the caller and handed to QEMU by name, since a guest can write any format's mark into the
first sector of its raw disk. References to other files are refused, never followed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kiban.adapters.disk.formats import ImageFormat, check_size, image_format
from kiban.adapters.disk.headers import check_header
from kiban.adapters.disk.placing import finish, new_file, take_room, unfinished
from kiban.adapters.disk.space import require_space
from kiban.adapters.disk.tool import Outcome, check_room, last_line, qemu_img
from kiban.adapters.files import open_regular
from kiban.adapters.whole import in_thread
from kiban.errors import BadInput, Failed
from kiban.model.units import format_size

_INSPECT_SECONDS = 30.0
_INSPECT_LIMITS = ("--cpu=10", "--fsize=0")  # it has nothing to write

# what an image takes beyond its contents when it is made with all its room: tables and logs, generously
_OVERHEAD = 1.002
_OVERHEAD_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that stands on its own: sizes in bytes, `actual_size` being what its file takes on the host's disk."""

    path: Path
    format: str
    virtual_size: int
    actual_size: int


async def create(path: Path, format: str, size_bytes: int, *, fixed: bool = False) -> None:
    """Make a new, empty disk image of exactly `size_bytes`, for its owner's eyes only (mode 0600).

    `fixed` takes all the room at once (Hyper-V's fixed disk); otherwise the file grows, or is sparse (raw). Nothing of
    that name is there before the image is whole; a hidden ".NAME.part" that a killed process left is used again.

    Raises:
        BadInput: an unknown format, or a size that it cannot have.
        Conflict: something of that name exists, or is being made.
        NotFound, NotAllowed: the folder.
        HostLacks: no qemu-img, or not enough space.
        Failed: qemu-img did not do it.
    """
    form = image_format(format)
    check_size(form, size_bytes)
    target = new_file(path)
    if fixed:
        await in_thread(require_space, target, int(size_bytes * _OVERHEAD) + _OVERHEAD_BYTES)
    with unfinished(target) as (part, lock):
        arguments = ["create", "-q", "-f", form.driver, *options(form, fixed), str(part), str(size_bytes)]
        check_made(target, await qemu_img(*arguments, keep=(lock,)))
        if fixed:
            await in_thread(take_room, lock, target)
        await finish(part, target)


def options(form: ImageFormat, fixed: bool) -> list[str]:
    """qemu-img's options for a new image of that format."""
    subformat = f"subformat={'fixed' if fixed else 'dynamic'}"
    options = {
        "qcow2": ["preallocation=metadata"] if fixed else [],
        "raw": [],
        "vhdx": [subformat],
        "vhd": [subformat, "force_size=on"],  # without it QEMU rounds the size up to a cylinder
        "vmdk": ["subformat=streamOptimized", "adapter_type=lsilogic"],
    }[form.name]
    return [word for option in options for word in ("-o", option)]


def check_made(target: Path, outcome: Outcome) -> None:
    """HostLacks or Failed unless qemu-img has made `target`."""
    if outcome.status == 0:
        return
    reason = last_line(outcome.complaint)
    check_room(reason, target)
    raise Failed(f"qemu-img could not make {target}: {reason}.", "See kiban doctor", code="create-failed")


async def inspect(path: Path, format: str) -> ImageInfo:
    """What an image is, opened as the named format and nothing else.

    For the moment at which a disk is given to a machine, not for each start: a guest may write another format's mark
    on its raw disk, which would then be refused.

    Raises:
        NotFound, NotAllowed: the file.
        BadInput: not a regular file, not of that format, damaged, encrypted, or a part of a chain; the code says which.
        HostLacks, TimedOut, Failed: about qemu-img.
    """
    form = image_format(format)
    with open_regular(path) as descriptor:
        await in_thread(check_header, descriptor, path, form)
        # by descriptor: what was checked is what is opened, even if the name is given to another file meanwhile
        outcome = await qemu_img(
            "info", "--output=json", _file_of(form, descriptor), limits=_INSPECT_LIMITS, timeout=_INSPECT_SECONDS,
            keep=(descriptor,),
        )  # fmt: skip
        actual = os.fstat(descriptor).st_blocks * 512
    if outcome.status != 0:
        raise BadInput(
            f"{path} cannot be opened as {form.name}: {last_line(outcome.complaint)}.",
            "Take the image from its source again; a VHDX that was not closed must be opened by Hyper-V once",
            code="damaged-image",
        )
    return ImageInfo(path, form.name, _virtual_size(path, form, outcome.output), actual)


def _file_of(form: ImageFormat, descriptor: int) -> str:
    """QEMU's pseudo-protocol json:, in which a name can mean nothing but itself and no other file is opened.

    Locking is off since a running machine holds its own lock, and reading a header cannot harm it.
    """
    file = {"driver": "file", "filename": f"/proc/self/fd/{descriptor}", "locking": "off"}
    node: dict[str, object] = {"driver": form.driver, "read-only": True, "file": file}
    if form.name == "qcow2":
        node["backing"] = None
    return "json:" + json.dumps(node)


def _virtual_size(path: Path, form: ImageFormat, output: str) -> int:
    try:
        size = json.loads(output)["virtual-size"]
    except (ValueError, TypeError, KeyError):
        raise Failed("qemu-img info said nothing intelligible.", "See kiban doctor", code="bad-tool") from None
    if not isinstance(size, int) or not 0 < size <= form.largest:
        shown = format_size(size) if isinstance(size, int) else "no size"
        raise BadInput(
            f"{path} claims to be a disk of {shown}, which no {form.name} disk may be.",
            f"The largest is {format_size(form.largest)}",
            code="damaged-image",
        )
    return size
