# SPDX-License-Identifier: GPL-2.0-or-later
"""Machine directories: definitions that are whole or not there, damage that is named, and steps that are one step."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kiban.adapters.store import directory as store
from kiban.errors import Conflict, Damaged, HostLacks, KibanError, NotFound
from kiban.model.machine import Machine
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NetBootRequest, NicRequest

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def rich(number: int = 2) -> Machine:
    """A machine with something of everything."""
    boot = NetBootRequest(folder="/b", file="f")
    return machines.make(
        number,
        disks=(DiskRequest(size=1 << 30), DiskRequest(path="/i.vhdx", format="vhdx", bus="scsi")),
        dvds=(DvdRequest(iso="/a.iso"), DvdRequest()),
        nics=(NicRequest(boot=boot), NicRequest(network="none")),
        coms=(ComRequest(number=1, kind="socket"),),
        notes="ünïcode \n notes",
    )


def kept(parent: Path, machine: Machine) -> Path:
    directory = parent / machine.id
    directory.mkdir(exist_ok=True)
    store.save(directory, machine)
    return directory


def outcome(directory: Path) -> Machine | Damaged:
    """What load gives or raises on purpose; anything else is a failure of the test."""
    try:
        return store.load(directory)
    except Damaged as error:
        return error


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_saved_is_loaded(tmp_path: Path, number: int) -> None:
    machine = rich(number)
    directory = kept(tmp_path, machine)
    assert store.load(directory) == machine
    assert [p.name for p in directory.iterdir()] == ["vm.json"]
    assert (directory / "vm.json").stat().st_mode & 0o777 == 0o600


STEPS = ["os.fsync", "pathlib.Path.replace", "kiban.adapters.files.sync_directory"]


@pytest.mark.parametrize("step", STEPS)
def test_an_error_at_any_step_leaves_one_whole_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old, new = rich(), machines.make(2, name="other")
    directory = kept(tmp_path, old)

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, fails)
        with pytest.raises(HostLacks, match="No space left on device") as caught:
            store.save(directory, new)
    assert caught.value.hint
    # only the last step comes after the new one has taken the place
    assert store.load(directory) == (new if "sync_directory" in step else old)
    assert [p.name for p in directory.iterdir()] == ["vm.json"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_one_whole_definition(tmp_path: Path, step: str) -> None:
    old, new = rich(), machines.make(2, name="other")
    directory = kept(tmp_path, old)
    child = os.fork()
    if child == 0:  # a real process that really dies there: no handler, no finally
        patch = pytest.MonkeyPatch()
        patch.setattr(step, lambda *_: os.kill(os.getpid(), 9))
        store.save(directory, new)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert store.load(directory) == (new if "sync_directory" in step else old)
    store.save(directory, new)
    assert store.load(directory) == new


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("this root may not mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_definition(full_disk: Path) -> None:
    old = rich()
    directory = kept(full_disk, old)
    with (directory / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    assert os.statvfs(full_disk).f_bavail == 0
    with pytest.raises(HostLacks, match=r"vm\.json: No space left"):
        store.save(directory, machines.make(2, notes="x" * 5000))
    assert store.load(directory) == old
    assert sorted(p.name for p in directory.iterdir()) == ["filler", "vm.json"]
    # no room for another directory is said just as well, and nothing keeps the machine from being removed
    store.remove(directory)
    assert list(full_disk.iterdir()) == []


@FOLDER
@given(st.binary(max_size=300))
@example(b"")
@example(b"null")
@example(b"[" * 100_000)
@example(b'{"version": 1}')
@example(b'{"version": 1, "memory": ' + b"9" * 5000 + b"}")
@example(b"\xff\xfe{}")
@example(b'{"version": 1e400}')
def test_any_bytes_are_damaged(tmp_path: Path, content: bytes) -> None:
    directory = kept(tmp_path, rich())
    (directory / "vm.json").write_bytes(content)
    error = outcome(directory)
    assert isinstance(error, Damaged)
    assert str(directory) in error.message
    assert error.hint
    assert (directory / "vm.json").read_bytes() == content


@FOLDER
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=4), st.sampled_from([1, 2]))
def test_flipped_bytes_are_damaged_or_a_machine(tmp_path: Path, place: int, bytes_: bytes, number: int) -> None:
    directory = kept(tmp_path, rich(number))
    content = (directory / "vm.json").read_bytes()
    place %= len(content)
    (directory / "vm.json").write_bytes(content[:place] + bytes_ + content[place + len(bytes_) :])
    survives(directory)


def survives(directory: Path) -> None:
    """What loads can be saved and loads again as the same."""
    loaded = outcome(directory)
    if isinstance(loaded, Machine):
        store.save(directory, loaded)
        assert store.load(directory) == loaded


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a JSON document."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield from places(below, (*path, key))


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 2, 2**70, 1.5, float("nan"), "", "x", "../../etc/passwd", "a,b=c", "\ud800", "\0", [], {}, [1]]
)


@settings(FOLDER, max_examples=300)
@given(st.data(), JUNK, st.sampled_from([1, 2]))
def test_any_field_may_hold_junk(tmp_path: Path, data: st.DataObject, junk: Any, number: int) -> None:
    directory = kept(tmp_path, rich(number))
    document = json.loads((directory / "vm.json").read_bytes())
    path = data.draw(st.sampled_from([p for p in places(document) if p]))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()) and isinstance(holder, dict):
        del holder[path[-1]]
    else:
        holder[path[-1]] = junk
    (directory / "vm.json").write_text(json.dumps(document))
    survives(directory)


WRONG: list[tuple[int, dict[str, Any], str]] = [
    (2, {"name": "a,b"}, "cannot be a machine's name"),
    (2, {"cpus": 1000}, "virtual processors"),
    (2, {"generation": 1}, "virtual processors|TPM|video|UEFI"),
    (1, {"boot": []}, "boot order does not have each class"),
    (2, {"boot": ["disk7"]}, "names a device that is not there"),
    (2, {"uefi": None}, "UEFI settings"),
    (1, {"floppy": None}, "floppy drive"),
    (2, {"nics": []}, "names a device that is not there"),
    (1, {"coms": []}, "COM1 is missing"),
    (1, {"id": "\ud800"}, "characters that are none"),
]


@pytest.mark.parametrize(("number", "change", "words"), WRONG)
def test_what_no_contract_made_is_damaged(tmp_path: Path, number: int, change: dict[str, Any], words: str) -> None:
    directory = kept(tmp_path, rich(number))
    document = json.loads((directory / "vm.json").read_bytes()) | change
    (directory / "vm.json").write_text(json.dumps(document))
    with pytest.raises(Damaged, match=f"(?i){words}"):
        store.load(directory)


DISKS: list[tuple[dict[str, Any], str]] = [
    ({"path": "../other/disk0.qcow2"}, "not in the machine's directory"),
    ({"path": "/etc/shadow"}, "not in the machine's directory"),
    ({"path": ".."}, "not in the machine's directory"),
    ({"owned": False}, "not absolute"),
    ({"slot": 1}, "two drives have one slot"),
    ({"slot": 256}, "on a slot"),
    ({"slot": -1}, "on a slot"),
    ({"bus": "ide"}, "on IDE, where a generation 2 machine does not have it"),
    ({"bus": "usb"}, "on USB, where"),
    ({"bus": "nvme", "slot": 8}, "on a slot of nvme"),
    ({"id": "disk1"}, "two devices have one id"),
    ({"id": "d,isk"}, "not a device's id"),
]


@pytest.mark.parametrize(("change", "words"), DISKS)
def test_a_disk_that_no_contract_made_is_damaged(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    directory = kept(tmp_path, rich())
    document = json.loads((directory / "vm.json").read_bytes())
    document["disks"][0] |= change
    (directory / "vm.json").write_text(json.dumps(document))
    with pytest.raises(Damaged, match=f"(?i){words}"):
        store.load(directory)


def test_another_version(tmp_path: Path) -> None:
    directory = kept(tmp_path, rich())
    text = (directory / "vm.json").read_text().replace('"version": 1', '"version": 2')
    (directory / "vm.json").write_text(text)
    with pytest.raises(Damaged, match="of version 2; this Kiban reads version 1") as caught:
        store.load(directory)
    assert caught.value.reason == "other-version"


def test_a_copied_directory(tmp_path: Path) -> None:
    copy = kept(tmp_path, rich()).rename(tmp_path / "00000000-0000-0000-0000-00000000000b")
    with pytest.raises(Damaged, match="definition of another machine") as caught:
        store.load(copy)
    assert caught.value.reason == "copied-machine"


def test_what_is_not_a_definition(tmp_path: Path) -> None:
    directory = kept(tmp_path, rich())
    (directory / "vm.json").write_bytes(b" " * (store.MAX_BYTES + 1))
    with pytest.raises(Damaged, match="larger than a definition"):
        store.load(directory)
    (directory / "vm.json").unlink()
    with pytest.raises(Damaged, match="is missing"):
        store.load(directory)
    (directory / "vm.json").mkdir()
    with pytest.raises(Damaged, match="cannot be read"):
        store.load(directory)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b"{", b"null"])
def test_a_damaged_status_is_no_status(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert store.read_status(tmp_path) == {}


def test_status(tmp_path: Path) -> None:
    assert store.read_status(tmp_path) == {}
    store.write_status(tmp_path, {"reason": "the guest shut down"})
    assert store.read_status(tmp_path) == {"reason": "the guest shut down"}


# appearing and disappearing


def test_scan_finds_machines_only(tmp_path: Path) -> None:
    directories = [kept(tmp_path, machines.make(1, serial=n)) for n in (3, 1, 2)]
    for name in ("lost+found", ".new-00000000-0000-0000-0000-000000000009", "00000000-0000-0000-0000-00000000000B"):
        (tmp_path / name).mkdir()
    (tmp_path / "00000000-0000-0000-0000-000000000008").write_text("a file")
    assert list(store.scan(tmp_path)) == sorted(directories)
    assert list(store.scan(tmp_path / "none")) == []


def test_a_machine_appears_when_it_is_published(tmp_path: Path) -> None:
    machine = rich()
    staged = store.stage(tmp_path, machine.id)
    store.save(staged, machine)
    assert store.load(staged) == machine
    assert list(store.scan(tmp_path)) == []
    final = store.publish(staged)
    assert list(store.scan(tmp_path)) == [final]
    assert store.load(final) == machine
    with pytest.raises(HostLacks):
        store.stage(tmp_path / "none", machine.id)


def test_nothing_is_published_over_a_machine(tmp_path: Path) -> None:
    machine = rich()
    kept(tmp_path, machine)
    staged = store.stage(tmp_path, machine.id)
    with pytest.raises(Conflict, match="exists already"):
        store.publish(staged)
    assert store.load(tmp_path / machine.id) == machine


def test_remove_and_remove_again(tmp_path: Path) -> None:
    directory = kept(tmp_path, rich())
    (directory / "tpm").mkdir()
    store.remove(directory)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound, match="gone already") as caught:
        store.remove(directory)
    assert caught.value.hint


def test_a_machine_that_cannot_be_removed_is_still_there(tmp_path: Path) -> None:
    machine = rich()
    directory = kept(tmp_path, machine)
    (tmp_path / f"{store.GONE}{machine.id}" / "full").mkdir(parents=True)
    with pytest.raises(KibanError, match="Cannot remove"):
        store.remove(directory)
    assert store.load(directory) == machine


def test_sweep_clears_what_is_half_made_or_half_removed(tmp_path: Path) -> None:
    directory = kept(tmp_path, rich())
    for prefix in (store.NEW, store.GONE):
        (tmp_path / f"{prefix}x" / "tpm").mkdir(parents=True)
    assert len(store.sweep(tmp_path)) == 2
    assert list(tmp_path.iterdir()) == [directory]
    assert store.sweep(tmp_path / "none") == []
