# SPDX-License-Identifier: GPL-2.0-or-later
"""Small media for the tests of what would boot: FAT volumes, GPT disks and DVDs, made by mtools, sfdisk and xorriso."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from bootcheck_images import tool

from kiban.adapters.bootcheck import chain, report
from kiban.adapters.bootcheck.exchange import Asked, Opened
from kiban.adapters.images.source import Budget
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Trust

ESP_GUID = "11111111-2222-3333-4444-555555555555"
BOOT = "EFI/BOOT/BOOTX64.EFI"
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_ESP_START = 2048


def fat(image: Path, files: Mapping[str, bytes], size: int = 24 << 20) -> Path:
    """A FAT volume with those files."""
    tool("mformat", "-C", "-i", str(image), "-T", str(size // 512), "-h", "64", "-s", "32", "::")
    folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    if folders:
        tool("mmd", "-i", str(image), *(f"::{folder}" for folder in sorted(folders)))
    part = image.with_suffix(".part")
    for name, content in files.items():
        part.write_bytes(content)
        tool("mcopy", "-i", str(image), str(part), f"::{name}")
    return image


def gpt(image: Path, files: Mapping[str, bytes], size: int = 24 << 20) -> Path:
    """A GPT disk whose only partition is an EFI system partition with those files."""
    return volumes(image, files, size=size)


def volumes(image: Path, *contents: Mapping[str, bytes], size: int = 24 << 20) -> Path:
    """A GPT disk with an EFI system partition for each of the contents. The first one's GUID is ESP_GUID."""
    sectors, table = size // 512, "label: gpt\n"
    with image.open("wb") as disk:
        disk.truncate((_ESP_START + len(contents) * sectors + 2048) * 512)
        for number, files in enumerate(contents):
            start, guid = _ESP_START + number * sectors, f"{ESP_GUID[:-1]}{5 + number}"
            table += f"start={start}, size={sectors}, type={_ESP_TYPE}, uuid={guid}\n"
            disk.seek(start * 512)
            disk.write(fat(image.with_suffix(".esp"), files, size).read_bytes())
            image.with_suffix(".esp").unlink()
    argv = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)]
    path = f"{os.environ['PATH']}:/usr/sbin"
    subprocess.run(argv, input=table, text=True, check=True, capture_output=True, env={**os.environ, "PATH": path})
    return image


def iso(
    image: Path, files: Mapping[str, bytes], *, esp: Mapping[str, bytes] | None = None, bios: bool = False,
    more: Sequence[str] = (), size: int = 24 << 20,
) -> Path:  # fmt: skip
    """A DVD with those files; `esp` is what is in its El Torito EFI image, `bios` gives it a BIOS boot image."""
    tree = image.with_suffix(".tree")
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "boot").mkdir(parents=True, exist_ok=True)
    argv = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "TEST", "-o", str(image), *more]
    if bios:
        (tree / "boot/bios.img").write_bytes(b"\xfa\xeb\xfe".ljust(2048, b"\0"))
        argv += ["-b", "boot/bios.img", "-no-emul-boot", "-boot-load-size", "4"]
    if esp is not None:
        fat(tree / "boot/efi.img", esp, size)
        (tree / "boot/efi.part").unlink(missing_ok=True)
        argv += ["-eltorito-alt-boot"] if bios else []
        argv += ["-e", "boot/efi.img", "-no-emul-boot"]
    tool(*argv, str(tree))
    return image


def folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """A folder of the host."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def disk(image: Path, device: str = "disk0", *, partition: str = "", loader: str = "") -> Medium:
    return Medium(device=device, kind="disk", path=str(image), format="raw", partition=partition, loader=loader)


def dvd(image: Path, device: str = "dvd0") -> Medium:
    return Medium(device=device, kind="dvd", path=str(image), format="iso")


def net(root: Path, file: str, protocol: Literal["tftp", "http"] = "tftp") -> Medium:
    return Medium(device="nic0", kind="folder", path=str(root), format="", loader=file, protocol=protocol)


def look(*media: Medium, trust: Trust, asked: Asked | None = None, budget: Budget | None = None) -> Report:
    """What the child would answer, found in this process, where a debugger gets at it."""
    budget = budget or Budget()
    opened = [Opened(medium, _open(medium)) for medium in media]
    try:
        found = chain.attempts(opened, trust, budget)
        return report.conclude(found, asked or Asked(), budget.bytes_read)
    finally:
        for one in opened:
            for descriptor, _ in one.files.values():
                os.close(descriptor)


def _open(medium: Medium) -> dict[str, tuple[int, int]]:
    if medium.kind == "none":
        return {}
    root = Path(medium.path)
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    chosen = files if medium.kind == "folder" else {"": root}
    return {name: (os.open(path, os.O_RDONLY), path.stat().st_size) for name, path in chosen.items()}
