# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads osinfo-db, the XML database of operating systems that libosinfo and virt-install use.

All files are read once, at the first question: 800 of them take a fifth of a second, and only what Kiban asks for is
kept. The format is osinfo-db's own (data/schema/osinfo.rng). An administrator's additions are found where libosinfo
looks for them, and a file there replaces the distribution's file of the same name.
"""

from __future__ import annotations

import difflib
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

from kiban.adapters.osinfo import newer
from kiban.adapters.osinfo.profiles import GuestProfile, MediaRule, Resources
from kiban.errors import HostLacks, NotFound

_PACKAGE_HINT = "apt install osinfo-db"
_X86 = ("x86_64", "i686", "all")

# osinfo names devices by bus ids; these are the ones that decide which of QEMU's devices a machine gets
_DEVICES = {
    "pci/1af4/1000": "virtio-net", "pci/1af4/1041": "virtio-net", "pci/1af4/1001": "virtio-blk",
    "pci/1af4/1042": "virtio-blk", "pci/1af4/1004": "virtio-scsi", "pci/1af4/1048": "virtio-scsi",
    "pci/1af4/1002": "virtio-balloon", "pci/1af4/1045": "virtio-balloon", "pci/1af4/1003": "virtio-serial",
    "pci/1af4/1043": "virtio-serial", "pci/1af4/1005": "virtio-rng", "pci/1af4/1044": "virtio-rng",
    "pci/1af4/1050": "virtio-gpu", "pci/1af4/1052": "virtio-input", "pci/1af4/105a": "virtio-fs",
    "pci/8086/100e": "e1000", "pci/8086/10d3": "e1000e", "pci/10ec/8029": "ne2k_pci", "pci/1022/2000": "pcnet",
    "pci/1033/0194": "nec-usb-xhci", "usb/80ee/0021": "usb-tablet",
}  # fmt: skip


@dataclass(slots=True)
class _Record:
    """One <os> as it stands in its file, before what it inherits is added."""

    id: str
    text: dict[str, str]
    short_ids: list[str]
    parents: list[str]
    architectures: set[str] = field(default_factory=set)
    firmware: dict[str, bool] = field(default_factory=dict)
    resources: dict[str, Resources] | None = None  # by level: minimum, recommended
    inherits_resources: bool = False
    devices: dict[str, bool] = field(default_factory=dict)


class Database:
    """All profiles and media rules of some folders of osinfo XML; the later folder wins."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._records: dict[str, _Record] = {}
        self._ids: dict[str, str] = {}
        self.rules: list[MediaRule] = []
        for path in _files(folders):
            self._read(path)
        if not self._records:
            raise HostLacks("The database of guest systems is not installed.", _PACKAGE_HINT, code="no-osinfo-db")

    def _read(self, path: Path) -> None:
        try:
            root = ET.parse(path).getroot()  # noqa: S314  (files of the distribution or the administrator, like code)
        except (ET.ParseError, OSError):
            return  # one broken file of 800 shall not hide all the others
        for element in root.findall("os"):
            record = _record(element)
            self._records[record.id] = record
            self._ids.update({short.lower(): record.id for short in record.short_ids})
            self.rules.extend(_rules(element, record.id))

    def short_ids(self) -> list[str]:
        """Every short id, sorted; a system may have more than one."""
        return sorted(self._ids)

    def profile(self, name: str) -> GuestProfile:
        """The system of that short id (debian11, win2k22) or full id.

        One that is newer than the database is judged by the last of its line; `asked` in its profile is what it is.

        Raises:
            NotFound: with the most similar short ids as the hint.
        """
        asked = name.strip().lower()
        found = name if name in self._records else self._ids.get(asked)
        if found is None and (last := newer.stand_in(asked, self._released)):
            return replace(self._profile(self._records[self._ids[last]]), asked=asked)
        if found is None:
            raise NotFound(f"No guest system '{name[:40]}' is known.", self._hint(name), code="unknown-guest")
        return self._profile(self._records[found])

    @cached_property
    def _released(self) -> dict[str, date | None]:
        return {short: _date(self._records[full].text.get("release-date")) for short, full in self._ids.items()}

    def _hint(self, name: str) -> str:
        near = difflib.get_close_matches(name.strip().lower()[:40], self._ids, n=4, cutoff=0.6)
        if near:
            return f"Did you mean {', '.join(near)}?"
        return "Leave it out, or take the system most like it: ids are those of osinfo-query os"

    def _profile(self, record: _Record) -> GuestProfile:
        line = list(self._ancestors(record))
        text = record.text
        return GuestProfile(
            id=record.id,
            short_id=record.short_ids[0] if record.short_ids else record.id,
            name=text.get("name", record.id),
            family=text.get("family", ""),
            distro=text.get("distro", ""),
            vendor=text.get("vendor", ""),
            version=text.get("version", ""),
            status=text.get("release-status", "released"),
            released=_date(text.get("release-date")),
            eol=_date(text.get("eol-date")),
            architectures=frozenset(record.architectures),
            bios=_first(line, "bios"),
            efi=_first(line, "efi"),
            minimum=_resources(line, "minimum"),
            recommended=_resources(line, "recommended"),
            devices=_devices(line),
        )

    def _ancestors(self, record: _Record) -> Iterator[_Record]:
        """A system and all that it derives from or clones, nearest first; a circle in the data ends it."""
        queue, seen = [record.id], set[str]()
        while queue:
            current = self._records.get(queue.pop(0))
            if current is None or current.id in seen:
                continue
            seen.add(current.id)
            yield current
            queue.extend(current.parents)


@lru_cache(maxsize=1)
def database() -> Database:
    """The host's database, read once in the life of a process. Takes a fifth of a second: call it in a thread."""
    return Database(folders())


def folders() -> list[Path]:
    """Where libosinfo looks: the distribution's, the administrator's, the user's; each can be moved by its variable."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    places = (("SYSTEM", "/usr/share/osinfo"), ("LOCAL", "/etc/osinfo"), ("USER", f"{config}/osinfo"))
    return [Path(os.environ.get(f"OSINFO_{name}_DIR") or default) for name, default in places]


def profile(name: str) -> GuestProfile:
    """The guest system of that short id; NotFound with close matches otherwise, HostLacks without a database."""
    return database().profile(name)


def _files(places: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for place in places:
        for path in sorted((place / "os").glob("*/*.xml")):  # the deeper *.d folders hold drivers and install scripts
            found[path.relative_to(place)] = path
    return list(found.values())


def _record(element: ET.Element) -> _Record:
    translated = "{http://www.w3.org/XML/1998/namespace}lang"
    text = {e.tag: e.text.strip() for e in element if e.text and translated not in e.attrib}
    record = _Record(
        id=element.get("id", ""),
        text=text,
        short_ids=[e.text.strip() for e in element.findall("short-id") if e.text],
        parents=[e.get("id", "") for tag in ("derives-from", "clones") for e in element.findall(tag)],
    )
    for tag in ("media", "tree", "image", "resources", "firmware"):
        record.architectures |= {e.get("arch", "all") for e in element.findall(tag)} - {"all"}
    for e in element.findall("firmware"):
        if e.get("arch") in _X86:
            record.firmware[e.get("type", "")] = e.get("supported") != "false"
    for e in element.findall("devices/device"):
        name = _DEVICES.get("/".join(e.get("id", "").split("/")[-3:]))
        if name:
            record.devices[name] = e.get("supported") != "false"
    _read_resources(record, element)
    return record


def _read_resources(record: _Record, element: ET.Element) -> None:
    """x86_64 before all others, since that is what a machine here is unless it cannot be."""
    blocks = {e.get("arch", "all"): e for e in element.findall("resources")}
    block = next((blocks[arch] for arch in _X86 if arch in blocks), None)
    if block is None:
        return
    record.inherits_resources = block.get("inherit") == "true"
    record.resources = {
        level: Resources(*(_number(e.findtext(tag)) for tag in ("n-cpus", "ram", "storage")))
        for level in ("minimum", "recommended")
        if (e := block.find(level)) is not None
    }


def _rules(element: ET.Element, os_id: str) -> Iterator[MediaRule]:
    for media in element.findall("media"):
        for iso in media.findall("iso"):
            volume, system, publisher, application = (
                (iso.findtext(f"{tag}-id") or "").strip() for tag in ("volume", "system", "publisher", "application")
            )
            size = _number(iso.findtext("volume-size")) or 0
            if volume or system or publisher or application or size:
                live = media.get("live") == "true"
                arch = media.get("arch", "all")
                yield MediaRule(os_id, arch, live, volume, system, publisher, application, size)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdecimal() else None


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _first(line: list[_Record], firmware: str) -> bool | None:
    return next((r.firmware[firmware] for r in line if firmware in r.firmware), None)


def _resources(line: list[_Record], level: str) -> Resources:
    """Of the nearest system that says anything on resources; one that inherits has its gaps filled from further up."""
    merged = Resources()
    for record in line:
        if record.resources is None:
            continue
        own = record.resources.get(level, Resources())
        merged = Resources(merged.cpus or own.cpus, merged.memory or own.memory, merged.disk or own.disk)
        if not record.inherits_resources:
            break
    return merged


def _devices(line: list[_Record]) -> frozenset[str]:
    known: dict[str, bool] = {}
    for record in line:
        known = {**record.devices, **known}
    return frozenset(name for name, supported in known.items() if supported)
