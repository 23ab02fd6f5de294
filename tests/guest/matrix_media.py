# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts artifacts of the matrix on media: disks in all formats, DVDs, folders that are booted by PXE or HTTP."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import boot_media
from matrix_artifacts import Artifact
from matrix_rig import Trial
from rig import Guest, MakeGuest

from kiban.model.machine import DiskFormat
from kiban.model.requests import ComRequest, DiskRequest, NetBootRequest, NicRequest

Place = Literal["raw", "whole", "second", "qcow2", "vhdx", "dvd", "pxe", "http"]
"""A disk with a GPT (raw, qcow2, vhdx), on its second volume behind one with a text file in the loader's place, or
without any table (whole); a DVD, a network adapter."""
_FORMATS: dict[Place, DiskFormat] = {"raw": "raw", "whole": "raw", "second": "raw", "qcow2": "qcow2", "vhdx": "vhdx"}
BOOT_FILE = "bootx64.efi"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """An artifact on a kind of medium."""

    artifact: Artifact
    place: Place


def prepare(
    make: MakeGuest, name: str, loads: Sequence[Load], folder: Path, **settings: Any
) -> tuple[Guest, list[Trial]]:
    """A machine with all that, disks first, then DVDs, then adapters, and the trials in the order of its entries.

    Args:
        make: the fixture, or what does the same.
        name: of the machine.
        loads: what it is given.
        folder: for the media; readable by QEMU's user.
        settings: of the machine.
    """
    folder.mkdir(mode=0o755)
    ordered = sorted(loads, key=lambda load: (load.place in ("pxe", "http"), load.place == "dvd"))
    paths = [_medium(load, folder / f"{number}-{load.artifact.name}") for number, load in enumerate(ordered)]
    both = list(zip(ordered, paths, strict=True))
    guest = make(
        name,
        2,
        disks=[DiskRequest(path=str(p), format=_FORMATS[one.place]) for one, p in both if one.place in _FORMATS],
        dvds=[str(p) for one, p in both if one.place == "dvd"],
        nics=[NicRequest(boot=_boot(one, p)) for one, p in both if one.place in ("pxe", "http")],
        boot=["disk", "dvd", "nic"],
        pause_after_boot_failure=True,
        coms=[ComRequest(number=1, kind="file", path=str(folder / "console.txt"))],
        **settings,
    )
    return guest, list(_trials(both))


def _medium(load: Load, path: Path) -> Path:
    files = load.artifact.files
    size = -(-sum(map(len, files.values())) // MIB) * MIB + 4 * MIB
    match load.place:
        case "dvd":
            # GRUB takes the whole DVD for its volume, not the El Torito image that the firmware found it in
            return boot_media.iso(path.with_suffix(".iso"), load.artifact.more, esp=load.artifact.loaders, size=size)
        case "pxe" | "http":
            path.mkdir()
            return boot_media.folder(path, load.artifact.served)
        case "whole":
            return boot_media.fat(path.with_suffix(".raw"), files, size)
        case "second":
            text = {boot_media.BOOT: b"no program"}
            return boot_media.volumes(path.with_suffix(".raw"), text, files, size=size)
        case _:
            raw = boot_media.gpt(path.with_suffix(".raw"), files, size)
    if load.place == "raw":
        return raw
    target = path.with_suffix(f".{load.place}")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", load.place, raw, target], check=True)
    raw.unlink()
    return target


def _boot(load: Load, path: Path) -> NetBootRequest:
    return NetBootRequest(folder=str(path), file=BOOT_FILE, protocol="http" if load.place == "http" else "tftp")


def _trials(loads: Sequence[tuple[Load, Path]]) -> Iterator[Trial]:
    counted = {"disk": 0, "dvd": 0, "nic": 0}
    for load, path in loads:
        match load.place:
            case "dvd":
                kind, entry, medium = "dvd", "DVD", boot_media.dvd(path)
            case "pxe":
                kind, entry, medium = "nic", "PXE IPv4", boot_media.net(path, BOOT_FILE)
            case "http":
                kind, entry, medium = "nic", "HTTP", boot_media.net(path, BOOT_FILE, "http")
            case _:
                kind, entry = "disk", "Disk"
                medium = replace(boot_media.disk(path), format=_FORMATS[load.place])
        device = f"{kind}{counted[kind]}"
        yield Trial(artifact=load.artifact, place=load.place, medium=medium, device=device, entry=f"{entry} {device}")
        counted[kind] += 1


def clear(folder: Path) -> None:
    """Remove the media of a machine that is gone; a few dozen of them take a gigabyte."""
    shutil.rmtree(folder)
