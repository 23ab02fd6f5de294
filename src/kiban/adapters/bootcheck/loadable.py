# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a loader takes an image at all, signatures aside: the checks of EDK2's BasePeCoffLib, and those of shim.

Each function answers with a clause that says what is wrong with the image ("has …"), "" when nothing is.
"""

from __future__ import annotations

from kiban.adapters.bootcheck import pe
from kiban.adapters.bootcheck.pe import Image, Section

_DISCARDABLE, _READABLE, _NO_DATA = 0x02000000, 0x40000000, 0x80  # Section.characteristics
_DEBUG_ENTRY = 28  # bytes
_CODEVIEW = 2  # type of a debug entry


def firmware_fault(image: Image) -> str:
    """What makes EDK2 refuse to load the image (PeCoffLoaderGetImageInfo, PeCoffLoaderLoadImage, CoreLoadPeImage)."""
    for check in (_directories, _headers, _certificates, _sections_in_file, _debug, _in_memory, _relocations):
        fault = check(image)
        if fault:
            return fault
    if image.subsystem not in pe.SUBSYSTEMS:
        return f"is no EFI program (subsystem {image.subsystem})"
    return ""


def _directories(image: Image) -> str:
    if image.directory_count > 16:
        return "has more data directories than there are kinds"
    if image.option_size != (112 if image.plus else 96) + 8 * image.directory_count:
        return "has an optional header of a wrong size"
    return ""


def _headers(image: Image) -> str:
    start, count = image.section_headers, image.section_count
    if image.image_size <= start or (image.image_size - start) // 40 <= count:
        return "has more sections than fit its size in memory"
    if not start < image.headers_size < image.image_size or (image.headers_size - start) // 40 < count:
        return "has headers of a wrong size"
    return "ends within its headers" if image.headers_size > image.size else ""


def _certificates(image: Image) -> str:
    offset, size = image.certificate_table
    return "ends before its certificate table does" if size and offset + size > image.size else ""


def _sections_in_file(image: Image) -> str:
    for section in image.sections:
        if section.size and min(section.address, section.offset) < image.headers_size:
            return f"has its section {section.name} within its headers"
        if section.offset + section.size > image.size and section.size:
            return f"ends before its section {section.name} does"
    return ""


def _debug(image: Image) -> str:
    """EDK2 reads each entry; the one for symbols ends the search in firmware before 2023."""
    address, size = image.debug_directory or (0, 0)
    holder = next((one for one in image.sections if one.address <= address < one.address + one.virtual_size), None)
    if not size or holder is None:
        return ""
    offset = (address - holder.address + holder.offset) % 2**32
    if not offset or offset + -(-size // _DEBUG_ENTRY) * _DEBUG_ENTRY <= image.size:
        return ""
    found = image.read(offset, min(image.size - offset, 64 * _DEBUG_ENTRY)) if offset < image.size else b""
    kinds = [found[place + 12] for place in range(0, len(found) - _DEBUG_ENTRY + 1, _DEBUG_ENTRY)]
    return "" if _CODEVIEW in kinds else "ends before its debug directory does"


def _in_memory(image: Image) -> str:
    for section in image.sections:
        end = (section.address + section.virtual_size - 1) % 2**32
        if (section.virtual_size or section.size) and max(section.address, end) >= image.image_size:
            return f"has its section {section.name} outside of its size in memory"
    return ""


def _relocations(image: Image) -> str:
    """Blocks of relocations: where they stand, how long they are. What is in them is left to the firmware.

    A stripped image starts only where it was linked for, if the machine has that memory free; never at 0.
    """
    if image.characteristics & pe.RELOCATIONS_STRIPPED:
        return "" if image.base else "has no relocations, and was not linked for any address"
    address, size = image.relocation_table or (0, 0)
    if size and address + size > image.image_size:
        return "has relocations outside of its size in memory"
    holder = next((one for one in image.sections if one.address <= address < one.address + one.size), None)
    blocks = image.read(holder.offset, holder.size)[address - holder.address :][:size] if size and holder else b""
    place = 0
    while place + 8 <= len(blocks):
        block = int.from_bytes(blocks[place + 4 : place + 8], "little")
        if not 0 < block <= size - place:
            return "has damaged relocations"
        place += block
    return ""


def shim_fault(image: Image, *, runs_it: bool) -> str:
    """What makes shim refuse the image (read_header), and to run it itself (handle_image) where `runs_it`."""
    fault = _shim_header(image)
    return fault or (_shim_load(image) if runs_it else "")


def _shim_header(image: Image) -> str:
    if image.header_offset < 64 or not image.plus or image.file_alignment % 2:
        return "has a header that shim does not take"
    start, count = image.section_headers, image.section_count
    if image.image_size < start or (image.image_size - start) // 40 <= count:
        return "has more sections than fit its size in memory"
    if (
        image.headers_size < start
        or (image.headers_size - start) // 40 < count
        or image.image_size < image.headers_size
    ):
        return "has headers of a wrong size"
    if image.characteristics & pe.RELOCATIONS_STRIPPED:
        return "has no relocations, and shim needs them"
    offset, size = image.certificate_table
    if offset > image.size or (offset == image.size and size):
        return "ends before its certificate table"
    return _directories(image)


def _shim_load(image: Image) -> str:
    used = [one for one in image.sections if one.characteristics & _READABLE and not _is_empty(one)]
    entries = sum(one.address <= image.entry_point < one.address + one.virtual_size - 1 for one in used)
    for section in used:
        fault = _shim_section(image, section)
        if fault:
            return fault
    if image.relocation_table is None:
        return "has no place for relocations, and shim needs it"
    return "" if entries == 1 else "has an entry point that is not in one section"


def _is_empty(section: Section) -> bool:
    return bool(section.characteristics & _DISCARDABLE) and not section.virtual_size


def _shim_section(image: Image, section: Section) -> str:
    end = section.address + section.virtual_size - 1
    address, size = image.relocation_table or (0, 0)
    if section.short == ".reloc" and not (
        section.size and section.virtual_size and section.address == address and address + size - 1 <= end
    ):
        return "has relocations that are not in their section"
    if section.characteristics & _DISCARDABLE:
        return ""
    if max(section.address, end) > image.image_size:
        return f"has its section {section.name} outside of its size in memory"
    if not section.characteristics & _NO_DATA and min(section.address, section.offset) < image.headers_size:
        return f"has its section {section.name} within its headers"
    return ""
