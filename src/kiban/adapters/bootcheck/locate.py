# SPDX-License-Identifier: GPL-2.0-or-later
"""Where on a medium the firmware finds a loader, or why it finds none there.

The firmware reads FAT volumes only, and of those that have the file it takes the first where it is a program. What a
boot entry names is looked for instead of the removable-media path; the entry is passed over when it is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiban.adapters.bootcheck import pe
from kiban.adapters.bootcheck.exchange import Opened, parent_name
from kiban.adapters.bootcheck.volumes import firmware, partitions
from kiban.adapters.bootcheck.volumes.eltorito import el_torito
from kiban.adapters.bootcheck.volumes.fat import Fat
from kiban.adapters.bootcheck.volumes.folder import Folder, Names
from kiban.adapters.bootcheck.volumes.iso import Iso
from kiban.adapters.images.opening import open_image
from kiban.adapters.images.source import Budget, FileSource, Source
from kiban.errors import BadInput, Damaged
from kiban.model.bootcheck import Medium, Reason

REMOVABLE = "\\EFI\\BOOT\\BOOTX64.EFI"
"""UEFI 2.10, 3.5.1.1: what is loaded from a medium that no boot entry says anything about."""

OTHER_PROCESSORS = {
    "BOOTIA32.EFI": "32-bit PCs",
    "BOOTAA64.EFI": "64-bit ARM",
    "BOOTARM.EFI": "32-bit ARM",
    "BOOTRISCV64.EFI": "RISC-V",
    "BOOTLOONGARCH64.EFI": "LoongArch",
}
_BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"  # type of the partition that GRUB for BIOS is in


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system that the firmware reads; `guid` is that of its partition, "" where it has none."""

    folder: Folder
    guid: str = ""
    in_catalog: bool = False  # an El Torito image


@dataclass(frozen=True, slots=True)
class Found:
    """A loader: its file, its path there, and the volumes that it may go on to read, its own first.

    `grubs_volumes` are those that GRUB reads: not the El Torito image, for it takes the whole DVD for its volume.
    """

    medium: Medium
    file: Source
    path: str
    volumes: tuple[Folder, ...]
    grubs_volumes: tuple[Folder, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no loader. `because` is a clause to follow the medium's name."""

    medium: Medium
    reason: Reason
    because: str
    unknown: bool = False  # there may be one where nothing is read here


def locate(opened: Opened, budget: Budget) -> Found | Missing:
    """The loader that the firmware would take from a medium. Raises Damaged and BadInput for unreadable ones."""
    medium = opened.medium
    if medium.kind == "none":
        return Missing(medium, "no-medium", "has nothing to boot from")
    if medium.kind == "folder":
        return _in_folder(opened, budget)
    return _on(medium, _image(opened, budget))


def _image(opened: Opened, budget: Budget) -> Source:
    """The disk in an image and in all that it is made on, the last of those first."""
    disk: Source | None = None
    for number, (_, form) in reversed([*enumerate(opened.medium.parents, start=1)]):
        disk = open_image(FileSource(*opened.files[parent_name(number)], budget), form, disk)
    return open_image(FileSource(*opened.files[""], budget), opened.medium.format or "raw", disk)


def _in_folder(opened: Opened, budget: Budget) -> Found | Missing:
    medium = opened.medium
    names = Names({name: FileSource(fd, size, budget) for name, (fd, size) in opened.files.items()})
    path = medium.loader.replace("\\", "/").lstrip("/")
    file = names.find(path)
    if file is None:
        return Missing(medium, "network-file-missing", f"has no file {path}")
    # a disk image that comes over HTTP becomes a RAM disk (UEFI 2.10, 24.7.3.2; EDK2 goes by the name's end)
    if medium.protocol == "http" and path.lower().endswith((".iso", ".img")):
        return _on(medium, file, sector=2048 if path.lower().endswith(".iso") else 512)
    return Found(medium, file, path, (names,), (names,))


def _on(medium: Medium, source: Source, sector: int = 0) -> Found | Missing:
    sector = sector or (2048 if medium.kind == "dvd" else 512)
    path = medium.loader if medium.kind != "folder" and medium.loader else REMOVABLE
    volumes = list(_volumes(source, sector))
    chosen = [volume for volume in volumes if not medium.partition or volume.guid == medium.partition]
    if medium.partition and not chosen:
        return Missing(medium, "no-loader", f"has no partition {medium.partition} that the firmware could read")
    files = [(volume, file) for volume in chosen if (file := volume.folder.find(path)) is not None]
    if not files:
        return _nothing(medium, source, sector, path, volumes)
    # EDK2's boot manager passes over a file that is none (BmGetNextLoadOptionBuffer)
    volume, file = next((one for one in files if pe.is_application(one[1].read, one[1].size)), files[0])
    ordered = [volume, *(other for other in volumes if other is not volume)]
    iso = _iso(source)
    for_grub = [one.folder for one in ordered if not one.in_catalog]
    return Found(medium, file, path, (*(one.folder for one in ordered), *iso), (*for_grub, *iso))


def _volumes(source: Source, sector: int) -> Iterator[Volume]:
    for place in firmware.volumes(source, sector):
        try:
            guid = place.partition.guid if place.partition else ""
            yield Volume(Fat(place.source), guid, place.boot_image is not None)
        except Damaged:
            continue  # some other file system, which the firmware passes over too


def _iso(source: Source) -> list[Folder]:
    try:
        return [Iso(source)]
    except Damaged:
        return []


def _nothing(medium: Medium, source: Source, sector: int, path: str, volumes: list[Volume]) -> Missing:
    """Why there is no loader, in what helps most: for another processor, for BIOS only, or nothing at all."""
    if medium.loader and medium.kind != "folder":
        return Missing(medium, "no-loader", f"has no {path}, which a boot entry names")
    if firmware.has_udf(source) and not _boots_by_bios(source, sector):
        because = "has no FAT volume with a loader; its UDF file system, where some firmware looks too, was not read"
        return Missing(medium, "no-loader", because, unknown=True)
    reason, because = next(_reasons(source, sector, [volume.folder for volume in volumes]))
    return Missing(medium, reason, because)


def _reasons(source: Source, sector: int, folders: list[Folder]) -> Iterator[tuple[Reason, str]]:
    others = [words for name, words in OTHER_PROCESSORS.items() if _has(folders, f"\\EFI\\BOOT\\{name}")]
    if others:
        yield "wrong-architecture", f"has a loader for {' and '.join(others)} only"
    if _has(_iso(source), REMOVABLE):
        yield "not-efi", f"has {REMOVABLE} where the firmware cannot read it, and no El Torito EFI image"
    if _boots_by_bios(source, sector):
        yield "not-efi", "boots by BIOS only, and generation 2 has none"
    if partitions.table_sector(source) > sector:
        yield "no-loader", "has a partition table for sectors of 4096 bytes, and the disk has 512"
    if not folders and not _iso(source):
        yield "no-loader", "is empty, or holds no file system that the firmware reads"
    yield "no-loader", f"has no {REMOVABLE}"


def _has(folders: list[Folder], path: str) -> bool:
    return any(folder.find(path) is not None for folder in folders)


def _boots_by_bios(source: Source, sector: int) -> bool:
    if el_torito(source, sector):
        return True
    try:
        parts = partitions.read(source, sector)
    except (Damaged, BadInput):
        return False
    if any(part.type_guid == _BIOS_BOOT for part in parts):
        return True
    # boot code starts with a jump or a loaded register, never with zeros; a partition table alone has zeros there
    return bool(parts) and source.size >= 512 and any(source.read(0, 440))
