# SPDX-License-Identifier: GPL-2.0-or-later
"""The client itself: one method per thing a person can ask for."""

from __future__ import annotations

import os

from kiban.client.devices import Devices
from kiban.client.dialing import own, tls, unix
from kiban.client.events import SILENCE, Events
from kiban.client.paths import opened, path_of
from kiban.client.records import (
    Audited,
    BootReport,
    ExportResult,
    Finding,
    ImportPlan,
    Job,
    Machine,
    MeasuredBoot,
    SecureBoot,
    Tpm,
    Version,
)
from kiban.client.records_capacity import Capacity
from kiban.client.records_disks import DiskCheck, DiskInfo, DiskMount
from kiban.client.records_media import Advice, MediumFile
from kiban.client.records_usage import GuestState, Past, Usage
from kiban.client.seat import Seat
from kiban.client.tokens import Ways
from kiban.client.transport import ANSWER, Transport, quote
from kiban.errors import BadInput, KibanError
from kiban.problem import from_problem

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any

    from kiban.client.transport import Answer

    Files = Sequence[str | os.PathLike[str]]
    Progress = Callable[[float, str], None]
    """Called with a fraction from 0 to 1 and a few words while a job goes on."""
else:
    Progress = object

POLL = 0.5
"""Seconds between looks at a job that somebody watches; its end is told at once all the same."""
LONG = 30.0


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    fingerprint: str | None = None,
    ca: str | None = None,
    start: bool = True,
) -> Client:
    """A client of a service. Nothing is sent before the first call.

    Args:
        url: `https://HOST:PORT` or `unix:///PATH`; KIBAN_URL, or this user's own service, where none is given.
        token: who the caller is over https; KIBAN_TOKEN where none is given.
        fingerprint: SHA-256 (hex) of the server's certificate; KIBAN_FINGERPRINT where none is given.
        ca: PEM file of the authority that signed the server's certificate; KIBAN_CA, or the system's.
        start: start this user's service when none runs; the first call raises NoService otherwise.

    Raises:
        BadInput: the URL or the fingerprint makes no sense.
    """
    url = url or os.environ.get("KIBAN_URL")
    if not url:
        return Client(own(start))
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return Client(Transport(lambda: unix(parts.path), url))
    if parts.scheme == "https" and parts.hostname and parts.path in ("", "/"):
        fingerprint = fingerprint or os.environ.get("KIBAN_FINGERPRINT") or ""
        dial = tls(parts.hostname, parts.port or 443, fingerprint, ca or os.environ.get("KIBAN_CA"))
        secret = token or os.environ.get("KIBAN_TOKEN")
        return Client(Transport(dial, url, secret, host=parts.netloc.rpartition("@")[2]), local=False)
    raise BadInput(f"{url[:200]!r} is no address of a service.", "Say https://HOST:PORT or unix:///PATH.")


class Client(Devices, Seat, Ways):
    """A service's machines. Safe to use from several threads; every call is a connection of its own.

    All methods raise the errors of `kiban.errors`, as the service's own commands do. `name` is a machine's name or id.
    A call that takes long can be stopped by Ctrl-C (KeyboardInterrupt): the service then stops the job.
    """

    def __init__(self, transport: Transport, *, local: bool = True) -> None:
        self._transport = transport
        self._local = local

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is held open between calls; `with` is there for those who expect it."""

    # machines

    def machines(self) -> list[Machine]:
        """All machines."""
        return [Machine(item) for item in self._transport.call("GET", "/v1/machines")]

    def machine(self, name: str) -> Machine:
        """One machine."""
        return Machine(self._transport.call("GET", path_of(name)))

    def create(self, name: str, *, progress: Progress | None = None, **settings: Any) -> Machine:
        """Create a machine. `settings` are those of `kiban.model.requests.MachineRequest`; sizes in bytes."""
        body = self._absolute({"name": name, **settings})
        return self._job("/v1/machines", body, progress)

    def plan_import(self, path: str | os.PathLike[str], **settings: Any) -> ImportPlan:
        """What importing the machine at a path would make. `settings` are those of `import_machine`."""
        return ImportPlan(self._transport.call("POST", "/v1/imports/plan", self._absolute({"path": path, **settings})))

    def import_machine(
        self, path: str | os.PathLike[str], *, progress: Progress | None = None, **settings: Any
    ) -> Machine:
        """Import a machine from elsewhere. `settings` are those of `kiban.model.takeover.ImportRequest`."""
        return self._job("/v1/imports", self._absolute({"path": path, **settings}), progress)

    def export_machine(
        self, name: str, path: str | os.PathLike[str], *, progress: Progress | None = None, **settings: Any
    ) -> ExportResult:
        """Export a machine that is off. `settings` are those of `kiban.model.export.ExportRequest`."""
        body = self._absolute({"path": path, **settings})
        return ExportResult(self._result(path_of(name, "export"), body, progress))

    def edit(self, name: str, **changes: Any) -> Machine:
        """Change settings: those of `kiban.model.requests.Changes`."""
        return Machine(self._transport.call("PATCH", path_of(name), self._absolute(changes)))

    def rename(self, name: str, new_name: str) -> Machine:
        """Give a machine another name; its id stays."""
        return self._post(name, "rename", {"name": new_name})

    def remove(self, name: str) -> None:
        """Remove a machine, with the disks that were made for it."""
        self._transport.call("DELETE", path_of(name))

    def discard(self, name: str) -> Machine:
        """Give the saved memory of a machine up."""
        return self._post(name, "discard")

    # their life

    def start(self, name: str, *, progress: Progress | None = None) -> Machine:
        """Start a machine, or restore a saved one."""
        return self._job(path_of(name, "start"), None, progress)

    def stop(self, name: str, *, force: bool = False, timeout: float = 60, progress: Progress | None = None) -> Machine:
        """Ask the guest to shut down and wait for it, `timeout` seconds at most; or turn the machine off (`force`)."""
        return self._job(path_of(name, "stop"), {"force": force, "timeout": timeout}, progress)

    def restart(self, name: str, *, timeout: float = 60, progress: Progress | None = None) -> Machine:
        """Shut the guest down, within `timeout` seconds, and start the machine again."""
        return self._job(path_of(name, "restart"), {"timeout": timeout}, progress)

    def save(self, name: str, *, progress: Progress | None = None) -> Machine:
        """Write the memory to disk and turn the machine off; `start` restores it."""
        return self._job(path_of(name, "save"), None, progress)

    def reset(self, name: str) -> Machine:
        """Press the reset button: the guest is not asked."""
        return self._post(name, "reset")

    def pause(self, name: str) -> Machine:
        """Stop the processors; the memory stays where it is."""
        return self._post(name, "pause")

    def resume(self, name: str) -> Machine:
        """Let a paused machine go on."""
        return self._post(name, "resume")

    # what they use

    def usages(self) -> list[Usage]:
        """What every machine that runs uses now: the newest sample of each."""
        return [Usage(item) for item in self._transport.call("GET", "/v1/usage")]

    def usage_history(self, name: str) -> list[Past]:
        """What a machine used in the last day while it ran, as far as the service has run."""
        return [Past(item) for item in self._transport.call("GET", path_of(name, "usage", "history"))]

    def usage(self, name: str) -> Usage:
        """What a machine uses, with samples of the last five minutes, as far as somebody has asked in that time."""
        return Usage(self._transport.call("GET", path_of(name, "usage")))

    def guest(self, name: str) -> GuestState:
        """The heartbeat and the addresses of a machine's guest."""
        return GuestState(self._transport.call("GET", path_of(name, "guest")))

    # disks as files; `disk` is a path, or MACHINE:DISK such as web:disk0

    def disks(self) -> list[DiskInfo]:
        """The disks of all machines with what they are made on; those that share a parent are in one."""
        return [DiskInfo(item) for item in self._transport.call("GET", "/v1/disks")]

    def disk(self, disk: str, *, format: str | None = None, folders: Sequence[str] = ()) -> DiskInfo:
        """A disk, what it is made on, what is made on it, and who uses those.

        `format` is what the end of a file's name says unless it is said; `folders` are where parents of a VHD or VHDX
        may lie, besides its own folder.
        """
        body = {"disk": disk, "format": format, "folders": list(folders)}
        return DiskInfo(self._transport.call("POST", "/v1/disks/info", self._absolute(body)))

    def create_disk(
        self,
        path: str,
        size: int | None = None,
        *,
        format: str | None = None,
        fixed: bool = False,
        parent: str | None = None,
        parent_format: str | None = None,
        progress: Progress | None = None,
    ) -> DiskInfo:
        """Make an empty disk of `size` bytes, or with a `parent` a differencing one, a qcow2."""
        body = {"path": path, "size": size, "format": format, "fixed": fixed}
        return self._disk("", {**body, "parent": parent, "parent_format": parent_format}, progress)

    def convert_disk(
        self,
        disk: str,
        path: str,
        *,
        format: str | None = None,
        to: str | None = None,
        fixed: bool = False,
        verify: bool = False,
        folders: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> DiskInfo:
        """Make one whole disk at `path`, of the format `to`, of a disk and all that it is made on."""
        body = {"disk": disk, "format": format, "path": path, "to": to, "fixed": fixed, "verify": verify}
        return self._disk("/convert", {**body, "folders": list(folders)}, progress)

    def clone_disk(
        self, disk: str, path: str, *, format: str | None = None, progress: Progress | None = None
    ) -> DiskInfo:
        """Copy a disk as it is, at once where the file system can."""
        return self._disk("/clone", {"disk": disk, "format": format, "path": path}, progress)

    def resize_disk(
        self, disk: str, size: int, *, format: str | None = None, shrink: bool = False, progress: Progress | None = None
    ) -> DiskInfo:
        """Give a disk another size in bytes; that of a running machine grows under its guest's eyes."""
        return self._disk("/resize", {"disk": disk, "format": format, "size": size, "shrink": shrink}, progress)

    def compact_disk(self, disk: str, *, format: str | None = None, progress: Progress | None = None) -> DiskInfo:
        """Give back the room of what is zero."""
        return self._disk("/compact", {"disk": disk, "format": format}, progress)

    def check_disk(self, disk: str, *, format: str | None = None, progress: Progress | None = None) -> DiskCheck:
        """Look whether an image is consistent in itself."""
        body = self._absolute({"disk": disk, "format": format})
        return DiskCheck(self._result("/v1/disks/check", body, progress))

    def merge_disk(self, disk: str, *, format: str | None = None, progress: Progress | None = None) -> DiskInfo:
        """Put a differencing disk back into its parent, and remove it; a running machine goes on with the parent."""
        return self._disk("/merge", {"disk": disk, "format": format}, progress)

    def mount_disk(
        self,
        disk: str,
        directory: str,
        *,
        format: str | None = None,
        writable: bool = False,
        folders: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> DiskMount:
        """Show a disk in a new or empty folder of the host, to be written to if `writable`; `folders` as of `disk`."""
        body = {"disk": disk, "format": format, "directory": directory, "writable": writable, "folders": list(folders)}
        return DiskMount(self._result("/v1/disks/mount", self._absolute(body), progress))

    def unmount_disk(self, directory: str, progress: Progress | None = None) -> None:
        """End that; everything that was written is in the image then."""
        self._result("/v1/disks/unmount", self._absolute({"directory": directory}), progress)

    def disk_mounts(self) -> list[DiskMount]:
        """The disks that are mounted on the host."""
        return [DiskMount(item) for item in self._transport.call("GET", "/v1/disks/mounts")]

    def _disk(self, verb: str, body: Any, progress: Progress | None) -> DiskInfo:
        return DiskInfo(self._result(f"/v1/disks{verb}", self._absolute(body), progress))

    # the library of media

    def media(self) -> list[MediumFile]:
        """The ISO and floppy images that the service keeps; a machine is given one by its `path`."""
        return [MediumFile(item) for item in self._transport.call("GET", "/v1/media")]

    def upload(self, file: str | os.PathLike[str], name: str = "", *, progress: Progress | None = None) -> MediumFile:
        """Send an image to the library, under its own name unless another is said. Ctrl-C leaves nothing of it there.

        NotFound, NotAllowed or BadInput when the file cannot be read.
        """
        name = name or os.path.basename(os.fspath(file))  # noqa: PTH119  # pathlib takes 10 ms to import
        with opened(file) as stream:
            size = os.fstat(stream.fileno()).st_size

            def sent(so_far: int) -> None:
                if progress is not None:
                    progress(so_far / size, "")

            return MediumFile(self._transport.upload(f"/v1/media/{quote(name)}", stream, size, sent))

    def remove_medium(self, name: str) -> None:
        """Remove an image from the library."""
        self._transport.call("DELETE", f"/v1/media/{quote(name)}")

    def advise(self, iso: str | os.PathLike[str]) -> Advice:
        """Which system an ISO on the service's host has, and what a machine for it should be."""
        return Advice(self._transport.call("POST", "/v1/media/advise", self._absolute({"path": iso})))

    # their TPM

    def tpm(self, name: str) -> Tpm:
        """A machine's TPM, and whether its registers are what the event log makes."""
        return Tpm(self._transport.call("GET", path_of(name, "tpm")))

    def tpm_log(self, name: str, *, source: str = "auto") -> MeasuredBoot:
        """What the present boot measured, in words; `source` is auto, agent (asked inside) or memory (read outside)."""
        return MeasuredBoot(self._transport.call("GET", path_of(name, "tpm", "log") + f"?source={quote(source)}"))

    def tpm_raw_log(self, name: str, *, source: str = "auto") -> bytes:
        """The same as the TCG defines it."""
        log = self._transport.call("GET", path_of(name, "tpm", "log", "raw") + f"?source={quote(source)}")
        return log if isinstance(log, bytes) else b""

    # their Secure Boot keys

    def secure_boot(self, name: str) -> SecureBoot:
        """Whose loaders a machine trusts, what it refuses, and how current that is."""
        return SecureBoot(self._transport.call("GET", path_of(name, "secureboot")))

    def enroll(self, name: str, *, pk: Files = (), kek: Files = (), db: Files = (), mok: Files = ()) -> SecureBoot:
        """Trust the keys in files, by where they go; a new PK takes the place of the old one. Wants the machine off."""
        return self._keys(name, "enroll", {"pk": list(pk), "kek": list(kek), "db": list(db), "mok": list(mok)})

    def revoke(self, name: str, *, files: Files = (), sha256: Sequence[str] = ()) -> SecureBoot:
        """Refuse certificates, EFI programs and hashes of such from now on. Wants the machine off."""
        return self._keys(name, "revoke", {"files": list(files), "sha256": list(sha256)})

    def reset_keys(self, name: str, template: str | None = None) -> SecureBoot:
        """Put the keys of a template anew, the machine's own by default; what was enrolled and revoked since goes."""
        return self._keys(name, "reset", {"template": template})

    def update_keys(self, name: str) -> SecureBoot:
        """Add Microsoft's authorities of 2023 and its newest revocations, unless the machine would not start then."""
        return self._keys(name, "update", None)

    def undo_keys(self, name: str) -> SecureBoot:
        """Take the last change of keys back."""
        return self._keys(name, "undo", None)

    def _keys(self, name: str, verb: str, body: Any) -> SecureBoot:
        answer = self._transport.call("POST", path_of(name, "secureboot", verb), self._absolute(body))
        return SecureBoot(answer)

    # what would boot

    def explain(self, name: str, *, template: str = "") -> BootReport:
        """What a machine would boot, and whether its firmware, or one with the keys of `template`, lets it."""
        query = f"?template={quote(template)}" if template else ""
        return BootReport(self._transport.call("GET", path_of(name, "secureboot", "explain") + query))

    def explain_path(self, path: str, *, template: str = "", format: str = "", file: str = "") -> BootReport:
        """The same of an ISO, disk image, network boot folder (`file`: its boot file) or EFI program."""
        body = {**self._absolute({"path": path}), "template": template, "format": format, "file": file}
        return BootReport(self._transport.call("POST", "/v1/secureboot/explain", body))

    def audit(self, *, progress: Progress | None = None) -> list[Audited]:
        """How all machines stand: whose loaders they trust, and what they boot now and after an update of keys."""
        return [Audited(row) for row in self._result("/v1/secureboot/audit", None, progress)]

    # the service

    def jobs(self) -> list[Job]:
        """The jobs that go on and those that are over, oldest first."""
        return [Job(item) for item in self._transport.call("GET", "/v1/jobs")]

    def job(self, job: str, *, wait: float = 0) -> Job:
        """One job, when it is over or after `wait` seconds (300 at most)."""
        return Job(self._transport.call("GET", f"/v1/jobs/{quote(job)}?wait={wait}", wait=wait))

    def cancel_job(self, job: str) -> Job:
        """Ask a job to stop; it has stopped once its state says so."""
        return Job(self._transport.call("DELETE", f"/v1/jobs/{quote(job)}"))

    def events(self, machine: str | None = None, *, patience: float = 0) -> Events:
        """What happens from now on; of one machine, if it is named.

        It ends with the service, unless that comes back within `patience` seconds: no service is started for it.
        """
        path = "/v1/events" + (f"?machine={quote(machine)}" if machine is not None else "")

        def reopen(last: str) -> Answer:
            headers = {"Last-Event-ID": last} if last else {}
            return self._transport.open("GET", path, wait=SILENCE - ANSWER, headers=headers, start=not last)

        return Events(reopen, patience)

    def doctor(self) -> list[Finding]:
        """What the host has and lacks."""
        return [Finding(item) for item in self._transport.call("GET", "/v1/doctor")]

    def capacity(self) -> Capacity:
        """How much of the host its machines have and take: processors, memory, storage."""
        return Capacity(self._transport.call("GET", "/v1/host"))

    def version(self) -> Version:
        """What answers."""
        return Version(self._transport.call("GET", "/v1/version"))

    def _result(self, path: str, body: Any, progress: Progress | None) -> Any:
        """Start a job and see it through; returns its result, or raises what it failed with."""
        step = LONG if progress is None else POLL

        def late(answer: Any) -> None:
            self._give_up(Job(answer).id)

        job = Job(self._transport.call("POST", f"{path}?wait={POLL}", body, wait=POLL, late=late))
        try:
            while job.ended is None:
                if progress is not None:
                    progress(job.progress, job.text)
                job = self.job(job.id, wait=step)
        except KibanError:
            raise
        except BaseException:  # Ctrl-C, or the caller's own progress: nobody waits for the job any more
            self._give_up(job.id)
            raise
        if job.error is not None:
            raise from_problem(job.error)
        return job.result

    def _job(self, path: str, body: Any, progress: Progress | None) -> Machine:
        """The same where the result is the machine that the job is about."""
        return Machine(self._result(path, body, progress))

    def _give_up(self, job: str) -> None:
        try:
            self.cancel_job(job)
        except KibanError:  # it is over by now, or the service is; the interrupt is what counts
            return
