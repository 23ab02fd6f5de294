# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes media with the tools that make them elsewhere: mtools, fdisk, xorriso, qemu-img. For the bootcheck tests."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiban.adapters.images.source import FileSource, Source

MIB = 1 << 20
DRIVERS = {"vhd": "vpc", "vhdx": "vhdx", "qcow2": "qcow2"}  # QEMU's names of the formats
RANDOM = random.Random  # contents that are the same in each run
LOADER = RANDOM(3).randbytes(200_000)
FILES = {
    "EFI/BOOT/BOOTX64.EFI": LOADER,
    "EFI/debian/grub.cfg": b"set root=(hd0,gpt1)\n",
    "a Folder with a long Name/another one/Configuration of Something.conf": b"long names\n" * 1000,
    "lower.txt": b"lower case in a short name\n",
    "empty": b"",
    "Größe und Länge.txt": "ä".encode(),
}


def run(*command: str | Path, text: str = "") -> str:
    """Run a tool; its output, or an error with what it said."""
    environment = os.environ | {"MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return done.stdout


@contextmanager
def opened(path: Path) -> Iterator[FileSource]:
    """The file as a source, with a budget of its own."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield FileSource(descriptor)
    finally:
        os.close(descriptor)


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder that holds those files."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def fat(path: Path, size: int, files: dict[str, bytes], *options: str) -> Path:
    """A FAT file system of `size` bytes, FAT12 or FAT16 as mformat chooses; `options` are mformat's (-F: FAT32)."""
    path.write_bytes(b"")
    os.truncate(path, size)
    sector = 128 << int(options[options.index("-S") + 1]) if "-S" in options else 512
    run("mformat", "-i", path, "-T", str(size // sector), "-h", "64", "-s", "32", *options)
    tree = write_tree(path.with_name(path.name + ".tree"), files)
    for each in sorted(tree.iterdir()):
        run("mcopy", "-s", "-i", path, each, "::/")
    shutil.rmtree(tree)
    return path


def in_partition(path: Path, volume: Path, label: str, kind: str, *, start: int = MIB) -> Path:
    """A disk with one partition that holds the volume; label gpt or dos, kind as sfdisk has it."""
    data = volume.read_bytes()
    path.write_bytes(b"")
    os.truncate(path, start + len(data) + MIB)
    run("sfdisk", "-q", path, text=f"label: {label}\n{start // 512},{len(data) // 512},{kind}\n")
    with path.open("r+b") as disk:
        disk.seek(start)
        disk.write(data)
    return path


def patterned(path: Path, size: int, *, seed: int = 1) -> Path:
    """A raw disk with random pieces at odd places, text that compresses, and zeros between them."""
    rng = RANDOM(seed)
    with path.open("wb") as disk:
        disk.truncate(size)
        for _ in range(24):
            disk.seek(rng.randrange(size - 200_000))
            disk.write(rng.randbytes(rng.randrange(1, 150_000)))
        disk.seek(size // 3)
        disk.write(b"text that compresses " * 60_000)
        disk.seek(size - 512)
        disk.write(b"\xaa" * 512)
    return path


def convert(raw: Path, image: Path, driver: str, *options: str) -> Path:
    """The raw disk as an image of QEMU's format `driver`; options are qemu-img's."""
    run("qemu-img", "convert", "-f", "raw", "-O", driver, *options, raw, image)
    return image


def same_everywhere(disk: Source, wanted: bytes) -> None:
    """In one piece, and in pieces of all sizes across the borders of blocks."""
    assert disk.size == len(wanted)
    assert disk.read(0, disk.size) == wanted
    rng = RANDOM(5)
    for length in (1, 7, 511, 4096, 65537, 2 * MIB + 1):
        for _ in range(12):
            at = rng.randrange(disk.size - length)
            assert disk.read(at, length) == wanted[at : at + length]
