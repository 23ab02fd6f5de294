# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the legacy NIC's option ROM from its assembler source with GNU binutils.

The built ROM is committed, so nobody needs binutils to install Kiban; a test rebuilds it and compares. After a
change of the source run `python -m kiban.adapters.net.rom.build`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from kiban.errors import Failed, HostLacks

_HERE = Path(__file__).parent
SOURCE = _HERE / "legacy_pxe.S"
ROM = _HERE / "legacy_pxe.rom"
_PNP_POINTER = 0x1A
_PNP_CHECKSUM = 9
_ROM_CHECKSUM = 6


def build(source: Path = SOURCE) -> bytes:
    """Assembles `source` and returns the ROM: whole 512-byte blocks, both checksums set.

    Raises:
        HostLacks: binutils are not installed.
        Failed: one of the tools refuses the source.
    """
    with tempfile.TemporaryDirectory() as folder:
        obj, elf, flat = (Path(folder, name) for name in ("rom.o", "rom.elf", "rom.bin"))
        _run("as", "--32", "-o", str(obj), str(source))
        _run("ld", "-m", "elf_i386", "-Ttext=0", "-o", str(elf), str(obj))
        _run("objcopy", "-O", "binary", "-j", ".text", str(elf), str(flat))
        return with_checksums(flat.read_bytes())


def with_checksums(image: bytes) -> bytes:
    """Returns `image` with its Plug and Play header, and then all of it, made to add up to 0 mod 256."""
    rom = bytearray(image)
    pnp = int.from_bytes(rom[_PNP_POINTER : _PNP_POINTER + 2], "little")
    _balance(rom, pnp + _PNP_CHECKSUM, pnp, rom[pnp + 5] * 16)
    _balance(rom, _ROM_CHECKSUM, 0, len(rom))
    return bytes(rom)


def _balance(rom: bytearray, checksum: int, start: int, length: int) -> None:
    rom[checksum] = 0
    rom[checksum] = -sum(rom[start : start + length]) & 0xFF


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        raise HostLacks(f"The program {command[0]} is not installed.", "apt install binutils") from None
    if done.returncode:
        raise Failed(f"{command[0]} refused the ROM's source: {done.stderr.strip()[:2000]}")


if __name__ == "__main__":
    ROM.write_bytes(build())
