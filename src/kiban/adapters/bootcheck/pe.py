# SPDX-License-Identifier: GPL-2.0-or-later
"""PE images as EFI programs carry them: headers, sections, the certificate table's place, the Authenticode hash.

Sources: Microsoft's "PE Format", its "Windows Authenticode Portable Executable Signature Format", and where those
leave room, what EDK2 does (BasePeCoffLib, DxeImageVerificationLib's HashPeImage). Reads only what it must, through a
callable, so that the image may lie in a file, in a FAT on an ISO, or in memory.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kiban.errors import Damaged

Read = Callable[[int, int], bytes]
"""`read(offset, length)`: exactly `length` bytes, or kiban.errors.Damaged."""

Range = tuple[int, int]
"""Offset and length in the file, in bytes."""

X64, I386, EBC, ARM64 = 0x8664, 0x14C, 0xEBC, 0xAA64
MACHINES = {
    X64: "x86-64",
    I386: "i386",
    ARM64: "arm64",
    EBC: "EFI byte code",
    0x1C0: "arm",
    0x1C2: "arm",
    0x1C4: "arm",
    0x200: "ia64",
    0x5032: "riscv32",
    0x5064: "riscv64",
    0x6264: "loongarch64",
}
APPLICATION = 10
SUBSYSTEMS = {APPLICATION: "EFI application", 11: "EFI boot service driver", 12: "EFI runtime driver"}

RELOCATIONS_STRIPPED = 0x0001  # FileHeader.Characteristics
_SECURITY, _RELOCATIONS, _DEBUG = 4, 5, 6  # numbers of data directories
_NT_HEADERS64 = 264  # bytes; EDK2 reads as many whatever the kind
_CHUNK = 1024 * 1024
_STRINGS = 1024 * 1024  # bytes read of a string table
LARGEST = 4 * 1024**3 - 1  # offsets in a PE image are 32 bits wide


@dataclass(frozen=True, slots=True)
class Section:
    """One section. `offset` and `size` are its place in the file, `address` and `virtual_size` that in memory.

    `name` may come from the image's string table; `short` is what the header itself has, all that loaders look at.
    """

    name: str
    short: str
    address: int
    virtual_size: int
    offset: int
    size: int
    relocations: bool
    characteristics: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """What the headers say, believed in nothing yet: `firmware_rule` and `shim_rule` judge it, each in its own way.

    Sizes and offsets are bytes. `directories` are (address, size); the security directory's address is a file offset.
    """

    read: Read = field(repr=False)
    size: int
    header_offset: int
    machine: int
    plus: bool  # PE32+
    characteristics: int
    option_size: int  # SizeOfOptionalHeader
    directory_count: int  # NumberOfRvaAndSizes as it stands, up to 2^32-1
    directories: tuple[Range, ...]
    entry_point: int
    base: int  # the address it was linked for
    section_alignment: int
    file_alignment: int
    image_size: int
    headers_size: int
    subsystem: int
    section_count: int
    sections: tuple[Section, ...]
    _digests: dict[tuple[tuple[Range, ...], bytes, str], bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def architecture(self) -> str:
        """The processor it is for, in words."""
        return MACHINES.get(self.machine, f"machine type {self.machine:#06x}")

    @property
    def section_headers(self) -> int:
        """Where the first section header stands in the file."""
        return self.header_offset + 24 + self.option_size

    @property
    def certificate_table(self) -> Range:
        """Offset and size of the attribute certificate table; size 0 means that the image is not signed."""
        return self.directories[_SECURITY] if len(self.directories) > _SECURITY else (0, 0)

    @property
    def relocation_table(self) -> Range | None:
        """Address and size of the base relocations, None without that directory."""
        return self.directories[_RELOCATIONS] if len(self.directories) > _RELOCATIONS else None

    @property
    def debug_directory(self) -> Range | None:
        """Address and size of the debug directory, None without it."""
        return self.directories[_DEBUG] if len(self.directories) > _DEBUG else None

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def content(self, section: Section, limit: int) -> bytes:
        """What the file has of a section, without the padding, at most `limit` bytes. Damaged beyond the file's end."""
        length = min(section.virtual_size or section.size, section.size)
        return self.read(section.offset, min(length, limit))

    def digests(self, ranges: Sequence[Range], algorithms: Iterable[str], tail: bytes = b"") -> dict[str, bytes]:
        """Hashes of those ranges of the file followed by `tail`, in one pass. Algorithms are hashlib's names.

        Raises Damaged for what reaches beyond the file, or is more than twice as long: sections laid over each
        other, which no linker does and which would keep us hashing for hours.
        """
        wanted = [name for name in algorithms if (tuple(ranges), tail, name) not in self._digests]
        if wanted:
            found = self._hash(ranges, wanted, tail)
            self._digests.update({(tuple(ranges), tail, name): value for name, value in found.items()})
        return {name: self._digests[tuple(ranges), tail, name] for name in algorithms}

    def _hash(self, ranges: Sequence[Range], algorithms: Sequence[str], tail: bytes) -> dict[str, bytes]:
        if sum(length for _, length in ranges) > 2 * self.size:
            raise Damaged("The image's sections overlap.", code="damaged-image")
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        for offset, length in ranges:
            for start in range(offset, offset + length, _CHUNK):
                chunk = self.read(start, min(_CHUNK, offset + length - start))
                for running in hashes.values():
                    running.update(chunk)
        for running in hashes.values():
            running.update(tail)
        return {name: running.digest() for name, running in hashes.items()}


def from_bytes(data: bytes) -> Image:
    """Parse an image that is in memory."""

    def read(offset: int, length: int) -> bytes:
        chunk = data[offset : offset + length]
        if len(chunk) != length:
            raise Damaged("The image ends too early.", code="damaged-image")
        return chunk

    return parse(read, len(data))


def parse(read: Read, size: int) -> Image:
    """Read the headers of an image of `size` bytes; Damaged when it is none, or is cut off within them."""
    if not 64 <= size <= LARGEST:
        raise _not_pe(f"it has {size} bytes")
    start = read(0, 64)
    offset = struct.unpack_from("<I", start, 60)[0] if start[:2] == b"MZ" else 0
    if offset + _NT_HEADERS64 > size:
        raise _not_pe("its PE header would be beyond its end")
    head = read(offset, _NT_HEADERS64)
    machine, count, _, symbols, symbol_count, option_size, characteristics = struct.unpack_from("<HHIIIHH", head, 4)
    magic = struct.unpack_from("<H", head, 24)[0]
    if head[:4] != b"PE\0\0" or magic not in (0x10B, 0x20B):
        raise _not_pe("it has no PE header")
    plus = magic == 0x20B
    directory_count = struct.unpack_from("<I", head, 24 + (108 if plus else 92))[0]
    first = 24 + (112 if plus else 96)
    numbers = struct.unpack_from("<IIIIII", head, 24 + 56)  # SizeOfImage … ; the same place in both kinds
    return Image(
        read=read,
        size=size,
        header_offset=offset,
        machine=machine,
        plus=plus,
        characteristics=characteristics,
        option_size=option_size,
        directory_count=directory_count,
        directories=tuple(
            struct.unpack_from("<II", head, first + 8 * number) for number in range(min(directory_count, 16))
        ),
        entry_point=struct.unpack_from("<I", head, 24 + 16)[0],
        base=struct.unpack_from("<Q" if plus else "<I", head, 24 + (24 if plus else 28))[0],
        section_alignment=struct.unpack_from("<I", head, 24 + 32)[0],
        file_alignment=struct.unpack_from("<I", head, 24 + 36)[0],
        image_size=numbers[0],
        headers_size=numbers[1],
        subsystem=struct.unpack_from("<H", head, 24 + 68)[0],
        section_count=count,
        sections=_sections(read, size, offset + 24 + option_size, count, symbols + 18 * symbol_count),
    )


def is_application(read: Read, size: int) -> bool:
    """Whether EDK2's boot manager takes a file for a program at all; it passes over others as if they were not there.

    It looks at a few fields of the headers only (BmIsLoadOptionPeHeaderValid), and before any signature is looked at.
    """
    start = read(0, 64) if size >= 64 else b""
    offset = int.from_bytes(start[60:64], "little")
    if start[:2] != b"MZ" or offset + _NT_HEADERS64 > size:
        return False
    head = read(offset, 24 + 70)
    magic, subsystem = (int.from_bytes(head[24 + place : 24 + place + 2], "little") for place in (0, 68))
    return head[:4] == b"PE\0\0" and magic in (0x10B, 0x20B) and subsystem == APPLICATION


def _not_pe(why: str) -> Damaged:
    return Damaged(f"It is not an EFI program: {why}.", code="damaged-image")


def _sections(read: Read, size: int, offset: int, count: int, strings: int) -> tuple[Section, ...]:
    if offset + 40 * count > size:
        raise _not_pe("its section table would be beyond its end")
    table = read(offset, 40 * count)
    long_names = any(table[place] == ord("/") for place in range(0, len(table), 40))
    names = read(strings, min(size - strings, _STRINGS)) if long_names and strings < size else b""
    return tuple(_section(table[place : place + 40], names) for place in range(0, len(table), 40))


def _section(header: bytes, names: bytes) -> Section:
    virtual, address, size, offset, relocations, _, count, _, characteristics = struct.unpack_from(
        "<IIIIIIHHI", header, 8
    )
    short = header[:8].rstrip(b"\0")
    name = short
    if short[:1] == b"/" and short[1:].isdigit():
        name = names[int(short[1:]) :].split(b"\0", 1)[0][:64] or short
    return Section(
        name=name.decode("latin-1"),
        short=short.decode("latin-1"),
        address=address,
        virtual_size=virtual,
        offset=offset,
        size=size,
        relocations=bool(relocations or count),
        characteristics=characteristics,
    )


def header_ranges(image: Image) -> list[Range]:
    """The headers as they are hashed: without the checksum and without the certificate table's directory entry."""
    checksum = image.header_offset + 24 + 64
    entry = image.header_offset + 24 + (112 if image.plus else 96) + 8 * _SECURITY
    if len(image.directories) <= _SECURITY:
        return [(0, checksum), (checksum + 4, image.headers_size - checksum - 4)]
    return [(0, checksum), (checksum + 4, entry - checksum - 4), (entry + 8, image.headers_size - entry - 8)]


def section_ranges(image: Image) -> list[Range]:
    """The sections that have bytes in the file, in the order of their place there."""
    return sorted(
        ((section.offset, section.size) for section in image.sections if section.size), key=lambda place: place[0]
    )


def firmware_ranges(image: Image) -> list[Range]:
    """What EDK2 hashes (HashPeImage): headers, sections, and what follows their *sum of sizes*, less the table's size.

    So the certificates are left out by their size, wherever they are. Raises Damaged where EDK2 fails to hash.
    """
    ranges = header_ranges(image) + section_ranges(image)
    done = image.headers_size + sum(length for _, length in section_ranges(image))
    rest = image.size - done - image.certificate_table[1]
    if image.size > done and rest < 0:
        raise Damaged("The certificate table reaches into the sections.", code="damaged-image")
    if image.size > done and rest > 0:
        ranges.append((done, rest))
    return [(offset, length) for offset, length in ranges if length > 0]
