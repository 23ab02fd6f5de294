# SPDX-License-Identifier: GPL-2.0-or-later
"""OVF envelopes, 1.x and 2.0: the files, disks and the one virtual system they describe.

Sources: DMTF DSP0243 1.1 and 2.1; VMware's and VirtualBox's extensions as those programs write them. The hardware items
are in `kiban.adapters.foreign.ovf_hardware`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kiban.adapters.foreign import names
from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.safexml import Element, parse
from kiban.errors import BadInput
from kiban.model.foreign import ImageKind

_SPACE = re.compile(r"http://schemas\.dmtf\.org/ovf/envelope/([12])")
_FORMATS: tuple[tuple[str, ImageKind], ...] = (
    ("vmdk", "vmdk"),
    ("vhdx", "vhdx"),
    ("vhd", "vhd"),
    ("virtualpc", "vhd"),
    ("vdi", "vdi"),
    ("qcow", "qcow2"),
)
_CAPACITY_LIMIT = 64 << 40  # the largest disk that a VHDX can be
_MANY = 10  # as many names as a sentence can list


@dataclass(frozen=True, slots=True)
class OvfDisk:
    """A disk of the envelope: `href` names its file in the package, "" for one that is made empty."""

    id: str
    href: str
    image: ImageKind
    capacity: int | None  # bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an OVF says, except for the hardware."""

    version: str
    files: dict[str, str]  # href by id
    sizes: dict[str, int]  # bytes, by href, where it is said
    disks: dict[str, OvfDisk]  # by id
    system: Element
    configuration: str  # id of the deployment option in use, or ""
    left_out: tuple[str, ...]


def read_envelope(blob: Blob) -> Envelope:
    """Parse an .ovf.

    Raises:
        BadInput: it is no OVF, describes several machines (which are named), or disks in a form that cannot be read
            in place (compressed or cut into pieces).
    """
    root = parse(blob)
    version = _SPACE.fullmatch(root.space)
    if root.name != "Envelope" or version is None:
        raise BadInput(f"{blob.name} is XML, but no OVF.", "Name the .ovf or .ova of a machine.", code="not-an-ovf")
    left: list[str] = []
    files, sizes = _files(root, blob.name)
    return Envelope(
        version=f"{version[1]}.x" if version[1] == "1" else "2.0",
        files=files,
        sizes=sizes,
        disks=_disks(root, files, blob.name),
        system=_system(root, blob.name),
        configuration=_configuration(root, left),
        left_out=tuple(left),
    )


def _files(root: Element, name: str) -> tuple[dict[str, str], dict[str, int]]:
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    references = root.first("References")
    for file in references.all("File") if references else ():
        key, href = file.attributes.get("id", ""), file.attributes.get("href", "")
        _check_href(href, name)
        if file.attributes.get("compression", "identity") not in ("", "identity") or "chunkSize" in file.attributes:
            raise BadInput(
                f"In {name}, the file {shown(href)} is compressed or cut into pieces.",
                "Write the package anew with ovftool, without compression.",
                code="ovf-compressed",
            )
        if key in files:
            raise damaged(name, f"two files have the id {shown(key)!r}")
        files[key] = href
        size = whole_number(file.attributes.get("size", ""))
        if size is not None:
            sizes[href] = size
    return files, sizes


def _check_href(href: str, name: str) -> None:
    """A file is in the package's folder, by its name alone; anything else would lead elsewhere."""
    if not href or names.file_name(href) != href or ":" in href:
        raise BadInput(
            f"{name} names the file {shown(href)!r}, which is not in its own folder.",
            "Put the package's files beside the .ovf, and correct the references.",
            code="ovf-reference",
        )


def _disks(root: Element, files: dict[str, str], name: str) -> dict[str, OvfDisk]:
    disks: dict[str, OvfDisk] = {}
    section = root.first("DiskSection")
    for disk in section.all("Disk") if section else ():
        key, reference = disk.attributes.get("diskId", ""), disk.attributes.get("fileRef", "")
        if disk.attributes.get("parentRef"):
            raise BadInput(
                f"In {name}, the disk {shown(key)} is based on another one.",
                "Export the machine with its disks merged.",
                code="ovf-parent",
            )
        if reference and reference not in files:
            raise damaged(name, f"the disk {shown(key)} refers to a file that is not listed")
        href = files.get(reference, "")
        disks[key] = OvfDisk(key, href, _image(disk.attributes.get("format", ""), href), _capacity(disk, name))
    return disks


def _image(form: str, href: str) -> ImageKind:
    """The file's extension decides; the format's URI where the extension says nothing."""
    by_name = names.image_kind(href)
    if by_name != "unknown":
        return by_name
    return next((image for word, image in _FORMATS if word in form.lower()), "unknown")


def _capacity(disk: Element, name: str) -> int | None:
    written = disk.attributes.get("capacity", "")
    number = whole_number(written)
    if number is None:
        return None  # absent, or ${a property} that a person is to fill in
    capacity = number * unit(disk.attributes.get("capacityAllocationUnits", ""), default=1)
    if capacity > _CAPACITY_LIMIT:
        raise damaged(name, f"a disk is said to have {shown(written, 40)} units, more than 64 TiB")
    return capacity


def _system(root: Element, name: str) -> Element:
    systems = [e for e in root.everything() if e.name == "VirtualSystem"]
    if not systems:
        raise BadInput(f"{name} describes no machine.", "Name the .ovf of a machine.", code="ovf-empty")
    if len(systems) > 1:
        titles = [shown(title(system)) or "(no name)" for system in systems]
        listed = ", ".join(titles[:_MANY]) + (f" and {len(titles) - _MANY} more" if len(titles) > _MANY else "")
        raise BadInput(
            f"{name} describes {len(systems)} machines: {listed}.",
            "Export each of them on its own.",
            code="several-machines",
        )
    return systems[0]


def title(system: Element) -> str:
    """The name of a virtual system, or else its id."""
    return system.words("Name") or system.attributes.get("id", "").strip()


def _configuration(root: Element, left: list[str]) -> str:
    """The deployment option in use: the one marked as default, or else the first."""
    section = root.first("DeploymentOptionSection")
    options = list(section.all("Configuration")) if section else []
    if not options:
        return ""
    chosen = next((o for o in options if o.attributes.get("default") in ("true", "1")), options[0])
    others = [shown(o.attributes.get("id", "")) for o in options if o is not chosen]
    if others:
        left.append(f"The deployment options {', '.join(others[:_MANY])}; {chosen.attributes.get('id', '')} is taken.")
    return chosen.attributes.get("id", "")


def whole_number(text: str) -> int | None:
    """A whole number of at most 20 digits, or None."""
    return int(text) if re.fullmatch(r"\s*[0-9]{1,20}\s*", text) else None


def unit(text: str, *, default: int) -> int:
    """Bytes in a unit, as DSP0004 writes it (`byte * 2^20`) or as old programs do (`MegaBytes`)."""
    plain = text.strip().lower()
    found = re.fullmatch(r"bytes?\s*\*\s*(2|10)\s*\^\s*(\d{1,2})", plain)
    if found:
        return int(int(found[1]) ** min(int(found[2]), 60))
    words = {"byte": 1, "bytes": 1, "kilobytes": 1 << 10, "megabytes": 1 << 20, "gigabytes": 1 << 30, "kb": 1 << 10}
    words |= {"mb": 1 << 20, "gb": 1 << 30, "terabytes": 1 << 40, "tb": 1 << 40}
    return words.get(plain, default)
