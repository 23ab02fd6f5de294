# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks with known contents, made with qemu-img, and read back by readers that are not QEMU's."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from kiban.adapters.disk import chain, changing, images
from kiban.adapters.disk.formats import FORMATS, READABLE
from kiban.adapters.images.crc32c import crc32c
from kiban.adapters.images.opening import open_image
from kiban.adapters.images.source import FileSource
from kiban.model.units import KiB, MiB

KEY = b"k" * 32
SIZE = 12 * MiB
RANDOM = random.Random  # contents that are the same in each run


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a test's coroutine, bounded."""
    return asyncio.run(asyncio.wait_for(work, 120))


def tool(*command: object) -> str:
    """Run a program; what it says, or an error with it."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return done.stdout


def content(seed: int = 1, size: int = SIZE) -> bytes:
    """A disk with some data at its beginning, middle and end, and nothing in between."""
    data, source = bytearray(size), RANDOM(seed)
    for at in (0, size // 3 // 512 * 512, size - 200 * 1024):
        data[at : at + 100 * 1024] = source.randbytes(100 * 1024)
    return bytes(data)


def make(path: Path, form: str, data: bytes) -> Path:
    """An image of that format with these contents."""
    raw = path.with_name(path.name + ".source")
    raw.write_bytes(data)
    options = ["-o", "force_size=on"] if form == "vhd" else []
    tool("qemu-img", "convert", "-f", "raw", "-O", READABLE[form].driver, *options, raw, path)
    raw.unlink()
    return path


def read(path: Path, form: str) -> bytes:
    """The disk in a whole image, by Kiban's own reader, which shares nothing with QEMU's."""
    with path.open("rb") as file:
        source = open_image(FileSource(os.dup(file.fileno())), form)
        return source.read(0, source.size)


def read_chain(path: Path, form: str = "qcow2") -> bytes:
    """The disk that a chain makes, read by QEMU from a chain that Kiban put together."""
    whole = path.with_name(path.name + ".whole")

    async def convert() -> None:
        with chain.opened(path, READABLE[form], KEY) as links:
            await changing.convert(links, whole, FORMATS["raw"])

    run(convert())
    data = whole.read_bytes()
    whole.unlink()
    return data


def write(path: Path, at: int, data: bytes, form: str = "qcow2") -> None:
    """Write into an image as a guest would."""
    piece = path.with_name(path.name + ".piece")
    piece.write_bytes(data)
    tool("qemu-io", "-f", FORMATS[form].driver, "-c", f"write -s {piece} {at} {len(data)}", path)
    piece.unlink()


def child(path: Path, parent: Path, parent_form: str = "qcow2", size: int | None = None) -> Path:
    """A differencing disk, made by Kiban."""

    async def make_it() -> None:
        with chain.opened(parent, FORMATS[parent_form], KEY) as links:
            await changing.create_child(path, links, KEY, size)

    run(make_it())
    return path


def leave_log(image: Path) -> Path:
    """Leave in a VHDX the id of a log of which nothing was whole, as QEMU does that is killed when it begins one."""
    data = bytearray(image.read_bytes())
    for at in (64 * KiB, 128 * KiB):
        data[at + 48 : at + 64] = b"l" * 16
        data[at + 4 : at + 8] = bytes(4)
        data[at + 4 : at + 8] = crc32c(bytes(data[at : at + 4096])).to_bytes(4, "little")
    image.write_bytes(data)
    return image


async def use(path: Path, form: str, verb: Any, *arguments: Any, **options: Any) -> Any:
    """Do something with an opened chain."""
    with chain.opened(path, READABLE[form], KEY) as links:
        return await verb(links, *arguments, **options)


def digest(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def empty(path: Path, form: str, size: int) -> Path:
    """A new image, made by Kiban."""
    run(images.create(path, form, size))
    return path
