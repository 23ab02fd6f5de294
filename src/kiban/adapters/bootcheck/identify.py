# SPDX-License-Identifier: GPL-2.0-or-later
"""What an EFI program is, in words: by its sections, its SBAT entries and its signer, and by strings where that fails.

A name helps people and says whose rules come next in the chain; nothing is allowed or refused by it. All of it can be
made up by whoever made the image.
"""

from __future__ import annotations

from kiban.adapters.bootcheck import authenticode, sbat
from kiban.adapters.bootcheck.pe import Image
from kiban.errors import Damaged

SHIM, GRUB, SYSTEMD_BOOT, KERNEL, UKI = "shim", "GRUB", "systemd-boot", "Linux kernel", "unified kernel image"
OTHER = "EFI program"

_COMPONENTS = {  # of SBAT
    "grub": GRUB,
    "systemd-boot": SYSTEMD_BOOT,
    "systemd-stub": UKI,
    "memtest86+": "Memtest86+",
    "ipxe": "iPXE",
    "refind": "rEFInd",
    "fwupd-efi": "fwupd",
    "linux": KERNEL,
}
_TEXTS = (
    (b"iPXE", "iPXE"),
    (b"Memtest86+", "Memtest86+"),
    (b"#### LoaderInfo: systemd-boot", SYSTEMD_BOOT),
    ("bootmgr.exe".encode("utf-16-le"), "Windows Boot Manager"),
    ("Perform MOK management".encode("utf-16-le"), "MOK manager"),
    ("BOOTX64.CSV".encode("utf-16-le"), "shim's fallback loader"),
    ("bootx64.csv".encode("utf-16-le"), "shim's fallback loader"),
    (b"Welcome to GRUB!", GRUB),
    ("rEFInd".encode("utf-16-le"), "rEFInd"),
)
_SEARCHED = 3 * 1024 * 1024  # bytes at the start of an image; loaders are smaller, and kernels are known before
_CHUNK = 256 * 1024


def kind(image: Image) -> str:
    """Its kind in words; "EFI program" when nothing tells. Reads at most 3 MiB; raises nothing."""
    try:
        return _by_sections(image) or _by_sbat(image) or _by_header(image) or _by_text(image) or OTHER
    except Damaged:
        return OTHER


def _by_sections(image: Image) -> str:
    names = {section.name for section in image.sections}
    if ".vendor_cert" in names:
        return SHIM
    return UKI if ".linux" in names else ""


def _by_header(image: Image) -> str:
    """A kernel's boot protocol (Linux, Documentation/arch/x86/boot.rst)."""
    return KERNEL if image.size > 0x206 and image.read(0x202, 4) == b"HdrS" else ""


def _by_sbat(image: Image) -> str:
    found = (_COMPONENTS.get(component, "") for component, _ in sbat.of_image(image))
    return next((name for name in found if name), "")


def _by_text(image: Image) -> str:
    if any(signer.subject == "Microsoft Windows" for signer in authenticode.signers(image)):
        return "Windows Boot Manager"
    before, seen = b"", set()
    for offset in range(0, min(image.size, _SEARCHED), _CHUNK):
        chunk = image.read(offset, min(_CHUNK, image.size - offset))
        seen |= {name for text, name in _TEXTS if text in before + chunk}
        before = chunk[-64:]
    return next((name for _, name in _TEXTS if name in seen), "")
