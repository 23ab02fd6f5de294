# SPDX-License-Identifier: GPL-2.0-or-later
"""The committed option ROM is what its source builds, and is formed as a BIOS expects."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from kiban.adapters.net.rom.build import ROM, build, with_checksums
from kiban.errors import Failed, HostLacks


@pytest.mark.skipif(shutil.which("objcopy") is None, reason="binutils are not installed")
def test_committed_rom_is_what_the_source_builds() -> None:
    assert build() == ROM.read_bytes(), "run: python -m kiban.adapters.net.rom.build"


@pytest.mark.skipif(shutil.which("objcopy") is None, reason="binutils are not installed")
def test_source_that_does_not_assemble_is_reported(tmp_path: Path) -> None:
    source = tmp_path / "bad.S"
    source.write_text("nonsense %eax\n")
    with pytest.raises(Failed, match="as refused"):
        build(source)


def test_missing_binutils_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks, match="program as is not installed"):
        build()


def test_rom_header() -> None:
    rom = ROM.read_bytes()
    assert rom[:2] == b"\x55\xaa"
    assert len(rom) == rom[2] * 512
    assert sum(rom) % 256 == 0


def test_pci_data_structure_names_the_tulip() -> None:
    rom = ROM.read_bytes()
    pcir = struct.unpack_from("<H", rom, 0x18)[0]
    signature, vendor, device = struct.unpack_from("<4sHH", rom, pcir)
    assert (signature, vendor, device) == (b"PCIR", 0x1011, 0x0019)
    assert struct.unpack_from("<H", rom, pcir + 0x10)[0] * 512 == len(rom)
    assert rom[pcir + 0x15] & 0x80, "the last image of the ROM"


def test_expansion_header_has_a_boot_entry_vector() -> None:
    rom = ROM.read_bytes()
    pnp = struct.unpack_from("<H", rom, 0x1A)[0]
    assert rom[pnp : pnp + 4] == b"$PnP"
    assert sum(rom[pnp : pnp + rom[pnp + 5] * 16]) % 256 == 0
    product, bcv, bev = (struct.unpack_from("<H", rom, pnp + at)[0] for at in (0x10, 0x16, 0x1A))
    assert rom[product:].startswith(b"Legacy network adapter (PXE)\0")
    assert bcv == 0
    assert 0 < bev < len(rom)


def test_checksums_make_every_image_add_up_to_zero() -> None:
    image = bytearray(range(256)) * 2
    image[0x1A:0x1C] = (0x40).to_bytes(2, "little")
    image[0x40 + 5] = 2
    rom = with_checksums(bytes(image))
    assert sum(rom) % 256 == 0
    assert sum(rom[0x40:0x60]) % 256 == 0
