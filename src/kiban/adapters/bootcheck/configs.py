# SPDX-License-Identifier: GPL-2.0-or-later
"""What boot loaders' own files say they load next: shim's fallback lists, GRUB's menus, systemd-boot's entries.

Only names are taken from them, never commands: a menu is a program, and what it does with conditions and variables is
not worked out. So the kernels found are those it may load, the first being the one it most likely does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kiban.adapters.bootcheck.volumes.folder import Folder
from kiban.adapters.images.source import Source

MOST_KERNELS = 3
"""Kernels that are looked at; installers name the same few over and over."""
_TEXT_LIMIT = 256 << 10  # bytes of a menu or list; Debian's largest have 20 KiB
_MOST_ENTRIES = 200
_LINUX = re.compile(r"^[ \t]*(?:linux|linuxefi)[ \t]+(\S+)", re.MULTILINE)
_ENTRY = re.compile(r"^[ \t]*(?:linux|efi|uki)[ \t]+(\S+)", re.MULTILINE)
_DEVICE = re.compile(r"^\([^)]*\)")  # GRUB's name of the volume in front of a path


@dataclass(frozen=True, slots=True)
class File:
    """A file and its path on the volume that it was found on."""

    path: str
    source: Source


def beside(path: str, name: str) -> str:
    """The path of `name` in the folder of the file `path`, in the same kind of slashes."""
    slash = "\\" if "\\" in path else "/"
    folder, found, _ = path.rpartition(slash)
    return f"{folder}{found}{name}"


def fallback_targets(volume: Folder) -> Iterator[str]:
    r"""Paths of the loaders that shim's fallback makes boot entries for: first lines of \EFI\*\BOOTX64.CSV."""
    for folder in volume.entries("\\EFI")[:_MOST_ENTRIES]:
        if not folder.is_folder or folder.name.upper() == "BOOT":
            continue
        listed = volume.find(f"\\EFI\\{folder.name}\\BOOTX64.CSV")
        if listed is not None:
            text = listed.read(0, min(listed.size, _TEXT_LIMIT)).decode("utf-16", "replace")
            for line in text.splitlines()[:_MOST_ENTRIES]:
                if name := line.split(",")[0].strip():
                    yield f"\\EFI\\{folder.name}\\{name}"


def grub_kernels(volumes: Sequence[Folder], path: str) -> tuple[list[File], list[str]]:
    """The kernels of GRUB's menus, GRUB itself being the file `path`: those that were found, and names of others."""
    found: dict[str, File] = {}
    missing: dict[str, None] = {}
    for name in _menu_kernels(volumes, path):
        if len(found) >= MOST_KERNELS or len(missing) >= _MOST_ENTRIES:
            break
        if name not in found and name not in missing:
            file = _find(volumes, name)
            if file:
                found[name] = file
            else:
                missing[name] = None
    return list(found.values()), list(missing)


def _menus(volume: Folder, path: str) -> Iterator[str]:
    """Where distributions' GRUBs look for a menu: beside themselves, in usual places, in their vendor's folder."""
    yield from (beside(path, name) for name in ("grub.cfg", "grub/grub.cfg"))
    yield from ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg")
    yield from (f"/EFI/{entry.name}/grub.cfg" for entry in volume.entries("/EFI")[:_MOST_ENTRIES] if entry.is_folder)


def _menu_kernels(volumes: Sequence[Folder], path: str) -> Iterator[str]:
    for volume in volumes:
        for place in dict.fromkeys(_menus(volume, path)):
            menu = volume.find(place)
            for name in _LINUX.findall(_text(menu)) if menu else ():
                plain = _DEVICE.sub("", name.strip("\"'")).removeprefix("$root").removeprefix("${root}")
                if "$" not in plain:
                    yield plain


def boot_entries(volume: Folder) -> list[File]:
    r"""What systemd-boot offers: unified kernel images in \EFI\Linux and the entries in \loader\entries."""
    names = [f"\\EFI\\Linux\\{entry.name}" for entry in volume.entries("\\EFI\\Linux") if _ends(entry.name, ".efi")]
    for entry in volume.entries("\\loader\\entries")[:_MOST_ENTRIES]:
        listed = volume.find(f"\\loader\\entries\\{entry.name}") if _ends(entry.name, ".conf") else None
        names += _ENTRY.findall(_text(listed)) if listed else []
    files = (_find([volume], name) for name in dict.fromkeys(names[:_MOST_ENTRIES]))
    return [file for file in files if file][:MOST_KERNELS]


def _ends(name: str, end: str) -> bool:
    return name.lower().endswith(end)


def _find(volumes: Sequence[Folder], name: str) -> File | None:
    found = ((name, volume.find(name)) for volume in volumes)
    return next((File(path, source) for path, source in found if source is not None), None)


def _text(file: Source) -> str:
    return file.read(0, min(file.size, _TEXT_LIMIT)).decode("utf-8", "replace")
