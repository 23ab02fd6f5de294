# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service answers with, as the caller sees it: the JSON object itself, its members also as attributes.

The annotations are for readers and type checkers; a newer service's additional members are there all the same.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import Any, ClassVar

    Fields = dict[str, Any]
else:
    Fields = dict


class Record(Fields):
    """A JSON object; `machine.name` is `machine["name"]`."""

    _parts: ClassVar[dict[str, type[Record]]] = {}
    """Members that are records, or lists of records, themselves."""

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members)
        for name, kind in self._parts.items():
            value = members.get(name)
            if isinstance(value, list):
                self[name] = [kind(item) for item in value]
            elif isinstance(value, dict):
                self[name] = kind(value)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"{type(self).__name__} has no {name!r}")


class Disk(Record):
    """A hard disk. `slot` is 0-3 on IDE, controller * 64 + unit on SCSI; `rest` is what it is still copied from."""

    id: str
    path: str
    format: str
    bus: str
    slot: int
    rest: str
    sectors: str


class Dvd(Record):
    """A DVD drive; `medium` is the path of the ISO in it, or empty."""

    id: str
    bus: str
    slot: int
    medium: str


class Forward(Record):
    """A port of the host that leads into the guest."""

    protocol: str
    host_address: str
    host_port: int
    guest_port: int


class NetBoot(Record):
    """A folder that the machine boots from over its network."""

    folder: str
    file: str
    protocol: str


class Nic(Record):
    """A network adapter."""

    id: str
    kind: str
    model: str
    mac: str
    network: str
    forwards: list[Forward]
    boot: NetBoot | None
    _parts: ClassVar = {"forwards": Forward, "boot": NetBoot}


class Com(Record):
    """A COM port."""

    number: int
    kind: str
    path: str


class BootEntry(Record):
    """An entry of the UEFI boot order, as it stands in the machine's NVRAM."""

    name: str
    device: str | None
    active: bool
    description: str


class Boot(Record):
    """How far a generation 2 machine has come: `state` is firmware, started, refused, failed, or empty for unknown.

    When it was refused or failed: the device, the words on the guest's screen, why, and what to do about it.
    """

    state: str
    device: str
    text: str
    sentence: str
    hint: str


class Machine(Record):
    """A machine as it was when asked. `memory` is in bytes, times are ISO 8601 in UTC."""

    name: str
    id: str
    generation: int
    state: str
    reason: str
    accelerator: str
    cpus: int
    memory: int
    guest: str
    firmware: str
    machine_type: str
    secure_boot: bool | None
    template: str
    pause_after_boot_failure: bool | None
    pxe_protocol: str
    tpm: bool
    disks: list[Disk]
    dvds: list[Dvd]
    floppy: str | None
    nics: list[Nic]
    coms: list[Com]
    boot_order: list[str]
    boot_entries: list[BootEntry]
    boot: Boot
    video: str
    autostart: bool
    notes: str
    pid: int | None
    started: str | None
    created: str
    directory: str
    runtime: str
    warnings: list[str]
    problem: str
    _parts: ClassVar = {
        "disks": Disk,
        "dvds": Dvd,
        "nics": Nic,
        "coms": Com,
        "boot_entries": BootEntry,
        "boot": Boot,
    }


class Problem(Record):
    """An error as a job keeps it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str


class SecureBootKey(Record):
    """An entry of a Secure Boot database: a certificate (`name`, `not_after`, its fingerprint) or a hash."""

    kind: str
    name: str
    issuer: str
    not_after: str
    sha256: str
    owner: str


class Revoked(Record):
    """What a machine refuses: hashes, those of them not in Microsoft's list (`own`), and certificates."""

    hashes: int
    own: int
    date: str
    missing: int
    certificates: list[SecureBootKey]
    least_versions: list[str]

    _parts: ClassVar = {"certificates": SecureBootKey}


class SecureBoot(Record):
    """A machine's Secure Boot keys. `authorities` is 2011-only, 2023-ready, 2023-only or none."""

    machine: str
    secure_boot: bool
    template: str
    setup_mode: bool
    pk: list[SecureBootKey]
    kek: list[SecureBootKey]
    db: list[SecureBootKey]
    dbx: Revoked
    authorities: str
    lacks: list[str]
    sbat_date: str
    sbat: dict[str, int]
    mok: list[SecureBootKey]
    mokx: list[SecureBootKey]
    shim_validation: bool
    shim_uses_db: bool
    tpm: bool
    undo: str
    notes: list[str]

    _parts: ClassVar = {
        "pk": SecureBootKey,
        "kek": SecureBootKey,
        "db": SecureBootKey,
        "dbx": Revoked,
        "mok": SecureBootKey,
        "mokx": SecureBootKey,
    }


class Job(Record):
    """A piece of long work; `state` is queued, running, done, failed, cancelled or lost, `progress` 0 to 1."""

    id: str
    command: str
    machine: str
    state: str
    progress: float
    text: str
    result: Any
    error: Problem | None
    created: str
    ended: str | None
    _parts: ClassVar = {"error": Problem}


class Event(Record):
    """Something that happened; one of the kind `gap` stands for events that were missed."""

    number: int
    time: str
    kind: str
    machine_id: str
    machine: str
    data: dict[str, Any]


class Finding(Record):
    """Something that the host has or lacks; `needed` when no machine can run without it."""

    name: str
    ok: bool
    detail: str
    hint: str
    needed: bool


class Pcr(Record):
    """A register of a TPM; `replayed` from the log and `guest` as the guest reads it, in hex, "" where not known."""

    bank: str
    number: int
    meaning: str
    replayed: str
    guest: str


class MeasuredEvent(Record):
    """A measurement; `digests` by bank in hex, `text` in words, `proven` whether that was measured."""

    number: int
    pcr: int
    type: str
    digests: dict[str, str]
    size: int
    text: str
    proven: bool | None


class MeasuredBoot(Record):
    """A measured-boot event log; `source` is agent or memory."""

    source: str
    banks: list[str]
    events: list[MeasuredEvent]
    pcrs: list[Pcr]
    unread: int
    _parts: ClassVar = {"events": MeasuredEvent, "pcrs": Pcr}


class Tpm(Record):
    """A machine's TPM; `matches` is whether the replayed log gives the guest's registers 0 to 7 (None: not known)."""

    present: bool
    version: str
    running: bool
    made: str | None
    size: int
    banks: list[str]
    source: str
    events: int
    matches: bool | None
    pcrs: list[Pcr]
    problem: str
    _parts: ClassVar = {"pcrs": Pcr}


class BootSigner(Record):
    """Who signed an image; `sha256` is the certificate's fingerprint."""

    subject: str
    issuer: str
    sha256: str
    not_after: str
    chain: list[str]


class BootStage(Record):
    """One image of the chain; `verdict` is allowed, refused or unknown, `size` in bytes."""

    device: str
    path: str
    kind: str
    loaded_by: str
    architecture: str
    size: int
    sha256: str
    signers: list[BootSigner]
    sbat: dict[str, int]
    verdict: str
    reason: str
    decided_by: str
    sentence: str
    _parts: ClassVar = {"signers": BootSigner}


class BootReport(Record):
    """What would be loaded, and whether it may."""

    verdict: str
    reason: str
    sentence: str
    hint: str
    stages: list[BootStage]
    bytes_read: int
    _parts: ClassVar = {"stages": BootStage}


class Outlook(Record):
    """What a machine would boot, in short."""

    verdict: str
    reason: str
    sentence: str


class Audited(Record):
    """How a machine stands; `action` is look, update, new-loader, mend, or empty where nothing is to be done."""

    machine: str
    generation: int
    state: str
    problem: str
    secure_boot: bool
    setup_mode: bool
    authorities: str
    dbx_date: str
    missing: int
    lacks: list[str]
    now: Outlook | None
    after: Outlook | None
    tpm: bool
    action: str
    command: str
    notes: list[str]
    _parts: ClassVar = {"now": Outlook, "after": Outlook}


class PlanRow(Record):
    """One thing: what it is there, and what it will be here."""

    what: str
    there: str
    here: str


class PlanDisk(Record):
    """A disk to take over; `size` in bytes, `files` its own and its parents'."""

    id: str
    format: str
    size: int
    files: list[str]
    lazy: bool


class PlanCheckpoint(Record):
    """A checkpoint of the tree, each after its parent; `taken` when the imported state goes on from it."""

    id: str
    name: str
    created: str
    depth: int
    taken: bool


class ImportPlan(Record):
    """What an import will make, what it leaves out, and what the guest has to know."""

    title: str
    path: str
    name: str
    generation: int
    rows: list[PlanRow]
    disks: list[PlanDisk]
    checkpoints: list[PlanCheckpoint]
    left_out: list[str]
    advice: list[str]
    _parts: ClassVar = {"rows": PlanRow, "disks": PlanDisk, "checkpoints": PlanCheckpoint}


class ExportResult(Record):
    """What an export has made; of each of `files` name, size (bytes) and sha256."""

    path: str
    kind: str
    files: list[dict[str, Any]]
    left_out: list[str]


class Version(Record):
    """What answers."""

    kiban: str
    api: str
    pid: int


class WebLink(Record):
    """A way into the web manager: `url` lets one browser in, once and within `seconds`."""

    url: str
    seconds: float
