# SPDX-License-Identifier: GPL-2.0-or-later
"""PE images: hashes as other tools compute them, headers as EDK2 and shim take or refuse them, and what they are."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from bootcheck_images import (
    FALLBACK,
    GRUB,
    IPXE,
    KERNEL,
    MEMTEST,
    MEMTEST32,
    NETBOOT,
    SHIM,
    UNSIGNED,
    digest,
    image,
    real,
    tiny,
    tool,
)  # fmt: skip

from kiban.adapters.bootcheck import identify, loadable, pe, sbat
from kiban.errors import Damaged

PROGRAMS = (SHIM, UNSIGNED, FALLBACK, GRUB, MEMTEST, MEMTEST32, IPXE, KERNEL, NETBOOT / "bootnetx64.efi")


def patched(data: bytes, offset: int, form: str, *values: int) -> bytes:
    """A copy with other numbers at a place."""
    copy = bytearray(data)
    struct.pack_into(form, copy, offset, *values)
    return bytes(copy)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_hashes_are_those_of_pesign(path: Path, algorithm: str) -> None:
    said = tool("pesign", "-h", "-P", "-d", algorithm, "-i", str(path))
    assert said.split()[-1] == digest(real(path), algorithm).hex()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_loaders_take_real_programs(path: Path) -> None:
    parsed = image(path)
    assert loadable.firmware_fault(parsed) == ""
    if parsed.machine == pe.X64:
        assert loadable.shim_fault(parsed, runs_it=path != KERNEL) == ""


def test_what_is_behind_the_sections_counts() -> None:
    plain, more = tiny(), tiny(trailer=b"behind the sections")
    assert digest(plain) != digest(more)
    table = pe.from_bytes(plain).header_offset + 24 + 112 + 32
    signed = patched(more, table, "<II", len(plain), 16)
    assert digest(signed) != digest(more), "EDK2 leaves out as many bytes as the table has, from the end"
    assert digest(signed) == digest(patched(plain + more[len(plain) : -16], table, "<II", 0, 0))


def test_the_checksum_and_the_place_of_the_table_do_not_count() -> None:
    data = tiny()
    header = pe.from_bytes(data).header_offset
    assert digest(patched(data, header + 24 + 64, "<I", 77)) == digest(data)
    assert digest(patched(data, header + 24 + 112 + 32, "<I", 77)) == digest(data)
    assert digest(patched(data, header + 24 + 112 + 40, "<I", 77)) != digest(data)


def test_sections_are_hashed_in_the_order_of_the_file() -> None:
    data = tiny(sbat=sbat.ORIGINAL.encode())
    parsed = pe.from_bytes(data)
    first, second = parsed.section_headers, parsed.section_headers + 40
    swapped = data[:first] + data[second : second + 40] + data[first:second] + data[second + 40 :]
    ranges = pe.firmware_ranges(pe.from_bytes(swapped))
    assert ranges == pe.firmware_ranges(parsed)
    assert [offset for offset, _ in ranges] == sorted(offset for offset, _ in ranges)


def test_an_image_without_a_security_directory() -> None:
    data = tiny(directories=4)
    parsed = pe.from_bytes(data)
    assert parsed.certificate_table == (0, 0)
    assert sum(length for _, length in pe.firmware_ranges(parsed)) == len(data) - 4


def test_a_large_image_is_read_in_pieces() -> None:
    data = tiny(trailer=bytes(5 * 1024 * 1024))
    lengths = []

    def read(offset: int, length: int) -> bytes:
        lengths.append(length)
        return data[offset : offset + length]

    parsed = pe.parse(read, len(data))
    parsed.digests(pe.firmware_ranges(parsed), ("sha256", "sha512"))
    assert max(lengths) <= 1024 * 1024
    assert sum(lengths) < 1.1 * len(data), "once for all algorithms"
    read_before = len(lengths)
    parsed.digests(pe.firmware_ranges(parsed), ("sha512",))
    assert len(lengths) == read_before


def test_sections_laid_over_each_other_are_not_hashed_for_hours() -> None:
    data = tiny(extra=tuple((b".x%d" % number, bytes(512)) for number in range(10)), trailer=bytes(100_000))
    parsed = pe.from_bytes(data)
    for number in range(10):
        data = patched(data, parsed.section_headers + 40 * number + 16, "<II", 90_000, 0x400)
    overlapping = pe.from_bytes(data)
    with pytest.raises(Damaged, match="overlap"):
        overlapping.digests(pe.firmware_ranges(overlapping), ("sha256",))


@pytest.mark.parametrize("path", [SHIM, MEMTEST], ids=lambda path: path.name)
def test_truncated_images_are_refused_at_every_length(path: Path) -> None:
    data = real(path)
    for length in (0, 1, 63, 64, 300, 1000, 4096, len(data) // 2, len(data) - 1):
        try:
            cut = pe.from_bytes(data[:length])
        except Damaged:
            continue
        assert loadable.firmware_fault(cut), length


@pytest.mark.parametrize(
    ("place", "form", "values", "fault"),
    [
        (24 + 108, "<I", (17,), "more data directories"),
        (20, "<H", (248,), "optional header"),
        (24 + 56, "<I", (0x180,), "more sections than fit"),
        (24 + 60, "<I", (0x100,), "headers of a wrong size"),
        (24 + 68, "<H", (2,), "no EFI program"),
        (24 + 112 + 32, "<II", (0x400, 0x10000), "certificate table"),
        (24 + 112 + 40, "<II", (0x2000, 0x10000), "relocations outside"),
        (0x200 + 0x400 - 64 + 4, "<I", (0,), "damaged relocations"),
        (0x200 + 0x400 - 64 + 4, "<I", (13,), "damaged relocations"),
        (22, "<H", (0x23,), "not linked for any address"),
        (24 + 240 + 16, "<I", (0x10000,), "ends before its section .text"),
        (24 + 240 + 20, "<I", (0x200,), "within its headers"),
        (24 + 240 + 12, "<I", (0x100000,), "outside of its size in memory"),
    ],
)
def test_what_firmware_does_not_load(place: int, form: str, values: tuple[int, ...], fault: str) -> None:
    data = tiny()
    assert loadable.firmware_fault(pe.from_bytes(data)) == ""
    assert fault in loadable.firmware_fault(pe.from_bytes(patched(data, 64 + place, form, *values)))


def test_what_shim_does_not_load() -> None:
    data = tiny()
    assert loadable.shim_fault(pe.from_bytes(data), runs_it=True) == ""
    stripped = pe.from_bytes(patched(data, 64 + 22, "<H", 0x23))
    assert "relocations" in loadable.shim_fault(stripped, runs_it=False)
    entry = pe.from_bytes(patched(data, 64 + 24 + 16, "<I", 0x100))
    assert "entry point" in loadable.shim_fault(entry, runs_it=True)
    assert loadable.shim_fault(entry, runs_it=False) == "", "whoever asks loads it in its own way"
    assert "header" in loadable.shim_fault(pe.from_bytes(patched(data, 64 + 24 + 36, "<I", 511)), runs_it=False)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (SHIM, identify.SHIM),
        (UNSIGNED, "shim's fallback loader"),
        (Path("/usr/lib/shim/mmx64.efi"), "MOK manager"),
        (GRUB, identify.GRUB),
        (NETBOOT / "grubx64.efi", identify.GRUB),
        (NETBOOT / "bootnetx64.efi", identify.SHIM),
        (KERNEL, identify.KERNEL),
        (MEMTEST, "Memtest86+"),
        (MEMTEST32, "Memtest86+"),
        (IPXE, "iPXE"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_programs_are_recognised(path: Path, kind: str) -> None:
    assert identify.kind(image(path)) == kind


def test_made_up_programs_are_recognised_by_their_sections() -> None:
    assert identify.kind(pe.from_bytes(tiny())) == identify.OTHER
    assert identify.kind(pe.from_bytes(tiny(extra=((b".linux", b"x"),)))) == identify.UKI
    stub = b"sbat,1,SBAT Version,sbat,1,url\nsystemd-boot,1,The systemd Developers,systemd,252,url\n"
    assert identify.kind(pe.from_bytes(tiny(sbat=stub))) == identify.SYSTEMD_BOOT
    manager = pe.from_bytes(tiny(extra=((b".rsrc", "bootmgr.exe".encode("utf-16-le")),)))
    assert identify.kind(manager) == "Windows Boot Manager"


def test_long_names_of_sections_come_from_the_string_table() -> None:
    section = image(SHIM).section(".vendor_cert")
    assert section is not None
    assert section.short.startswith("/")
