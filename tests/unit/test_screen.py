# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the firmware's words off its screen: real pictures, drawn ones, and what is no such picture at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from screens import drawn, real

from kiban.adapters.screen.text import Text, read
from kiban.adapters.screen.words import Words, understand
from kiban.errors import Damaged

SIZES = ((1280, 800), (1024, 768), (800, 600), (640, 480), (1920, 1080))
MARKS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=30, max_size=70)


@pytest.mark.parametrize(
    ("screen", "stage", "entry", "title", "words"),
    [
        ("refused-dvd", "refused", "Boot0000", "DVD dvd0", 'failed to load Boot0000 "DVD dvd0": Access Denied'),
        (
            "refused-pxe",
            "refused",
            "Boot0000",
            "PXE IPv4 nic0",
            'failed to load Boot0000 "PXE IPv4 nic0": Access Denied',
        ),
        ("shim-refuses", "refused", "", "", "Verification failed: (0x1A) Security Violation"),
        ("nothing", "failed", "", "", "No bootable option or device was found"),
        ("menu", "menu", "", "", "the firmware waits in its menu"),
        ("pxe-goes-on", "firmware", "", "", ""),
        ("grub", "loader", "Boot0000", "PXE IPv4 nic0", ""),
        ("grub-prompt", "loader", "", "", ""),
        ("memtest", "dark", "", "", ""),
        ("logo", "dark", "", "", ""),
    ],
)
def test_what_a_real_screen_says(screen: str, stage: str, entry: str, title: str, words: str) -> None:
    seen = understand(read(real(screen)))
    assert (seen.stage, seen.entry, seen.title, seen.words) == (stage, entry, title, words)
    assert seen.size == ((640, 480) if screen in ("memtest", "menu") else (1280, 800))


def test_a_real_screen_is_read_exactly() -> None:
    assert read(real("refused-pxe")).lines[:9] == (
        ">>Start PXE over IPv4.",
        "  Station IP address is 10.0.2.15",
        "  Server IP address is 10.0.2.2",
        "  NBP filename is snponly.efi",
        "  NBP filesize is 173792 Bytes",
        " Downloading NBP file...",
        "  NBP file downloaded successfully.",
        'BdsDxe: loading Boot0000 "PXE IPv4 nic0" from PciRoot(0x0)/Pci(0x3,0x0)/Pci(0x0,0x0)/MAC(525400BC771C,0x1)'
        "/IPv4(0.0.0.0,0x0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)",
        'BdsDxe: failed to load Boot0000 "PXE IPv4 nic0" from PciRoot(0x0)/Pci(0x3,0x0)/Pci(0x0,0x0)'
        "/MAC(525400BC771C,0x1)/IPv4(0.0.0.0,0x0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)",
    )


@given(line=MARKS, size=st.sampled_from(SIZES), small=st.booleans(), inverse=st.booleans())
@settings(max_examples=20, deadline=None)
def test_what_is_drawn_is_read(line: str, size: tuple[int, int], small: bool, inverse: bool) -> None:
    colours = {"ink": b"\x00\x00\xaa", "paper": b"\xff\xff\x00"} if inverse else {}
    line += "letters"  # marks alone are not taken for text: parts of other pictures look like them
    picture = drawn(["", line], size=size, grid=(80, 25) if small else (0, 0), **colours)
    assert [found.strip() for found in read(picture).lines] == [line]


@given(st.binary(max_size=400))
@example(b"P6\n1 1\n255\n\0\0\0")
@example(b"P6\n99999999 99999999\n255\n")
@example(b"P6\n-1 -1\n255\n\0\0\0")
@example(b"P6 255 255 255 ")
def test_no_picture_is_either_read_or_damaged(data: bytes) -> None:
    with contextlib.suppress(Damaged):
        assert isinstance(read(data), Text)


def said(*lines: str) -> Words:
    return understand(Text(1280, 800, tuple(line.ljust(160) for line in lines)))


STARTING = 'BdsDxe: starting Boot0001 "Disk disk0" from PciRoot(0x0)/Scsi(0x0,0x0)'


def test_who_speaks_last_counts() -> None:
    assert said(STARTING).stage == "handed"
    complaint = "Could not set MokListRT: Security Violation"
    assert said(STARTING, complaint).stage == "refused"
    assert said(STARTING, complaint, "EFI stub: Loaded initrd").stage == "loader"
    shimmed = "error: ../../grub-core/kern/efi/sb.c:183:bad shim signature."
    refused = said(STARTING, "Welcome to GRUB!", shimmed, "error: you need to load the kernel first.")
    assert (refused.stage, refused.entry, refused.words) == ("refused", "Boot0001", shimmed)


def test_a_later_entry_that_starts_outweighs_a_refusal() -> None:
    denied = 'BdsDxe: failed to load Boot0000 "DVD dvd0" from PciRoot(0x0)/Scsi(0x1,0x0): Access Denied'
    assert said(denied).stage == "refused"
    assert said(denied, STARTING).stage == "handed"


def test_the_firmwares_own_shell_is_no_medium() -> None:
    shell = 'BdsDxe: failed to start Boot0003 "EFI Internal Shell" from Fv(7CB8)/FvFile(7C04): Security Violation'
    assert said(shell).stage == "firmware"
    assert said(shell, "BdsDxe: No bootable option or device was found.").stage == "failed"


@pytest.mark.parametrize("status", ["Not Found", "Time out", "Unsupported", "Load Error"])
def test_other_failures_are_no_refusals(status: str) -> None:
    failed = f'BdsDxe: failed to load Boot0001 "PXE IPv4 nic0" from PciRoot(0x0)/IPv6(0000:0000): {status}'
    assert said(failed).stage == "firmware"
    given_up = said(failed, "BdsDxe: No bootable option or device was found.")
    assert (given_up.stage, given_up.words) == ("failed", f'failed to load Boot0001 "PXE IPv4 nic0": {status}')


def test_the_address_of_an_http_boot_is_not_told() -> None:
    path = "Uri(http://10.0.2.2:35309/e66d34ccf85b7f55e581443d3215cc4a/boot.efi)"
    denied = said(f'BdsDxe: failed to load Boot0000 "HTTP nic0" from PciRoot(0x0)/{path}: Access Denied')
    assert denied.words == 'failed to load Boot0000 "HTTP nic0": Access Denied'
