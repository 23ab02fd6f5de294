# SPDX-License-Identifier: GPL-2.0-or-later
"""One disk (or DVD) that starts by BIOS and by UEFI Secure Boot: GPT, GRUB's BIOS core, an EFI system partition.

The signed chain is Debian's own: shim, GRUB, kernel. The BIOS side is GRUB's core image in a BIOS boot partition, put
there by this module since grub-install wants a block device. Sector numbers are of 512 bytes.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from kiban.demo.guest_build import run
from kiban.errors import Failed

SECTOR = 512
_BIOS_START, _BIOS_SECTORS = 34, 2014
ESP_START = 2048
_GPT_TAIL = 34
_BIOS_TYPE = "21686148-6449-6E6F-744E-656564454649"
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
_CORE_MODULES = (
    "biosdisk",
    "part_gpt",
    "fat",
    "ext2",
    "iso9660",
    "normal",
    "linux",
    "test",
    "search",
    "echo",
    "all_video",
)


@dataclass(frozen=True)
class BootFiles:
    """Where Debian's boot loaders lie: an unpacked tree with shim-signed, grub-efi-amd64-signed and grub-pc-bin."""

    tree: Path

    @property
    def shim(self) -> Path:
        return self.tree / "usr/lib/shim/shimx64.efi.signed"

    @property
    def mok_manager(self) -> Path:
        return self.tree / "usr/lib/shim/mmx64.efi.signed"

    def signed_grub(self, name: str) -> Path:
        """Return a signed GRUB: `grubx64` for disks, `grubnetx64` for the network."""
        return self.tree / f"usr/lib/grub/x86_64-efi-signed/{name}.efi.signed"

    @property
    def bios_grub(self) -> Path:
        return self.tree / "usr/lib/grub/i386-pc"


def make_esp(image: Path, size: int, loaders: BootFiles, files: dict[str, Path]) -> None:
    """Make a FAT file system of `size` bytes with the signed loaders on the removable-media path, and `files`.

    Args:
        files: path on the partition to a file on the host. Must hold `EFI/debian/grub.cfg`, where signed GRUB looks.
    """
    image.unlink(missing_ok=True)
    run(["mformat", "-C", "-i", image, "-v", "KIBAN", "-T", str(size // SECTOR), "-h", "64", "-s", "32", "::"])
    content = {
        "EFI/BOOT/BOOTX64.EFI": loaders.shim,
        "EFI/BOOT/grubx64.efi": loaders.signed_grub("grubx64"),
        "EFI/BOOT/mmx64.efi": loaders.mok_manager,
        **files,
    }
    folders = {str(p) for name in content for p in Path(name).parents if str(p) != "."}
    run(["mmd", "-i", image, *(f"::{f}" for f in sorted(folders))])
    for name, source in content.items():
        run(["mcopy", "-i", image, source, f"::{name}"])


def make_disk(image: Path, loaders: BootFiles, esp: Path, root: Path | None, work: Path) -> None:
    """Put the EFI system partition and the root file system (or none) on one GPT disk that both firmwares start.

    Partition 1 is the BIOS boot partition, 2 the EFI system partition, 3 the root.
    """
    esp_sectors = esp.stat().st_size // SECTOR
    root_sectors = root.stat().st_size // SECTOR if root else 0
    root_start = ESP_START + esp_sectors
    total = -(-(root_start + root_sectors + _GPT_TAIL) // 2048) * 2048
    with image.open("wb") as disk:
        disk.truncate(total * SECTOR)
    rows = ["label: gpt", f"first-lba: {_BIOS_START}"]
    rows += [f"start={_BIOS_START}, size={_BIOS_SECTORS}, type={_BIOS_TYPE}, name=bios"]
    rows += [f"start={ESP_START}, size={esp_sectors}, type={_ESP_TYPE}, name=esp"]
    rows += [f"start={root_start}, size={root_sectors}, type={_ROOT_TYPE}, name=root"] if root else []
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image], stdin="\n".join(rows) + "\n")
    _copy_sparse(esp, image, ESP_START * SECTOR)
    if root:
        _copy_sparse(root, image, root_start * SECTOR)
    _install_bios_grub(image, loaders, work)


def _copy_sparse(source: Path, image: Path, offset: int) -> None:
    """Copy a file into the image at `offset` bytes; its holes stay holes."""
    end = source.stat().st_size
    with source.open("rb") as src, image.open("r+b") as dst:
        position = 0
        while position < end:
            try:
                start = os.lseek(src.fileno(), position, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left
                return
            position = os.lseek(src.fileno(), start, os.SEEK_HOLE)
            src.seek(start)
            dst.seek(offset + start)
            left = position - start
            while left and (block := src.read(min(left, 1 << 20))):
                dst.write(block)
                left -= len(block)


def _install_bios_grub(image: Path, loaders: BootFiles, work: Path) -> None:
    """Write GRUB's boot sector and core image and tell each where the next one lies.

    Offsets: GRUB's include/grub/i386/pc/boot.h (GRUB_BOOT_MACHINE_KERNEL_SECTOR 0x5c, _DRIVE_CHECK 0x66) and, for the
    first sector of the core image, its last 12 bytes: struct grub_pc_bios_boot_blocklist.
    """
    core_file = work / "core.img"
    _bios_core(loaders, "i386-pc", "(,gpt2)/EFI/debian", core_file)
    core = bytearray(core_file.read_bytes())
    if len(core) > _BIOS_SECTORS * SECTOR:
        raise Failed(f"GRUB's core image of {len(core)} bytes does not fit its partition.")
    struct.pack_into("<Q", core, SECTOR - 12, _BIOS_START + 1)
    boot = bytearray((loaders.bios_grub / "boot.img").read_bytes())
    struct.pack_into("<Q", boot, 0x5C, _BIOS_START)
    boot[0x66:0x68] = b"\x90\x90"  # trust the BIOS about the drive number, as grub-install does on hard disks
    with image.open("r+b") as disk:
        disk.write(boot[:440])  # the rest of sector 0 is the disk's identity and the protective MBR
        disk.seek(_BIOS_START * SECTOR)
        disk.write(core)


def _bios_core(loaders: BootFiles, form: str, prefix: str, out: Path) -> None:
    run(["grub-mkimage", "-d", loaders.bios_grub, "-O", form, "-p", prefix, "-o", out, *_CORE_MODULES])


def make_iso(iso: Path, loaders: BootFiles, esp: Path, files: dict[str, Path], work: Path) -> None:
    """Make a DVD with two El Torito entries: GRUB's BIOS core, and `esp` as the EFI one.

    Args:
        files: path on the ISO to a file on the host. Must hold `EFI/debian/grub.cfg` for the BIOS side.
    """
    tree = work / "iso"
    for name, source in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(source.resolve())
    (tree / "boot").mkdir(exist_ok=True)
    _bios_core(loaders, "i386-pc-eltorito", "/EFI/debian", tree / "boot/eltorito.img")
    (tree / "boot/efi.img").symlink_to(esp.resolve())
    argv: list[str | Path] = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-follow-links",
        "-R",
        "-J",
        "-V",
        "KIBAN_PROBE",
        "-o",
        iso,
    ]
    argv += ["-b", "boot/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    argv += ["-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", tree]
    run(argv)
