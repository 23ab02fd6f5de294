# SPDX-License-Identifier: GPL-2.0-or-later
"""The closed set of disk image formats: what QEMU calls each, how large it may be, what its files begin with.

Disks are made and kept in four of them; two more are read, so that they can be converted.

Hyper-V's limits: VHD 2040 GiB, VHDX 64 TiB, both at least 3 MiB and whole MiB (New-VHD). The other formats take
VHDX's upper limit, since no disk of a machine may be larger than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiban.errors import BadInput
from kiban.model.units import GiB, MiB, TiB, format_size


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One format: `driver` is QEMU's name of it; `smallest`, `largest` and `multiple` are bytes of virtual size."""

    name: str
    driver: str
    smallest: int
    largest: int
    multiple: int


FORMATS: dict[str, ImageFormat] = {
    "qcow2": ImageFormat(name="qcow2", driver="qcow2", smallest=512, largest=64 * TiB, multiple=512),
    "vhdx": ImageFormat(name="vhdx", driver="vhdx", smallest=3 * MiB, largest=64 * TiB, multiple=MiB),
    "vhd": ImageFormat(name="vhd", driver="vpc", smallest=3 * MiB, largest=2040 * GiB, multiple=MiB),
    "raw": ImageFormat(name="raw", driver="raw", smallest=512, largest=64 * TiB, multiple=512),
}
GROW_IN_PLACE = ("qcow2", "raw")
"""Formats that QEMU can make larger, or smaller, where they are."""
READABLE: dict[str, ImageFormat] = FORMATS | {
    name: ImageFormat(name=name, driver=name, smallest=512, largest=64 * TiB, multiple=512) for name in ("vmdk", "vdi")
}
"""What a disk may be converted from."""


def image_format(name: str, known: Mapping[str, ImageFormat] = FORMATS) -> ImageFormat:
    """The format of that name; BadInput, with the names there are, for any other."""
    found = known.get(name)
    if found is None:
        raise BadInput(f"'{name[:40]}' is not a disk format.", f"Use one of: {', '.join(known)}", code="unknown-format")
    return found


ENDS = {
    "qcow2": "qcow2", "vhdx": "vhdx", "avhdx": "vhdx", "vhd": "vhd", "avhd": "vhd", "raw": "raw", "img": "raw",
    "vmdk": "vmdk", "vdi": "vdi",
}  # fmt: skip
"""What the end of an image's name says its format is; Hyper-V names the disks of checkpoints avhdx and avhd."""


def format_of(path: Path, named: str = "", known: Mapping[str, ImageFormat] = READABLE) -> ImageFormat:
    """The format that was named, else the one that the end of the name says; the contents are not looked at.

    BadInput for a format that is not among `known`, and where neither says it.
    """
    said = named or ENDS.get(path.suffix.lower().removeprefix("."), "")
    if not said:
        raise BadInput(
            f"{path.name} does not say by its name what format it has.",
            f"Say it: --format with one of {', '.join(known)}",
            code="unknown-format",
        )
    return image_format(said, known)


def check_size(form: ImageFormat, size: int) -> None:
    """BadInput unless a new image of that format can have exactly `size` bytes."""
    if size < form.smallest:
        raise BadInput(
            f"A {form.name} disk of {format_size(size)} is too small.",
            f"The smallest is {format_size(form.smallest)}",
            code="bad-size",
        )
    if size > form.largest:
        raise BadInput(
            f"A {form.name} disk of {format_size(size)} is too large.",
            f"the largest is {format_size(form.largest)}" + ("; vhdx takes 64 TiB" if form.name == "vhd" else ""),
            code="bad-size",
        )
    if size % form.multiple:
        raise BadInput(
            f"A {form.name} disk cannot have {size} bytes.",
            f"The size is a multiple of {format_size(form.multiple)}",
            code="bad-size",
        )


def looks_like(head: bytes, tail: bytes) -> str:
    """What a file seems to be, from its first and last 512 bytes; "" if nothing known. For hints and refusals only."""
    magics = (
        ("qcow2", b"QFI\xfb"),
        ("vhdx", b"vhdxfile"),
        ("vhd", b"conectix"),
        ("vmdk", b"KDMV"),
        ("vmdk", b"# Disk DescriptorFile"),
        ("luks", b"LUKS\xba\xbe"),
        ("qed", b"QED\0"),
    )
    name = next((name for name, magic in magics if head.startswith(magic)), "")
    if not name and tail.startswith(b"conectix"):
        return "vhd"  # a fixed VHD has its footer at the end only
    if not name and head[64:68] == b"\x7f\x10\xda\xbe":
        return "vdi"
    return name
