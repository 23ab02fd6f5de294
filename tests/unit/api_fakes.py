# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with a real socket, real jobs and the real client, on commands that only remember what they were asked.

The permissions and the names are those of the real registry, so a command that changes there changes here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from starlette.types import ASGIApp

from kiban.adapters.disk.changing import Check
from kiban.api.server import Listening, serve
from kiban.api.web import Link
from kiban.commands.registry import COMMANDS, Command
from kiban.engine.advising import Advice, Suggestion
from kiban.engine.audit import Audited, Outlook
from kiban.engine.capacity import Capacity, FileSystem, Given, Holding
from kiban.engine.checkup import Finding
from kiban.engine.diskview import DiskView, LinkView, Use
from kiban.engine.events import Bus
from kiban.engine.host import Host
from kiban.engine.jobs import Jobs
from kiban.engine.keyview import Key, KeysView, Revoked
from kiban.engine.media import MediumView
from kiban.engine.mounts import MountView
from kiban.engine.tokens import Caller, TokenView
from kiban.engine.tpmlog import MeasuredBoot, MeasuredEvent, Pcr, TpmView
from kiban.engine.view import MachineView
from kiban.errors import Conflict, NotFound
from kiban.model.bootcheck import Report, Signer, Stage
from kiban.model.export import Exported, ExportedFile
from kiban.model.foreign import ForeignDisk, Place
from kiban.model.machine import Com, Disk, Dvd, Floppy, Forward, NetBoot, Nic
from kiban.model.outcome import Boot
from kiban.model.takeover import CheckpointRow, DiskFacts, Plan, PlannedDisk, Row
from kiban.model.usage import GuestState, Past, Sample, Usage
from kiban.paths import Paths

PNG = b"\x89PNG\r\n\x1a\n rest of a picture"
UNSEEN = "not for callers"

VIEW = MachineView(
    name="web",
    id="9f2c1f3a-0000-4000-8000-000000000001",
    generation=2,
    state="running",
    reason="",
    accelerator="tcg",
    cpus=2,
    memory=2**31,
    guest="debian12",
    firmware="/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    machine_type="pc-q35-7.2",
    secure_boot=True,
    template="microsoft-uefi-ca",
    pause_after_boot_failure=False,
    pxe_protocol="ipv4",
    tpm=False,
    disks=(Disk(id="disk0", path="disk0.qcow2", format="qcow2", bus="scsi", slot=0, owned=True),),
    dvds=(Dvd(id="dvd0", bus="scsi", slot=1, medium=""),),
    floppy=Floppy(medium="/a.img"),
    nics=(
        Nic(
            id="nic0",
            kind="synthetic",
            model="virtio",
            slot=0,
            mac="52:54:00:00:00:01",
            network="nat",
            forwards=(Forward(protocol="tcp", host_address="127.0.0.1", host_port=2222, guest_port=22),),
            boot=NetBoot(folder="/srv", file="shimx64.efi", protocol="tftp", port=0, secret=UNSEEN),
        ),
    ),
    coms=(Com(number=1, kind="socket", path=""),),
    boot_order=("disk0", "nic0"),
    boot_entries=({"name": "Boot0001", "device": "disk0", "active": True, "description": "Disk"},),
    boot=Boot(state="started"),
    video="synthetic",
    autostart=False,
    notes="",
    pid=4711,
    started="2026-01-01T00:00:00.000+00:00",
    created="2026-01-01T00:00:00.000+00:00",
    directory="/var/lib/kiban/machines/9f2c1f3a",
    runtime="/run/kiban/m/9f2c1f3a",
    warnings=("It is only a picture.",),
    problem="",
)


KEY = Key(kind="x509", name="own PK", issuer="own PK", not_after="2036-01-01", sha256="ab" * 32, owner="Kiban")
KEYS = KeysView(
    machine="web",
    secure_boot=True,
    template="custom",
    setup_mode=False,
    pk=(KEY,),
    kek=(),
    db=(),
    dbx=Revoked(hashes=443, own=0, date="2026-04-09", missing=0, certificates=(KEY,), least_versions=()),
    authorities="none",
    lacks=(),
    sbat_date="2024-01-09",
    sbat={"shim": 4},
    mok=(),
    mokx=(),
    shim_validation=True,
    shim_uses_db=True,
    tpm=False,
    undo="",
    notes=("Said.",),
)


class FakePort:
    """A COM port whose guest says `ready` to whoever comes and everything twice, and hangs up at Ctrl-D.

    `flood` says so much more that nobody reads it all; while `deaf`, it takes nothing.
    """

    last: FakePort

    def __init__(self) -> None:
        FakePort.last = self
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.said.put_nowait(b"ready\r\n")
        self.taken, self.flood, self.closed = 0, False, False
        self.listens = asyncio.Event()
        self.listens.set()

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        data = b"x" * 16384 if self.flood else await self.said.get()
        self.taken += len(data)
        return data

    async def write(self, data: bytes) -> None:
        await self.listens.wait()
        self.said.put_nowait(data.partition(b"\x04")[0] * 2)
        if b"\x04" in data:
            self.said.put_nowait(b"")

    def close(self) -> None:
        self.closed = True


class FakeHost:
    """What the API takes from a host."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.events = Bus()
        self.jobs = Jobs(paths.database, self.events)
        self.calls: list[tuple[Any, ...]] = []
        self.failure: BaseException | None = None
        self.gate: asyncio.Event | None = None
        self.progress: list[tuple[float, str]] = []

    def find(self, name: str) -> MachineView:
        if name not in (VIEW.name, VIEW.id):
            raise NotFound(f"There is no machine {name!r}.", "See all: kiban ls", code="no-such-machine")
        return VIEW


def _fake(command: Command) -> Command:
    async def function(host: FakeHost, *arguments: Any, **options: Any) -> Any:
        progress = options.pop("progress", None)
        assert (progress is not None) == command.job, "a job command takes a progress, and no other"
        host.calls.append((command.name, *arguments, *options.values()))
        if progress is not None:
            for fraction, text in host.progress:
                progress(fraction, text)
        if host.gate is not None:
            await host.gate.wait()
        if host.failure is not None:
            raise host.failure
        return _RESULTS.get(command.name, lambda: VIEW)()

    return replace(command, function=function)


LINK = LinkView(
    path="/a.qcow2",
    format="qcow2",
    kind="differencing",
    virtual_size=2**30,
    actual_size=2**20,
    logical_sector=512,
    physical_sector=4096,
    dirty=False,
    snapshots=0,
    parent="/base.qcow2",
    uses=(Use(machine="web", disk="disk0", state="off", writes=True),),
)
MOUNT = MountView(disk="web:disk0", directory="/mnt/web", view="raw", writable=True)
CAPACITY = Capacity(
    processors=2,
    memory=8,
    memory_available=4,
    all=Given(machines=3, cpus=4, memory=6),
    running=Given(machines=1, cpus=1, memory=2),
    file_systems=(FileSystem(path="/", size=100, free=50, machines=20, images=10, library=5, growth=60),),
    holdings=(Holding(name="web", id="1", disks=15, saved=4, other=1, provisioned=75, growth=60, users=()),),
)
DISK = DiskView(path="/a.qcow2", links=(LINK,), problem="")
PCR = Pcr(bank="sha256", number=7, meaning="Secure Boot", replayed="ab" * 32, guest="")
EVENT = MeasuredEvent(
    number=1, pcr=7, type="EV_SEPARATOR", digests={"sha256": "cd" * 32}, size=4, text="It ends.", proven=True
)
BOOT = MeasuredBoot(source="memory", banks=("sha256",), events=(EVENT,), pcrs=(PCR,), unread=0)
TPM = TpmView(
    present=True,
    version="2.0",
    running=True,
    made="2026-01-01T00:00:00+00:00",
    size=4000,
    banks=("sha256",),
    source="memory",
    events=1,
    matches=None,
    pcrs=(PCR,),
    problem="",
)
GUEST = GuestState(heartbeat="ok", addresses=("10.0.2.15",))
SAMPLE = Sample(
    time="2026-01-01T00:00:00.000+00:00",
    cpu=12.5,
    memory=2**28,
    disk_read=4096.0,
    disk_written=0.0,
    disk_reads=1.0,
    disk_writes=0.0,
    net_received=None,
    net_sent=None,
)
USAGE = Usage(machine="web", id=VIEW.id, state="running", cpus=2, memory=2**31, guest=GUEST, samples=(SAMPLE, SAMPLE))
SIGNER = Signer(subject="A", issuer="B", sha256="ab" * 32, not_after="2030-01-01T00:00:00+00:00", chain=("A", "B"))
STAGE = Stage(
    device="dvd0",
    path="\\EFI\\BOOT\\BOOTX64.EFI",
    kind="shim",
    loaded_by="firmware",
    architecture="x86-64",
    size=900000,
    sha256="cd" * 32,
    signers=(SIGNER,),
    sbat=(("sbat", 1), ("shim", 4)),
    verdict="refused",
    reason="signer-not-trusted",
    decided_by="",
    sentence="It is signed by A.",
)
REPORT = Report(
    verdict="refused", reason="signer-not-trusted", sentence="Refused.", hint="do", stages=(STAGE,), bytes_read=4096
)
OUTLOOK = Outlook(verdict="refused", reason="signer-not-trusted", sentence="Refused.")
AUDITED = Audited(
    machine="web",
    generation=2,
    state="off",
    secure_boot=True,
    authorities="2011-only",
    dbx_date="2021-04-01",
    missing=228,
    lacks=("Microsoft UEFI CA 2023 in db",),
    now=OUTLOOK,
    after=replace(OUTLOOK, verdict="allowed", reason=""),
    tpm=True,
    action="update",
    command="kiban secureboot update web",
    notes=("Said.",),
)
PLAN = Plan(
    title="a virtual hard disk",
    path="/a.vhdx",
    name="web",
    generation=2,
    disks=(
        PlannedDisk(
            id="disk0",
            source=ForeignDisk(
                place=Place(bus="unknown", controller=0, location=0),
                path="/a.vhdx",
                image="vhdx",
                capacity=None,
                file=None,
            ),
            facts=DiskFacts(size=1 << 30, files=("/a.vhdx", "/b.vhdx")),
            lazy=True,
        ),
    ),
    rows=(Row(what="name", there="Web", here="web"),),
    checkpoints=(CheckpointRow(id="1", name="before", created="2026-01-01", depth=0, taken=True),),
    left_out=("The colour.",),
    advice=("Mind the gap.",),
    macs=(),
)
EXPORTED = Exported(
    path="/x/web",
    kind="kiban",
    files=(ExportedFile(name="vm.json", size=2048, sha256="ab" * 32),),
    left_out=("The ISO.",),
)
MEDIUM = MediumView(
    name="a.iso", path="/m/a.iso", kind="iso", size=2**20, added="2026-01-01T00:00:00+00:00", machines=("web",)
)
SUGGESTION = Suggestion(
    generation=2, ok=True, reason="", hint="", cpus=1, memory=2**30, disk=20 << 30, tpm=False, template="open-source"
)
ADVICE = Advice(
    path="/a.iso",
    label="A",
    guest="debian12",
    name="Debian 12",
    others=("debian13",),
    generation=2,
    reason="It starts on UEFI.",
    suggestions=(SUGGESTION,),
)
_RESULTS: dict[str, Callable[[], Any]] = {
    "com.attach": FakePort,
    "takeover.export": lambda: EXPORTED,
    "takeover.plan": lambda: PLAN,
    "media.list": lambda: [MEDIUM],
    "media.upload": lambda: MEDIUM,
    "media.remove": lambda: None,
    "media.advise": lambda: ADVICE,
    "bootcheck.explain": lambda: REPORT,
    "bootcheck.explain_path": lambda: REPORT,
    "machines.list": lambda: [VIEW, replace(VIEW, name="db", floppy=None, secure_boot=None)],
    "machines.remove": lambda: None,
    "screen.screenshot": lambda: PNG,
    "screen.type_text": lambda: None,
    "screen.press": lambda: None,
    **{f"secureboot.{verb}": lambda: KEYS for verb in ("show", "enroll", "revoke", "reset", "update", "undo")},
    "secureboot.audit": lambda: [AUDITED, Audited(machine="db", generation=1, state="running")],
    "usage.show": lambda: USAGE,
    "usage.running": lambda: [USAGE],
    "usage.history": lambda: (Past(time="2026-01-01T00:00:00+00:00", cpu=12.5, memory=7),),
    "usage.guest": lambda: GUEST,
    "tpm.show": lambda: TPM,
    "tpm.log": lambda: BOOT,
    "tpm.raw_log": lambda: PNG,
    **{f"disks.{verb}": lambda: DISK for verb in ("info", "create", "convert", "clone", "resize", "compact", "merge")},
    "disks.mount": lambda: MOUNT,
    "disks.unmount": lambda: None,
    "disks.mounts": lambda: [MOUNT],
    "disks.list": lambda: [DISK],
    "disks.check": lambda: Check(known=True, errors=1, leaks=2),
    "tokens.list": lambda: [TokenView(name="ci", role="viewer", created="2026-01-01T00:00:00+00:00", used="")],
    "tokens.create": lambda: "secret",
    "tokens.revoke": lambda: None,
    "host.show": lambda: CAPACITY,
    "doctor.report": lambda: [Finding(name="QEMU", ok=True, detail="7.2", hint="", needed=True)],
}
FAKES = {name: _fake(command) for name, command in COMMANDS.items()}


class FakeWeb:
    """What the API takes from the web manager."""

    def __init__(self, host: Any, commands: Mapping[str, Command]) -> None:
        del host, commands

    async def link(self, caller: Caller, port: int, host: str, connected: str) -> Link:
        return Link(f"http://127.0.0.1:{port}/login#for-{caller.role}-{caller.name}-{host}-{connected}", 60.0)

    def over_tls(self, port: int, names: Collection[str]) -> ASGIApp:
        raise NotImplementedError

    async def resume(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Service:
    """The service in a thread of its own, for a `with` block."""

    def __init__(self, root: Path, *, listen: str | None = None) -> None:
        self.paths = Paths(root / "state", root / "run")
        self.paths.state.mkdir(exist_ok=True)
        self._listen = listen
        self._up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)
        self.where: Listening
        self.host: FakeHost
        self.loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    @property
    def url(self) -> str:
        return f"unix://{self.paths.socket}"

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something inside the service, and return its result."""

        async def inside() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(30)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)

    def __enter__(self) -> Service:
        self._thread.start()
        assert self._up.wait(60), "the service did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop it, unless it has, and wait for its end."""
        if self._thread.is_alive():
            self.stop()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the service did not stop"

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # shown where the service is used
            self._failure = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.host = FakeHost(self.paths)
        host = cast("Host", self.host)
        await serve(host, self._stop, listen=self._listen, commands=FAKES, ready=self._ready, web=FakeWeb)
        self.host.jobs._database.close()

    def _ready(self, where: Listening) -> None:
        self.where = where
        self._up.set()


def busy() -> Conflict:
    """An error as commands raise it."""
    return Conflict("Cannot start web: it is running.", "Stop it first: kiban stop web", code="is-running")


def names(kind: Any) -> set[str]:
    """Names of a dataclass's fields."""
    return {field.name for field in fields(kind)}
