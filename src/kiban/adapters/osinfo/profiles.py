# SPDX-License-Identifier: GPL-2.0-or-later
"""What osinfo-db says of one guest system, as frozen data without a trace of XML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Resources:
    """What a guest asks for; memory and disk in bytes, None where the database says nothing."""

    cpus: int | None = None
    memory: int | None = None
    disk: int | None = None


@dataclass(frozen=True, slots=True)
class GuestProfile:
    """One operating system.

    Attributes:
        id: osinfo's own, a URL that names and leads nowhere.
        architectures: osinfo's names (x86_64, i686, aarch64 …); empty where the database does not say.
        bios, efi: whether it starts on such firmware on x86; None where the database does not say.
        devices: QEMU's names of devices it has drivers for by itself, as far as known.
        status: released, prerelease, snapshot or rolling.
        asked: the short id of a newer system that the database does not know, for which this one stands in.
    """

    id: str
    short_id: str
    name: str
    family: str
    distro: str
    vendor: str
    version: str
    status: str
    released: date | None
    eol: date | None
    architectures: frozenset[str]
    bios: bool | None
    efi: bool | None
    minimum: Resources
    recommended: Resources
    devices: frozenset[str]
    asked: str = ""


@dataclass(frozen=True, slots=True)
class MediaRule:
    """By which marks a system's ISO is known: regular expressions that must all be found; "" matches anything.

    They are kept as text: compiling all 2,100 takes longer than reading the whole database, and few need to be.

    `volume_size` is the ISO 9660 volume's size in bytes; 0 matches any. `architecture` may be "all".
    """

    os_id: str
    architecture: str
    live: bool
    volume_id: str
    system_id: str
    publisher_id: str
    application_id: str
    volume_size: int
