# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders that are not the exported machine that they say they are: refused with a sentence, and nothing is made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk_makers import run as command
from engine_world import World, run, world
from export_makers import MIB, export, machine, needs_programs, take, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.store import exported
from kiban.engine import importing
from kiban.engine.host import Host
from kiban.errors import BadInput, KibanError
from kiban.model.export import MANIFEST
from kiban.model.takeover import ImportRequest

pytestmark = needs_programs


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported machine of generation 2, with a TPM; copies of it are made bad."""
    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch, world(patch) as made:

        async def go() -> None:
            host = await Host.open(made.paths)
            await export(host, await machine(host, folder / "given", 2, tpm=True), folder / "out")

        run(go())
    return folder / "out"


def listed(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MANIFEST).read_text()))


def sign(folder: Path, *names: str) -> None:
    """Let the manifest say what is in the folder now, as somebody would who wants to be believed."""
    files = [run(exported.look(folder / name, lambda _: None)) for name in names or sorted(tree(folder))]
    (folder / MANIFEST).unlink(missing_ok=True)
    exported.write_manifest(folder, tuple(file for file in files if file.name != MANIFEST))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    text = json.loads((folder / "vm.json").read_text())
    change(text)
    (folder / "vm.json").write_text(json.dumps(text))
    sign(folder)


def truncate(folder: Path) -> None:
    os.truncate(folder / "disk0.img", MIB)


def flip(name: str) -> Callable[[Path], None]:
    def bad(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))

    return bad


def linked(folder: Path) -> None:
    target = folder / "disk0.img"
    target.rename(folder.parent / "elsewhere")
    target.symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    (folder / "nvram.fd").unlink()
    os.mkfifo(folder / "nvram.fd")


def manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def bad(folder: Path) -> None:
        text = listed(folder)
        change(text)
        (folder / MANIFEST).write_text(json.dumps(text))

    return bad


def written(text: str) -> Callable[[Path], None]:
    def bad(folder: Path) -> None:
        (folder / MANIFEST).write_text(text)

    return bad


def named(name: str) -> Callable[[Path], None]:
    return manifest(lambda text: text["files"].append({"name": name, "size": 0, "sha256": "0" * 64}))


def definition(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda folder: edit(folder, change)


def backed(folder: Path) -> None:
    command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", folder / "disk2.qcow2", "4M")
    sign(folder)


def data_file(folder: Path) -> None:
    (folder / "disk2.qcow2").unlink()
    place = folder.parent / "data"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={place}", folder / "disk2.qcow2", "4M")
    sign(folder)


def enormous(folder: Path) -> None:
    with (folder / "disk2.qcow2").open("r+b") as file:
        file.seek(24)
        file.write((1 << 60).to_bytes(8, "big"))
    sign(folder)


def with_extra(folder: Path) -> None:
    (folder / "disk9.qcow2").write_bytes(b"")
    sign(folder)


def without(name: str) -> Callable[[Path], None]:
    def bad(folder: Path) -> None:
        (folder / name).unlink()
        sign(folder)

    return bad


def junk(name: str) -> Callable[[Path], None]:
    def bad(folder: Path) -> None:
        (folder / name).write_bytes(b"x" * (folder / name).stat().st_size)
        sign(folder)

    return bad


FORWARD = {"protocol": "tcp", "host_address": "127.0.0.1", "host_port": 8080, "guest_port": 80}
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a disk that was cut off": (truncate, "has 1048576 bytes, not"),
    "a disk with another byte": (flip("disk0.img"), "is not what was exported"),
    "another definition": (flip("vm.json"), "is not what was exported"),
    "other variables": (flip("nvram.fd"), "is not what was exported"),
    "another TPM": (flip("tpm2-00.permall"), "is not what was exported"),
    "a symbolic link": (linked, "is not a file"),
    "a pipe": (pipe, "is not a file"),
    "a path": (named("../vm.json"), "is no file of an export"),
    "an absolute path": (named("/etc/passwd"), "is no file of an export"),
    "a file twice": (named("vm.json"), "names a file twice"),
    "a file that is missing": (named("keys.json"), "is missing"),
    "another version": (manifest(lambda text: text.update(version=2)), "is of version 2"),
    "a manifest that is no object": (written("[]"), "not what an export"),
    "a manifest of nothing": (manifest(lambda text: text.update(files=[])), "does not list vm.json"),
    "a manifest that nests": (written("[" * 99999), "not what an export"),
    "a checksum that is none": (manifest(lambda t: t["files"][0].update(sha256="\x1b[2J")), "is no file of an export"),
    "a definition of another version": (definition(lambda text: text.update(version=99)), "of version 99"),
    "a definition of no generation": (definition(lambda text: text.update(generation=3)), "damaged at generation"),
    "another machine type": (
        definition(lambda text: text["board"].update(machine_type="microvm")),
        "no machine type of that generation",
    ),
    "a newer machine type": (
        definition(lambda text: text["board"].update(machine_type="pc-q35-99.0")),
        "this host's QEMU has",
    ),
    "firmware without a checksum": (
        definition(lambda text: text["board"].update(firmware_code_sha256="\x1b[2J")),
        "firmware has no checksum",
    ),
    "an unknown template": (definition(lambda text: text["uefi"].update(template="mine")), "no Secure Boot template"),
    "a port with an option in it": (
        definition(lambda text: text["nics"][0].update(forwards=[FORWARD | {"host_address": "127.0.0.1,x=y"}])),
        "forwards what is no port",
    ),
    "a disk in another folder": (
        definition(lambda text: text["disks"][0].update(path="../disk0.img")),
        "not in the machine's directory",
    ),
    "a device with a path for a name": (
        definition(lambda text: text["disks"][0].update(id="../x")),
        "not a device's id",
    ),
    "a disk on a file of this host": (backed, "only the changes to another image"),
    "a disk with its data elsewhere": (data_file, "keeps its data in another file"),
    "a disk of an exabyte": (enormous, "disk2.qcow2"),
    "a file that nobody has": (with_extra, "lists disk9.qcow2"),
    "no variables": (without("nvram.fd"), "does not list nvram.fd"),
    "no TPM": (without("tpm2-00.permall"), "does not list tpm2-00.permall"),
    "no disk": (without("disk1.vhdx"), "does not list disk1.vhdx"),
    "variables that are none": (junk("nvram.fd"), "cannot be understood"),
    "a disk that is none": (junk("disk1.vhdx"), "is not a vhdx image"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_folder_that_is_not_what_it_says(there: World, tmp_path: Path, sample: Path, case: str) -> None:
    make_bad, words = BAD[case]
    folder = Path(shutil.copytree(sample, tmp_path / "out"))
    make_bad(folder)

    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(KibanError, match=words):
            await take(host, folder)
        assert not list(there.paths.machines.iterdir())

    run(go())


def test_paths_in_a_definition_choose_no_files_of_the_host(there: World, tmp_path: Path, sample: Path) -> None:
    folder = Path(shutil.copytree(sample, tmp_path / "out"))
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(MIB))

    def change(text: dict[str, Any]) -> None:
        text["disks"][0].update(path=str(secret), owned=False)
        text["board"].update(firmware_code=str(secret), firmware_descriptor=str(secret))
        text["dvds"] = [{"id": "dvd0", "bus": "scsi", "slot": 9, "medium": str(secret)}]
        text["coms"] = [{"number": n, "kind": "file", "path": path} for n, path in ((1, str(secret)), (2, ""))]

    edit(folder, change)

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await take(host, folder)
        assert str(secret) not in (handle.directory / "vm.json").read_text()
        assert [(com.kind, com.path) for com in handle.machine.coms] == [("socket", ""), ("socket", "")]
        assert secret.read_bytes() == bytes(MIB)

    run(go())


def test_a_machine_is_made_again_as_it_was(there: World, sample: Path) -> None:
    for said in ({"generation": 1}, {"lazy": True}, {"guest": "win10"}, {"format": "raw"}, {"checkpoint": "x"}):
        with pytest.raises(BadInput):
            run(importing.plan(ImportRequest(path=str(sample), **said)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([MANIFEST, "vm.json"]), st.data())
def test_damage_of_any_kind_is_an_error_of_ours(tmp_path: Path, sample: Path, name: str, data: st.DataObject) -> None:
    folder = tmp_path / "out"
    if not folder.exists():
        folder.mkdir()
        for file in sample.iterdir():
            os.link(file, folder / file.name)
    text = bytearray((sample / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    for written in (MANIFEST, "vm.json"):
        (folder / written).unlink(missing_ok=True)
        (folder / written).write_bytes((sample / written).read_bytes())
    (folder / name).write_bytes(bytes(text))
    if name == "vm.json":
        sign(folder)
    said = ""
    try:
        run(importing.plan(ImportRequest(path=str(folder))))
    except KibanError as error:
        said = str(error)
    assert said == "" or said.isprintable()
