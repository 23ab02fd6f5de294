# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a machine's keys: what is trusted afterwards, what stays, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import keymaker
import machines
import pytest
from engine_world import World, world
from keyed_machines import LINUX, act, judge, key_file, machine, said, seen, virt_firmwares_hash

from kiban.adapters.firmware import keys, siglist, templates, trust, varstore
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.store import directory as store
from kiban.commands import machines as commands
from kiban.commands.registry import COMMANDS
from kiban.engine import editing, keyview, nvram, secureboot, view
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.keyview import KeysView
from kiban.errors import BadInput, Conflict, Damaged, NotInGeneration
from kiban.model.requests import Changes


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as found:
        yield found


def test_a_picture_of_the_keys(there: World) -> None:
    machine(there)
    found = said(there, _described)
    assert (found.secure_boot, found.template, found.setup_mode) == (True, "microsoft-uefi-ca", False)
    assert [key.name for key in found.db] == ["Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"]
    assert found.db[1].not_after == "2038-06-13T19:31:47+00:00"
    assert found.db[1].owner == "Microsoft"
    assert (found.dbx.hashes, found.dbx.own, found.dbx.date, found.dbx.missing) == (443, 0, "2026-04-09", 0)
    assert (found.authorities, found.lacks, found.undo, found.sbat_date) == ("2023-ready", (), "", "")


async def _described(handle: Handle) -> KeysView:
    return keyview.describe(handle)


def test_least_versions_of_windows_boot_managers_are_no_hashes(there: World) -> None:
    directory = machine(there)
    nv = VariableStore.load(directory / nvram.FILE)
    least = bytes.fromhex("01612b139dd5598843ab1c185c3cb2eb92000009000000000000000000000000")
    owner = UUID("9d132b6c-59d5-4388-ab1c-185cfcb2eb92")
    entries = (siglist.Entry(siglist.SHA256, owner, least), keymaker.digest(5), keymaker.entry("lost"))
    keys.write(nv, LINUX.plus({"dbx": entries}))
    nv.put(Variable("SbatLevel", b"sbat,1,2024010900\nshim,4\ngrub,3\ngrub.debian,4\nodd\nx,y\n", trust.SHIM, 3))
    nv.save(directory / nvram.FILE)
    found = said(there, _described)
    assert found.dbx.least_versions == ("bootmgfw.efi 9.0",)
    assert (found.dbx.hashes, found.dbx.own) == (444, 1)
    assert [key.name for key in found.dbx.certificates] == ["lost"]
    assert (found.sbat_date, found.sbat) == ("2024-01-09", {"shim": 4, "grub": 3, "grub.debian": 4})


def test_enrolling_adds_and_replaces_only_the_platform_key(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    files: dict[secureboot.Target, list[str]] = {
        "db": [key_file(tmp_path, "own db")],
        "KEK": [key_file(tmp_path, "own KEK")],
        "mok": [key_file(tmp_path, "m")],
    }
    found = said(there, lambda handle: secureboot.enroll(handle, files))
    assert [key.name for key in found.db][-1] == "own db"
    assert [key.name for key in found.kek][-1] == "own KEK"
    assert [(key.name, key.owner) for key in found.mok] == [("m", "shim")]
    assert (found.template, len(found.pk)) == ("microsoft-uefi-ca", 1)
    variable = VariableStore.load(directory / nvram.FILE).variables["MokList", trust.SHIM]
    assert variable.attributes == 3
    again = said(there, lambda handle: secureboot.enroll(handle, files))
    assert (again.db, again.mok) == (found.db, found.mok)
    found = said(there, lambda handle: secureboot.enroll(handle, {"PK": [key_file(tmp_path, "own PK")]}))
    assert [key.name for key in found.pk] == ["own PK"]
    assert found.template == "custom"
    with pytest.raises(BadInput, match="2 platform keys"):
        said(there, lambda h: secureboot.enroll(h, {"PK": [key_file(tmp_path, "a"), key_file(tmp_path, "b")]}))
    with pytest.raises(BadInput, match="No key was named"):
        said(there, lambda handle: secureboot.enroll(handle, {"db": []}))


def test_revoking_puts_certificates_and_hashes_into_dbx(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    file = key_file(tmp_path, "lost signer")
    found = said(there, lambda handle: secureboot.revoke(handle, [file], ["AB" * 32]))
    assert [key.name for key in found.dbx.certificates] == ["lost signer"]
    assert (found.dbx.hashes, found.dbx.own) == (444, 1)
    assert [entry.data for entry in seen(directory).dbx if entry.kind == "sha256"][-1] == b"\xab" * 32
    found = said(there, lambda handle: secureboot.enroll(handle, {"db": [file]}))
    assert found.notes[0] == "lost signer is in dbx as well, so it stays refused."
    for wrong in ("AB" * 31, "x" * 64):
        with pytest.raises(BadInput, match="no SHA-256"):
            said(there, lambda handle, wrong=wrong: secureboot.revoke(handle, [], [wrong]))
    with pytest.raises(BadInput, match="Nothing to revoke"):
        said(there, lambda handle: secureboot.revoke(handle, [], []))


def test_revoking_an_image_takes_the_hash_that_is_signed(there: World, tmp_path: Path) -> None:
    program = Path("/usr/lib/shim/shimx64.efi.signed")
    if not program.exists():
        pytest.skip("shim-signed is not installed")
    directory = machine(there)
    found = said(there, lambda handle: secureboot.revoke(handle, [str(program)], []))
    assert found.dbx.own == 1
    assert seen(directory).dbx[-1].data == virt_firmwares_hash(program)
    text = tmp_path / "text.efi"
    text.write_text("no program")
    with pytest.raises(BadInput, match="no EFI program"):
        said(there, lambda handle: secureboot.revoke(handle, [str(text)], []))


def test_reset_is_the_template_anew(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    said(there, lambda handle: secureboot.enroll(handle, {"db": [key_file(tmp_path, "own db")]}))
    said(there, lambda handle: secureboot.reset(handle, None))
    assert keys.read(VariableStore.load(directory / nvram.FILE)) == LINUX
    found = said(there, lambda handle: secureboot.reset(handle, "open-source"))
    assert (found.template, found.authorities) == ("open-source", "none")
    with pytest.raises(BadInput, match="no keys of its own"):
        said(there, lambda handle: secureboot.reset(handle, "custom"))
    with pytest.raises(BadInput, match="no Secure Boot template"):
        said(there, lambda handle: secureboot.reset(handle, "nonsense"))


def edit(there: World, **changes: Any) -> Any:
    async def work(host: Host, handle: Handle) -> Any:
        await editing.change(host, handle, Changes(**changes))
        return view.of(handle)

    return act(there, work)


def test_custom_keys_are_a_part_of_the_machine(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    folder = keymaker.folder(tmp_path / "keys")
    shown = edit(there, template="custom", keys=str(folder))
    assert (shown.template, shown.secure_boot) == ("custom", True)
    own = keys.read(VariableStore.load(directory / nvram.FILE))
    for file in folder.iterdir():
        file.unlink()
    assert edit(there, template="microsoft-windows").template == "microsoft-windows"
    assert edit(there, template="custom").template == "custom"
    assert keys.read(VariableStore.load(directory / nvram.FILE)) == own
    said(there, lambda handle: secureboot.enroll(handle, {"db": [key_file(tmp_path, "more")]}))
    said(there, lambda handle: secureboot.reset(handle, None))
    assert keys.read(VariableStore.load(directory / nvram.FILE)) == own
    with pytest.raises(BadInput, match="template custom only"):
        edit(there, template="microsoft-windows", keys=str(folder))
    with pytest.raises(BadInput, match="template custom only"):
        edit(there, keys=str(folder))


def test_the_template_that_is_there_keeps_what_was_enrolled(there: World, tmp_path: Path) -> None:
    machine(there)
    said(there, lambda handle: secureboot.enroll(handle, {"db": [key_file(tmp_path, "own db")]}))
    edit(there, template="microsoft-uefi-ca", secure_boot=False)
    found = said(there, _described)
    assert ([key.name for key in found.db][-1], found.secure_boot) == ("own db", False)


def test_the_view_says_what_is_in_nvram(there: World) -> None:
    """As after the guest's own change, and after a kill between the two files."""
    directory = machine(there)
    nv = VariableStore.load(directory / nvram.FILE)
    varstore.set_keys(nv, templates.keys_of("microsoft-windows"))
    varstore.set_secure_boot(nv, False)
    nv.save(directory / nvram.FILE)

    async def look(host: Host, handle: Handle) -> Any:
        return [*(await commands.list_all(host)), view.of(handle)]

    for shown in act(there, look):
        assert (shown.template, shown.secure_boot) == ("microsoft-windows", False)
    shown = edit(there, secure_boot=True)
    assert (shown.template, shown.secure_boot) == ("microsoft-windows", True)
    assert store.load(directory).uefi.template == "microsoft-windows"  # type: ignore[union-attr]
    nv.drop("PK")
    nv.save(directory / nvram.FILE)
    shown = act(there, look)[1]
    assert (shown.template, shown.secure_boot) == ("", False)
    os.truncate(directory / nvram.FILE, 100)
    shown = act(there, look)[1]
    assert (shown.template, shown.secure_boot) == ("microsoft-windows", True)
    with pytest.raises(Damaged):
        said(there, _described)


def test_keys_change_only_while_the_machine_is_off(there: World) -> None:
    directory = machine(there)

    async def work(_host: Host, handle: Handle) -> None:
        for state in ("running", "paused", "saved"):
            handle.state = state
            assert keyview.describe(handle).template == "microsoft-uefi-ca"
            for change in (
                secureboot.enroll(handle, {"db": ["/x.pem"]}),
                secureboot.revoke(handle, [], ["0" * 64]),
                secureboot.reset(handle, None),
                secureboot.update(handle, judge("allowed", "allowed")),
                secureboot.undo(handle),
            ):
                with pytest.raises(Conflict, match=state):
                    await change

    before = (directory / nvram.FILE).read_bytes()
    act(there, work)
    assert (directory / nvram.FILE).read_bytes() == before


def test_looking_wants_less_than_changing() -> None:
    wanted = {name: command.permission for name, command in COMMANDS.items() if name.startswith("secureboot.")}
    assert (wanted.pop("secureboot.show"), wanted.pop("secureboot.audit")) == ("read", "read")
    assert set(wanted.values()) == {"manage"}


def test_generation_1_has_no_keys(there: World) -> None:
    there.put(machines.make(1, nics=()))
    with pytest.raises(NotInGeneration, match="has no Secure Boot"):
        said(there, _described)
    with pytest.raises(NotInGeneration, match="has no Secure Boot"):
        said(there, lambda handle: secureboot.enroll(handle, {"db": []}))
    with pytest.raises(NotInGeneration, match="no Secure Boot keys"):
        edit(there, keys="/x")


def test_virt_firmware_reads_what_was_changed(there: World, tmp_path: Path) -> None:
    directory = machine(there)
    said(there, lambda handle: secureboot.enroll(handle, {"db": [key_file(tmp_path, "own db")]}))
    said(there, lambda handle: secureboot.revoke(handle, [key_file(tmp_path, "lost")], ["ab" * 32]))
    program = "import sys; from virt.firmware.vars import main; sys.argv[0] = 'virt-fw-vars'; sys.exit(main())"
    command = [sys.executable, "-c", program, "--input", str(directory / nvram.FILE), "--print", "--verbose"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "CN=own db" in told.stdout
    assert "CN=lost" in told.stdout
    assert "count=444" in told.stdout, "Microsoft's 443 hashes and the one that was revoked"


def test_changed_keys_of_a_machine_with_a_tpm_are_warned_of(there: World) -> None:
    machine(there, tpm=True)

    async def work(host: Host, handle: Handle) -> list[tuple[str, ...]]:
        told = []
        for changes in (
            Changes(cpus=2),
            Changes(template="microsoft-uefi-ca", secure_boot=True),
            Changes(secure_boot=False),
            Changes(template="microsoft-windows"),
        ):
            await editing.change(host, handle, changes)
            told.append(view.of(handle).warnings)
        handle.warnings.clear()
        await editing.change(host, handle, Changes(template="open-source"))
        return [*told, view.of(handle).warnings]

    assert act(there, work) == [(), (), (keyview.SEALED,), (keyview.SEALED,), (keyview.SEALED,)]


def test_without_a_tpm_nothing_is_sealed(there: World) -> None:
    machine(there)
    assert edit(there, template="microsoft-windows", secure_boot=False).warnings == ()
