# SPDX-License-Identifier: GPL-2.0-or-later
"""The places on a medium where firmware looks for a FAT file system, in the order in which it finds them.

As EDK2 has it (PartitionDxe of edk2-stable202211): a GPT, else a CD's boot catalog, else an MBR; only a medium with
none of them is taken as one file system. A partition that holds a CD's boot catalog is looked into once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.bootcheck.volumes import partitions
from kiban.adapters.bootcheck.volumes.eltorito import BLOCK, BootImage, el_torito
from kiban.adapters.bootcheck.volumes.partitions import Partition
from kiban.adapters.images.source import Source

_PARTITIONS_LIMIT = 256  # looked into; nobody boots from one behind that


@dataclass(frozen=True, slots=True)
class Volume:
    """One place: a partition, a boot image of a CD (which may lie in a partition), or the whole medium if neither."""

    source: Source
    partition: Partition | None = None
    boot_image: BootImage | None = None

    @property
    def name(self) -> str:
        """In words, for sentences."""
        if self.boot_image is not None:
            return f"the boot catalog's entry {self.boot_image.entry}"
        return f"partition {self.partition.number}" if self.partition else "the whole medium"


def volumes(medium: Source, sector: int = 512) -> list[Volume]:
    """Where firmware tries to mount a FAT file system.

    Args:
        sector: the device's logical block size in bytes: 512 for disks, 2048 for DVDs.

    Raises:
        Damaged: there is nothing but a GPT of which no copy is intact.
    """
    found = partitions.gpt(medium, sector)
    if found is not None:
        return list(_in_partitions(medium, sector, found))
    images = [Volume(image.open(medium), boot_image=image) for image in el_torito(medium, sector)]
    if images:
        return images
    found = partitions.read(medium, sector)
    return list(_in_partitions(medium, sector, found)) if found else [Volume(medium)]


def _in_partitions(medium: Source, sector: int, found: list[Partition]) -> Iterator[Volume]:
    nested: list[Volume] = []
    for partition in found[:_PARTITIONS_LIMIT]:
        if partition.start >= medium.size:
            continue
        window = partition.open(medium)
        images = el_torito(window, sector) if sector <= BLOCK else []
        nested += [Volume(image.open(window), partition, image) for image in images]
        if not images:
            yield Volume(window, partition)
    yield from nested


def has_udf(medium: Source) -> bool:
    """Whether there is a UDF file system, from which OVMF could boot as well, and which is not looked into here."""
    for number in range(16, 32):
        if (number + 1) * BLOCK > medium.size:
            return False
        mark = medium.read(number * BLOCK + 1, 5)
        if mark in (b"NSR02", b"NSR03"):
            return True
        if mark not in (b"CD001", b"BEA01", b"BOOT2", b"TEA01"):
            return False
    return False
