# SPDX-License-Identifier: GPL-2.0-or-later
"""The audit of all machines: real stores, signatures and confined children; our own authorities as Microsoft's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boot_media
import keymaker
import machines
import pytest
from bootcheck_images import Authority, authority, digest, sign, tiny
from engine_world import World, run, world
from keyed_machines import report

from kiban.adapters.bootcheck import runner
from kiban.adapters.firmware import keys, templates, varstore
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.keys import Keys
from kiban.adapters.firmware.siglist import SHA256, X509, Entry
from kiban.commands.registry import COMMANDS
from kiban.engine import audit, bootcheck, nvram
from kiban.engine.audit import Audited
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet
from kiban.errors import HostLacks
from kiban.model.bootcheck import Report
from kiban.model.requests import DiskRequest

MICROSOFT = templates.keys_of("microsoft-uefi-ca")
LOST = b"revoked by the new list"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as found:
        yield found


class Authorities:
    """Two authorities in the place of Microsoft's for others, and programs that they signed."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new, self.own = (authority(folder, name) for name in ("CA 2011", "CA 2023", "our CA"))
        self.by_old, self.by_new, self.by_own = (self.program(by) for by in (self.old, self.new, self.own))
        self.lost = self.program(self.old, LOST)

    def program(self, by: Authority, trailer: bytes = b"") -> bytes:
        return sign(tiny(extra=((b".mark", trailer or by.der),)), by)

    def keys(self, *db: Authority, dbx: tuple[Entry, ...] | None = None, pk: bool = True) -> Keys:
        return keys.make(
            {
                "PK": MICROSOFT.pk if pk else (),
                "KEK": MICROSOFT.kek,
                "db": tuple(_entry(one) for one in db),
                "dbx": templates.revoked() if dbx is None else dbx,
            }
        )


def _entry(of: Authority) -> Entry:
    return Entry(X509, keymaker.OWNER, of.der)


@pytest.fixture
def signers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Authorities:
    made = Authorities(tmp_path / "signers")
    pair = {"microsoft.com/ms-uefi-2011": made.old, "microsoft.com/ms-uefi-2023": made.new}
    shipped, listed = templates.certificate, templates.revoked()
    monkeypatch.setattr(templates, "certificate", lambda name: _entry(pair[name]) if name in pair else shipped(name))
    lost = Entry(SHA256, keymaker.OWNER, digest(made.lost))
    monkeypatch.setattr(templates, "revoked", lambda: (*listed, lost))
    return made


class Fleet:
    """Puts machines there, each with keys and a loader of its own."""

    def __init__(self, there: World) -> None:
        self.there, self.count = there, 0
        try:
            self.empty = find_uefi("pc-q35-7.2", secure_boot=True).vars_template
        except HostLacks as error:
            pytest.skip(str(error))

    def put(self, name: str, wanted: Keys, loader: bytes | None = None, **request: Any) -> Path:
        self.count += 1
        disks: tuple[DiskRequest, ...] = ()
        if loader is not None:
            image = boot_media.fat(self.there.root / f"{name}.img", {boot_media.BOOT: loader})
            disks = (DiskRequest(path=str(image), format="raw"),)
        directory = self.there.put(
            machines.make(2, serial=self.count, nics=(), **{"name": name, "disks": disks} | request)
        )
        varstore.create_store(self.empty, directory / nvram.FILE, wanted, secure_boot=bool(wanted.pk))
        return directory

    def look(self, progress: Progress = quiet) -> Mapping[str, Audited]:
        async def work() -> list[Audited]:
            rows: list[Audited] = await COMMANDS["secureboot.audit"].function(
                await Host.open(self.there.paths), progress=progress
            )
            return rows

        rows = run(work())
        assert [row.machine for row in rows] == sorted(row.machine for row in rows)
        return {row.machine: row for row in rows}


@pytest.fixture
def fleet(there: World) -> Fleet:
    return Fleet(there)


def _verdicts(row: Audited) -> tuple[str, str]:
    assert row.now is not None
    assert row.after is not None
    return row.now.reason or row.now.verdict, row.after.reason or row.after.verdict


def test_where_machines_stand(fleet: Fleet, signers: Authorities) -> None:
    before_2023 = templates.revoked()[:300]
    fleet.put("ready", signers.keys(signers.old, signers.new), signers.by_old, tpm=True)
    fleet.put("old", signers.keys(signers.old, dbx=before_2023), signers.by_old, tpm=True)
    fleet.put("new-medium", signers.keys(signers.old), signers.by_new)
    fleet.put("late", signers.keys(signers.old, dbx=before_2023), signers.lost)
    fleet.put("new-only", signers.keys(signers.new), signers.by_old)
    fleet.put("own", signers.keys(signers.own, dbx=()), signers.by_own)
    fleet.put("own-unsigned", signers.keys(signers.own, dbx=()), tiny())
    fleet.put("setup", signers.keys(dbx=(), pk=False), tiny())
    found = fleet.look()
    stand = {name: (row.authorities, *_verdicts(row), row.action, row.command) for name, row in found.items()}
    assert stand == {
        "ready": ("2023-ready", "allowed", "allowed", "", ""),
        "old": ("2011-only", "allowed", "allowed", "update", "kiban secureboot update old"),
        "new-medium": ("2011-only", "signer-not-trusted", "allowed", "update", "kiban secureboot update new-medium"),
        "late": ("2011-only", "allowed", "hash-revoked", "new-loader", "kiban set late --boot dvd --dvd NEWER.iso"),
        "new-only": ("2023-only", "signer-not-trusted", "signer-not-trusted", "mend", found["new-only"].command),
        "own": ("none", "allowed", "allowed", "", ""),
        "own-unsigned": ("none", "unsigned", "unsigned", "mend", "kiban set own-unsigned --secure-boot off"),
        "setup": ("none", "allowed", "allowed", "", ""),
    }
    assert [name for name, row in found.items() if row.setup_mode] == ["setup"]
    old = found["old"]
    assert (old.missing, len(old.lacks), old.dbx_date < "2026-04-09") == (len(templates.revoked()) - 300, 2, True)
    assert "CA 2023 in db" in old.lacks
    assert [note for note in old.notes if "BitLocker" in note]
    assert not found["ready"].notes, "whose keys do not change need not be warned of the TPM"
    assert "It would boot after the update." in found["new-medium"].notes
    assert "Update its loader first" in found["late"].notes[0]
    assert "late.img" in found["late"].notes[0]


def test_one_that_cannot_be_looked_at_is_a_row(fleet: Fleet, signers: Authorities) -> None:
    current = signers.keys(signers.old, signers.new)
    broken = fleet.put("broken", current)
    torn = fleet.put("torn", current)
    folder = fleet.put("folder", current)
    gone = fleet.put("gone", signers.keys(signers.old), signers.by_old)
    fleet.put("whole", current, signers.by_new)
    fleet.there.put(machines.make(1, serial=77, name="oldtimer", nics=()))
    (broken / "vm.json").write_text("{")
    os.truncate(torn / nvram.FILE, 100)
    (folder / nvram.FILE).unlink()
    (folder / nvram.FILE).mkdir()
    (fleet.there.root / "gone.img").unlink()
    found = fleet.look()
    assert len(found) == 6
    damaged = found[broken.name]
    assert (damaged.generation, damaged.action, damaged.command) == (0, "look", f"kiban info {broken.name}")
    assert "vm.json" in damaged.problem
    for name, word in (("torn", "cut short"), ("folder", "directory")):
        row = found[name]
        assert (row.generation, row.now, row.command) == (2, None, f"kiban secureboot show {name}")
        assert word in row.problem
    row = found["gone"]
    assert (row.authorities, row.problem, *_verdicts(row)) == ("2011-only", "", "unknown", "unknown")
    assert (row.action, row.command) == ("look", "kiban secureboot explain gone")
    assert row.notes == (f"{fleet.there.root}/gone.img does not exist.",)
    assert (found["whole"].action, *_verdicts(found["whole"])) == ("", "allowed", "allowed")
    assert (found["oldtimer"].generation, found["oldtimer"].now, found["oldtimer"].action) == (1, None, "")
    assert gone.exists()


def test_a_machine_that_is_not_off_is_audited_and_told_of_it(fleet: Fleet, signers: Authorities) -> None:
    fleet.put("web", signers.keys(signers.old), signers.by_old)

    async def work() -> list[Audited]:
        host = await Host.open(fleet.there.paths)
        host.find("web").state = "saved"
        return await audit.audit(host, quiet)

    (row,) = run(work())
    assert (row.state, row.action) == ("saved", "update")
    assert row.notes[-1] == "It is saved, and the update wants it off."


def test_media_are_looked_at_in_bounds_and_progress_is_told(
    fleet: Fleet, signers: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        fleet.put(f"m{number}", signers.keys(signers.old))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    going, most = 0, 0

    async def explain(*_: Any, **__: Any) -> Report:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.01)
        going -= 1
        return report("allowed")

    monkeypatch.setattr(runner, "explain", explain)
    said: list[tuple[float, str]] = []

    async def work() -> None:
        host = await Host.open(fleet.there.paths)
        await asyncio.gather(audit.audit(host, lambda *step: said.append(step)), audit.audit(host, quiet))

    run(work())
    assert most == 3, "also when two people ask"
    assert [text for _, text in said] == [f"{n} of 7 machines" for n in range(1, 8)]
    assert said[-1][0] == 1.0


def test_a_cancelled_audit_leaves_no_child(fleet: Fleet, signers: Authorities, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        fleet.put(f"m{number}", signers.keys(signers.old), signers.by_old)
    children: list[asyncio.subprocess.Process] = []
    real = runner._start

    async def start(*arguments: Any) -> asyncio.subprocess.Process:
        children.append(await real(*arguments))
        return children[-1]

    monkeypatch.setattr(runner, "_start", start)

    async def work() -> int:
        host = await Host.open(fleet.there.paths)
        task = asyncio.create_task(audit.audit(host, quiet))
        while not children:
            await asyncio.sleep(0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert not host.looks.locked()
        return len(children)

    assert run(work()) < 8
    assert all(child.returncode is not None for child in children)


def test_one_that_is_removed_meanwhile_is_left_out(
    fleet: Fleet, signers: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.put("stays", signers.keys(signers.old))
    fleet.put("goes", signers.keys(signers.old))

    async def work() -> list[Audited]:
        host = await Host.open(fleet.there.paths)

        async def explain(handle: Any, _trust: Any = None) -> Report:
            if handle.name == "goes":
                host.forget(handle)
            return replace(report("allowed"), stages=())

        monkeypatch.setattr(bootcheck, "explain", explain)
        return await audit.audit(host, quiet)

    assert [row.machine for row in run(work())] == ["stays"]


def test_no_machines_are_no_rows(there: World) -> None:
    assert Fleet(there).look() == {}


def test_an_audit_is_a_job_that_viewers_may_have() -> None:
    assert (COMMANDS["secureboot.audit"].permission, COMMANDS["secureboot.audit"].job) == ("read", True)
