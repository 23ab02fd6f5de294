# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban demo`: a real Debian guest on a machine of each generation, what each sees, and what Secure Boot refuses.

All of it is measured and seen while it runs; the demo uses the Python SDK as any program would, and the guest agent.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from kiban.client import Client, connect
from kiban.demo import guest_image, machines, refusal, table
from kiban.demo.boot import GUESTS, Boot, Guest, boot, shut_down
from kiban.demo.png import Picture
from kiban.demo.refusal import MEMTEST, Seen
from kiban.demo.show import Show
from kiban.errors import BadInput, HostLacks, NotFound


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the demo found out; seconds since the start command, shutting down apart."""

    guest: str
    cpus: int  # of each machine
    load: float  # the host's load average before the demo did anything; times taken on a busy host say little
    boots: list[Boot]
    shut_down: list[float | None]  # as boots; None: it had to be turned off
    ratio: float  # generation 2's time until the guest was up, by generation 1's
    refused_after: float
    started_after: float  # the same ISO on the same machine with Secure Boot off
    pictures: list[str]


def run(*, guest: str = "debian", keep: bool = False, record: str = "", as_json: bool = False) -> None:
    """Run the demo.

    Args:
        guest: `debian`, or `probe`, which is tiny and made in seconds.
        keep: leave the machines, switched off.
        record: folder for the pictures; the user's cache when empty.
        as_json: print the facts as JSON on standard output, and everything else on standard error.

    Raises:
        HostLacks: packages are missing.
        Conflict: a machine that is not the demo's has the name of one of its own.
        KibanError: whatever else went wrong; no machine is left then.
    """
    if guest not in GUESTS:
        raise NotFound(f"The demo has no guest called {guest!r}.", f"There are: {', '.join(GUESTS)}.")
    if os.environ.get("KIBAN_URL", "").startswith("https:"):
        raise BadInput("The demo makes machines on this host, but KIBAN_URL names another.", "Unset KIBAN_URL")
    host, show, load = connect(), Show(to_stderr=as_json), os.getloadavg()[0]
    show.say(_PLAN.format(guest=GUESTS[guest].title))
    _require(host)
    folder = Path(record) if record else platformdirs.user_cache_path("kiban") / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    vhdx = _image(GUESTS[guest], show)
    with machines.fresh(host, keep=keep):
        facts = _Demo(host, show, GUESTS[guest], folder, load).run(vhdx)
    _closing(show, keep)
    if as_json:
        json.dump(asdict(facts), sys.stdout, indent=2)
        sys.stdout.write("\n")


_PLAN = """Kiban's demo, a few minutes without KVM:
  - makes {guest} from Debian's packages, once, and keeps it for the next run;
  - starts it on a machine of each generation, from copies of one VHDX disk, and asks what it sees;
  - tries an ISO with an unsigned boot loader under Secure Boot.
  Ctrl-C ends it and leaves no machine behind."""


def _require(host: Client) -> None:
    """HostLacks, naming all packages at once, unless the host has what the demo needs."""
    packages = set(guest_image.missing_tools().values())
    if not MEMTEST.exists():
        packages.add(refusal.PACKAGE)
    for finding in host.doctor():
        if finding.needed and not finding.ok:
            install = finding.hint.removeprefix("apt install ")
            if install == finding.hint:
                raise HostLacks(finding.detail, finding.hint)
            packages |= set(install.split())
    if packages:
        raise HostLacks(
            "The demo needs Debian packages that this host lacks.", f"apt install {' '.join(sorted(packages))}"
        )


def _image(guest: Guest, show: Show) -> Path:
    """The guest's disk as VHDX, made if it is not there."""
    show.head("The guest")
    with show.bar(guest.title) as bar:
        folder = guest_image.ensure(guest.image, bar)
        vhdx = folder / f"{guest.image}.vhdx"
        if not vhdx.exists():
            bar(None, "converting its disk to VHDX")
            guest_image.to_vhdx(folder / f"{guest.image}.raw", vhdx)
    taken = vhdx.stat().st_blocks * 512 >> 20
    show.done(f"{guest.title}, {taken} MiB on disk: {_from_home(vhdx)}")
    return vhdx


def _from_home(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


class _Demo:
    """The part of the demo in which machines exist."""

    def __init__(self, host: Client, show: Show, guest: Guest, folder: Path, load: float) -> None:
        self._host, self._show, self._guest, self._folder, self._load = host, show, guest, folder, load
        self._pictures: list[str] = []

    def run(self, vhdx: Path) -> Facts:
        self._show.head("Two machines")
        boots, offs = zip(*(self._boot(generation, vhdx) for generation in (1, 2)), strict=True)
        first, second = boots
        self._compare(first, second)
        self._show.head("Secure Boot")
        denied, started = self._refusal()
        return Facts(
            guest=self._guest.image,
            cpus=machines.CPUS,
            load=round(self._load, 2),
            boots=[first, second],
            shut_down=list(offs),
            ratio=round(second.to_up / first.to_up, 3),
            refused_after=denied.seconds,
            started_after=started.seconds,
            pictures=self._pictures,
        )

    def _boot(self, generation: int, vhdx: Path) -> tuple[Boot, float | None]:
        """Make a machine, start it, look at it from inside and outside, and shut it down: one at a time, so that the
        times of both can be compared."""
        title = f"generation {generation}"
        with self._show.bar(title) as bar:
            bar(0, "making the machine")
            name = machines.create(self._host, generation, self._guest, vhdx, bar)
            seen = boot(self._host, name, self._guest, lambda text: bar(None, text))
            picture = self._save(f"generation{generation}", self._host.screenshot(name))
            bar(None, "shutting down")
            off = shut_down(self._host, name)
        self._show.done(
            f"{title}: {self._guest.up} after {seen.to_up:.1f} s with {seen.accelerator}; screen: {picture}"
        )
        if off is None:
            self._show.say("It did not shut down when asked and was turned off.", "yellow")
        return seen, off

    def _compare(self, first: Boot, second: Boot) -> None:
        self._show.head("What the guests see")
        times = [
            ("until its kernel began", f"{first.to_kernel:.1f} s", f"{second.to_kernel:.1f} s"),
            (f"until {self._guest.up}", f"{first.to_up:.1f} s", f"{second.to_up:.1f} s"),
        ]
        self._show.table(("", "generation 1", "generation 2"), [*table.rows(first.hardware, second.hardware), *times])
        self._show.say(
            f"Generation 2 was up in {second.to_up / first.to_up:.2f} of generation 1's time: one first start each, "
            f"with {second.accelerator} and {machines.CPUS} {'processor' if machines.CPUS == 1 else 'processors'}."
        )
        if self._load > (os.cpu_count() or 1) / 2:
            self._show.say(f"The host was busy before (load {self._load:.1f}), so these times say little.", "yellow")

    def _refusal(self) -> tuple[Seen, Seen]:
        """See the firmware refuse memtest86+, then the same machine start it with Secure Boot off."""
        name = machines.create_refused(self._host)
        self._show.say(f"{MEMTEST} has an unsigned loader. A generation 2 machine tries it:")
        denied, picture = self._try(name, "Secure Boot on", refusal.refused, 'the words "Access Denied"', "refused")
        self._show.done(f'Secure Boot on: the firmware says "Access Denied" after {denied.seconds:.1f} s: {picture}')
        left, top, _, _ = words = denied.picture.access_denied() or (0, 0, 0, 0)
        self._show.screen(denied.picture, (left - 4, top - 6, words[2] + 8, words[3] + 12), words[2] + 8)
        self._host.edit(name, secure_boot=False)
        begun, picture = self._try(name, "Secure Boot off", refusal.started, "memtest86+", "secure-boot-off")
        self._show.done(f"Secure Boot off: memtest86+ draws its screen after {begun.seconds:.1f} s: {picture}")
        self._show.screen(begun.picture, (0, 0, begun.picture.width, begun.picture.height), 80)
        return denied, begun

    def _try(self, name: str, title: str, sign: Callable[[Picture], bool], what: str, file: str) -> tuple[Seen, Path]:
        """Start the machine, wait for `sign` on its screen, keep the picture and turn the machine off."""
        with self._show.bar(title) as bar:
            bar(None, f"waiting for {what} on its screen")
            seen = refusal.watch(self._host, name, sign, what)
            self._host.stop(name, force=True)
        return seen, self._save(file, seen.png)

    def _save(self, name: str, png: bytes) -> Path:
        path = self._folder / f"{name}.png"
        path.write_bytes(png)
        self._pictures.append(str(path.absolute()))
        return path


def _closing(show: Show, keep: bool) -> None:
    show.head("What next")
    if keep:
        show.say(f"The machines are kept, switched off: {', '.join(machines.NAMES)}.")
        show.say(f"  kiban start {machines.GENERATIONS[2]}")
        show.say(f"  kiban screenshot {machines.GENERATIONS[2]} screen.png")
        show.say(f"  kiban remove --yes {' '.join(machines.NAMES)}")
    else:
        show.say("The machines are gone; kiban demo --keep leaves them. One of your own:")
        show.say("  kiban create web --disk 20G --dvd debian.iso")
        show.say("  kiban start web")
