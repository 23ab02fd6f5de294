# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers with. Members may be added in later versions; callers ignore what they do not know."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kiban.wire.base import Sent


def _path(rest: object) -> object:
    """The engine knows more of it; callers see where it is."""
    return getattr(rest, "path", rest) or ""


class Disk(Sent):
    """A hard disk."""

    id: str
    path: str
    format: str
    bus: str
    slot: int
    """On IDE 0-3; on SCSI controller * 64 + unit; on NVMe 0-7."""
    rest: Annotated[str, BeforeValidator(_path)] = ""
    """Path of the disk of which not everything has been copied yet; empty when it is whole."""
    sectors: str
    """512, 512e (512 bytes, 4096 inside) or 4k."""


class Dvd(Sent):
    """A DVD drive."""

    id: str
    bus: str
    slot: int
    medium: str
    """Path of the ISO in it, or empty."""


class Forward(Sent):
    """A port of the host that leads into the guest."""

    protocol: str
    host_address: str
    host_port: int
    guest_port: int


class NetBoot(Sent):
    """A folder that the machine boots from over its network."""

    folder: str
    file: str
    protocol: str


class Nic(Sent):
    """A network adapter."""

    id: str
    kind: str
    model: str
    mac: str
    network: str
    forwards: list[Forward]
    boot: NetBoot | None


class Com(Sent):
    """A COM port."""

    number: int
    kind: str
    path: str


class BootEntry(Sent):
    """An entry of the UEFI boot order, as it stands in the machine's NVRAM."""

    name: str
    device: str | None  # None: no device of the machine, such as the firmware's own menu
    active: bool
    description: str


class Boot(Sent):
    """How far a generation 2 machine has come since it was started or reset, as its screen tells."""

    state: str = Field(examples=["refused"])
    """firmware, started, refused (by Secure Boot) or failed; empty when it is off or that is not known."""
    device: str = Field(examples=["dvd0"])
    """The one that was refused or failed; empty when that is not known."""
    text: str
    """The decisive words on the guest's screen."""
    sentence: str
    """Why, when it was refused or failed."""
    hint: str
    """What to do about it."""


def _medium(floppy: object) -> object:
    """The engine has a drive with a medium; callers see the medium."""
    return getattr(floppy, "medium", floppy)


class Machine(Sent):
    """A machine as it is now."""

    name: str
    id: str
    generation: int
    state: str = Field(examples=["running"])
    """off, starting, running, paused, saved or stopping."""
    reason: str
    """Why it last stopped."""
    accelerator: str
    cpus: int
    memory: int
    """In bytes."""
    guest: str
    firmware: str
    """Path of the UEFI code, or bios."""
    machine_type: str
    """QEMU's versioned name of the board."""
    secure_boot: bool | None
    """null on a generation without Secure Boot."""
    template: str
    pause_after_boot_failure: bool | None
    pxe_protocol: str
    tpm: bool
    disks: list[Disk]
    dvds: list[Dvd]
    floppy: Annotated[str | None, BeforeValidator(_medium, json_schema_input_type=str | None)]
    """Path of the medium, empty for none; null on a generation without a floppy drive."""
    nics: list[Nic]
    coms: list[Com]
    boot_order: list[str]
    boot_entries: list[BootEntry]
    boot: Boot
    video: str
    autostart: bool
    notes: str
    pid: int | None
    """Of its QEMU, while it runs."""
    started: str | None
    created: str
    directory: str
    """Where its files are."""
    runtime: str
    """Where its sockets are while it runs; a COM port that leads to the machine's own socket has it there."""
    warnings: list[str]
    problem: str
    """Why the machine's definition cannot be read; all else is then unknown. Empty normally."""


class SecureBootKey(Sent):
    """An entry of a Secure Boot database: a certificate or a hash."""

    kind: str = Field(examples=["x509"])
    """x509, sha256, sha384, sha512, x509-sha256, x509-sha384, x509-sha512 or other."""
    name: str = Field(examples=["Microsoft UEFI CA 2023"])
    issuer: str
    not_after: str
    """When the certificate expires; firmware does not look at it."""
    sha256: str
    """Fingerprint of the certificate, or the hash itself."""
    owner: str
    """Who put it there: Microsoft, Kiban, shim, or a GUID."""


class Revoked(Sent):
    """What the machine refuses (dbx)."""

    hashes: int
    own: int
    """Hashes that are not in Microsoft's list."""
    date: str = Field(examples=["2026-04-09"])
    """Day of the newest of Microsoft's revocations in it; empty for none."""
    missing: int
    """Revocations of Microsoft's that Kiban knows and the machine does not."""
    certificates: list[SecureBootKey]
    least_versions: list[str] = Field(examples=[["bootmgfw.efi 9.0"]])
    """Least versions of Windows boot managers."""


class SecureBoot(Sent):
    """A machine's Secure Boot keys, as they stand in its NVRAM."""

    machine: str
    secure_boot: bool
    template: str
    """The template that the keys are of; custom for a person's own, empty without a platform key."""
    setup_mode: bool
    """Whether there is no platform key: anybody may then enroll keys, and Secure Boot is off."""
    pk: list[SecureBootKey]
    kek: list[SecureBootKey]
    db: list[SecureBootKey]
    dbx: Revoked
    authorities: str = Field(examples=["2023-ready"])
    """Microsoft's authorities in db: 2011-only, 2023-ready, 2023-only or none."""
    lacks: list[str]
    """What an update would add."""
    sbat_date: str
    sbat: dict[str, int]
    """Least generations that shim lets pass, by component."""
    mok: list[SecureBootKey]
    mokx: list[SecureBootKey]
    shim_validation: bool
    """False when the owner has switched shim's checks off."""
    shim_uses_db: bool
    """False when the owner had shim trust its own list only."""
    tpm: bool
    undo: str
    """The change of keys that can be taken back; empty for none."""
    notes: list[str]
    """What there is to say about what has just been done."""


class Problem(Sent):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:kiban:error:conflict"])
    """The class of the error."""
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["Cannot start web: it is running."])
    code: str = Field(examples=["is-running"])
    """The case, for programs."""
    hint: str = Field(examples=["Stop it first: kiban stop web"])
    """What to do instead; may be empty."""


class Job(Sent):
    """A piece of long work."""

    id: str = Field(examples=["7d2c4f0a9b1e6358"])
    command: str = Field(examples=["life.start"])
    machine: str = Field(examples=["web"])
    """Name of the machine it is about, or empty."""
    state: Literal["queued", "running", "done", "failed", "cancelled", "lost"]
    progress: float
    """From 0 to 1."""
    text: str
    """What it is doing."""
    result: Any
    """What came of it: the machine, for jobs on a machine."""
    error: Problem | None
    """Why it is not done, once it is over."""
    created: str
    ended: str | None


class Event(Sent):
    """Something that happened. One of the kind `gap` stands for events that this listener missed."""

    number: int
    """Counts up, from 1 in each run of the service."""
    time: str
    kind: str = Field(examples=["job.ended"])
    machine_id: str
    machine: str
    data: dict[str, Any]


class Finding(Sent):
    """Something that the host has or lacks."""

    name: str
    ok: bool
    detail: str
    hint: str
    needed: bool
    """Whether Kiban cannot run machines without it."""


class Pcr(Sent):
    """A register of a TPM; values in hex, empty where they are not known."""

    bank: str = Field(examples=["sha256"])
    number: int
    meaning: str
    """What is measured into it."""
    replayed: str
    """What the event log makes of it."""
    guest: str
    """What the guest reads in it, by its agent's word."""


class MeasuredEvent(Sent):
    """A measurement."""

    number: int
    pcr: int
    type: str = Field(examples=["EV_EFI_VARIABLE_AUTHORITY"])
    """Its name in the TCG's specification."""
    digests: dict[str, str]
    """By bank, in hex."""
    size: int
    """Bytes that say what was measured."""
    text: str
    """The event in words."""
    proven: bool | None
    """Whether the words are of what was measured; null where the digest is of a file or a program."""


class MeasuredBoot(Sent):
    """A measured-boot event log. Either source is the guest's word; equal registers make it true."""

    source: Literal["agent", "memory"]
    banks: list[str]
    events: list[MeasuredEvent]
    pcrs: list[Pcr]
    unread: int
    """Bytes at its end that are no event."""


class Tpm(Sent):
    """A machine's TPM."""

    present: bool
    version: str = Field(examples=["2.0"])
    running: bool
    made: str | None
    """When its state was made."""
    size: int
    """Of its state, in bytes."""
    banks: list[str]
    source: str
    """Where the event log was read: agent, memory, or empty."""
    events: int
    matches: bool | None
    """Whether the replayed log gives the registers 0 to 7 that the guest reads; null where that is not known."""
    pcrs: list[Pcr]
    problem: str
    """Why something is not known; empty normally."""


class Version(Sent):
    """What answers."""

    kiban: str
    api: str = Field(examples=["v1"])
    pid: int


class WebLink(Sent):
    """A way into the web manager."""

    url: str
    """Lets one browser in, once."""
    seconds: float
    """How long it does."""
