# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing a machine's keys up to date, and taking changes of keys back: what comes, what stays, what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keymaker
import pytest
from engine_world import World, world
from keyed_machines import OLD, judge, key_file, machine, report, said, virt_firmwares_hash

from kiban.adapters.firmware import keyrecord, keys, templates, trust
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.store import directory as store
from kiban.engine import bootcheck, nvram, prospect, secureboot
from kiban.errors import Conflict
from kiban.model.requests import DiskRequest


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as found:
        yield found


def test_an_update_brings_an_old_store_up_to_date(there: World) -> None:
    directory = machine(there, OLD.plus({"db": (keymaker.entry("own db"),)}))
    nv = VariableStore.load(directory / nvram.FILE)
    nv.put(Variable("Boot0042", b"the guest's", attributes=7))
    nv.save(directory / nvram.FILE)
    found = said(there, lambda handle: secureboot.update(handle, judge("allowed", "allowed")))
    names = [key.name for key in found.db]
    assert names == ["Microsoft Corporation UEFI CA 2011", "own db", "Microsoft UEFI CA 2023"]
    assert (found.authorities, found.dbx.missing, found.lacks) == ("2023-ready", 0, ())
    assert "Microsoft UEFI CA 2023 in db" in found.notes[0]
    assert "no TPM" in found.notes[-1]
    assert found.undo.startswith("update of ")
    assert VariableStore.load(directory / nvram.FILE).get("Boot0042") == b"the guest's"
    found = said(there, lambda handle: secureboot.update(handle, judge("refused", "refused")))
    assert found.notes == ("Nothing is missing; nothing was changed.",)


def test_an_update_that_would_refuse_the_loader_changes_nothing(there: World) -> None:
    directory = machine(there, OLD, tpm=True)
    before = (directory / nvram.FILE).read_bytes()
    for now in ("allowed", "unknown"):
        with pytest.raises(Conflict, match="would not start any more: It is refused") as refusal:
            said(there, lambda handle, now=now: secureboot.update(handle, judge(now, "refused")))
        assert refusal.value.reason == "loader-would-be-refused"
    assert (directory / nvram.FILE).read_bytes() == before
    assert not (directory / keyrecord.UNDO).exists()
    found = said(there, lambda handle: secureboot.update(handle, judge("refused", "refused")))
    assert "did not start before either" in found.notes[1]
    assert "BitLocker" in found.notes[-1]


@pytest.fixture
def shim_disk(tmp_path: Path) -> Path:
    """A disk that the firmware would boot Debian's shim from."""
    shim, grub = Path("/usr/lib/shim/shimx64.efi.signed"), Path("/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed")
    tools = ("mkfs.vfat", "mmd", "mcopy")
    if not (shim.exists() and grub.exists() and all(map(shutil.which, tools))):
        pytest.skip("shim-signed, grub-efi-amd64-signed, dosfstools and mtools are wanted")
    disk = tmp_path / "esp.img"
    disk.write_bytes(b"")
    os.truncate(disk, 32 << 20)
    commands = [("mkfs.vfat", disk), ("mmd", "-i", disk, "::/EFI", "::/EFI/BOOT")]
    names = (("BOOTX64.EFI", shim), ("grubx64.efi", grub))
    commands += [("mcopy", "-i", disk, source, f"::/EFI/BOOT/{name}") for name, source in names]
    for command in commands:
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return disk


def test_the_loader_on_the_disk_decides_about_an_update(
    there: World, shim_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = machine(there, OLD, disks=(DiskRequest(path=str(shim_disk), format="raw"),))
    before = (directory / nvram.FILE).read_bytes()
    list_of_today = templates.revoked()
    program = Path("/usr/lib/shim/shimx64.efi.signed")
    own = replace(keymaker.digest(0), data=virt_firmwares_hash(program))
    monkeypatch.setattr(templates, "revoked", lambda: (*list_of_today, own))
    with pytest.raises(Conflict, match="would not start any more") as refusal:
        said(there, lambda handle: secureboot.update(handle, bootcheck.explain))
    assert "disk0" in refusal.value.message
    assert (directory / nvram.FILE).read_bytes() == before
    monkeypatch.setattr(templates, "revoked", lambda: list_of_today)
    found = said(there, lambda handle: secureboot.update(handle, bootcheck.explain))
    assert (found.authorities, len(found.notes)) == ("2023-ready", 2)


def test_undo_takes_back_the_keys_and_nothing_else(there: World) -> None:
    directory = machine(there, OLD)
    said(there, lambda handle: secureboot.update(handle, judge("allowed", "unknown")))
    nv = VariableStore.load(directory / nvram.FILE)
    nv.put(Variable("Boot0042", b"the guest's"))
    nv.put(trust.mok_list([keymaker.entry("guest's")]))
    # the guest has taken a signed update of dbx and dropped one entry of db meanwhile
    present = keys.read(nv)
    changed = replace(present, dbx=(*present.dbx, keymaker.digest(7)), db=present.db[1:])
    keys.write(nv, changed)
    nv.save(directory / nvram.FILE)
    found = said(there, secureboot.undo)
    assert "was kept" in found.notes[1]
    after = VariableStore.load(directory / nvram.FILE)
    assert after.get("Boot0042") == b"the guest's"
    assert [key.name for key in found.mok] == ["guest's"]
    assert keys.read(after) == keys.make(
        {"PK": OLD.pk, "KEK": OLD.kek, "db": (), "dbx": (*OLD.dbx, keymaker.digest(7))}
    )
    with pytest.raises(Conflict, match="no change of m1's keys"):
        said(there, secureboot.undo)


def test_undo_gives_the_very_keys_of_before(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    before = VariableStore.load(directory / nvram.FILE).variables
    said(there, lambda handle: secureboot.enroll(handle, {"PK": [key_file(tmp_path, "own PK")]}))
    assert store.load(directory).uefi.template == "custom"  # type: ignore[union-attr]
    said(there, secureboot.undo)
    assert VariableStore.load(directory / nvram.FILE).variables == before
    assert store.load(directory).uefi.template == "microsoft-uefi-ca"  # type: ignore[union-attr]


def test_what_an_update_would_take_away() -> None:
    allowed, refused, unknown = report("allowed"), report("refused"), report("unknown")
    assert not prospect.breaks(allowed, allowed)
    assert not prospect.breaks(allowed, unknown)
    assert not prospect.breaks(refused, refused), "it did not start before either"
    assert prospect.breaks(allowed, refused)
    assert prospect.breaks(unknown, refused)
    other = report("allowed", "dvd0")
    elsewhere = replace(other, stages=(*refused.stages, *other.stages))
    assert prospect.breaks(allowed, elsewhere), "the disk's loader is refused, and the DVD boots in its place"
    assert not prospect.breaks(other, elsewhere), "the disk's loader was not asked before"
