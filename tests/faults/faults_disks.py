# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks with known contents, what is done with them, and what must be true of them whatever becomes of that.

Contents are read back by qemu-img, which finds a child's parent by the name in its header, as nobody in Kiban does.
"""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chain_makers import Made, contents, vhdx

from kiban.client import Client

MIB = 1 << 20
SIZE = 24 * MIB
"""Three blocks of a VHDX, of which OLD has data in two."""
BLOCK = 65536
DRIVERS = {".qcow2": "qcow2", ".vhdx": "vhdx", ".vhd": "vpc", ".raw": "raw"}
FOREIGN = ".avhdx"
Contents = Mapping[str, bytes]


def tool(*command: object) -> str:
    """Run a program that must succeed; what it says."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {(done.stderr + done.stdout)[-1000:]}"
    return done.stdout


def _pattern(seed: int) -> bytes:
    data, source = bytearray(SIZE), random.Random(seed)  # noqa: S311  # it shall be the same each time
    for at in (0, 3 * MIB, SIZE - MIB):
        data[at : at + MIB // 2] = source.randbytes(MIB // 2)
    return bytes(data)


OLD = _pattern(1)
EMPTY = bytes(SIZE)


def _changed() -> bytes:
    """What a child has: some over its parent's data, some where the parent has none, and zeros over data."""
    data = bytearray(OLD)
    data[MIB // 4 : 2 * MIB] = random.Random(2).randbytes(2 * MIB - MIB // 4)  # noqa: S311
    data[10 * MIB : 11 * MIB] = random.Random(3).randbytes(MIB)  # noqa: S311
    data[SIZE - MIB : SIZE - MIB + BLOCK] = bytes(BLOCK)
    return bytes(data)


CHANGED = _changed()


def image(path: Path, content: bytes) -> None:
    """An image of the format that its name says."""
    raw = path.with_name(path.name + ".source")
    raw.write_bytes(content)
    options = ["-o", "force_size=on"] if path.suffix == ".vhd" else []
    tool("qemu-img", "convert", "-f", "raw", "-O", DRIVERS[path.suffix], *options, raw, path)
    raw.unlink()


def write(path: Path, old: bytes, new: bytes) -> None:
    """Write into an image what differs, as a guest would."""
    pieces = path.with_name(path.name + ".pieces")
    pieces.mkdir()
    commands: list[str] = []
    for at in range(0, SIZE, BLOCK):
        if new[at : at + BLOCK] != old[at : at + BLOCK]:
            (pieces / str(at)).write_bytes(new[at : at + BLOCK])
            commands += ["-c", f"write -s {pieces / str(at)} {at} {BLOCK}"]
    tool("qemu-io", "-f", DRIVERS[path.suffix], *commands, path)
    shutil.rmtree(pieces)


def content(path: Path) -> bytes:
    """The disk that an image and its parents make; of Hyper-V's, which only Kiban reads and nobody writes, the file."""
    if path.suffix == FOREIGN:
        return path.read_bytes()
    raw = path.with_name(path.name + ".read")
    try:
        tool("qemu-img", "convert", "-f", DRIVERS[path.suffix], "-O", "raw", path, raw)
        return raw.read_bytes()
    finally:
        raw.unlink(missing_ok=True)


def sound(path: Path, *, leaks: bool = False) -> None:
    """An image has no errors, and no clusters that take room for nothing unless `leaks`, if its format has a check."""
    if path.suffix in (".qcow2", ".vhdx"):
        done = subprocess.run(
            ["qemu-img", "check", "-f", DRIVERS[path.suffix], path], capture_output=True, text=True, check=False
        )
        assert done.returncode in ((0, 3) if leaks else (0,)), (done.stdout + done.stderr)[-1000:]


@dataclass(frozen=True)
class Case:
    """What is done with the disks of a folder, and the contents of all of them before and after.

    Args:
        prepare: makes what is there before.
        act: does it.
        before: contents of what is there before, by name.
        after: the same afterwards.
        reads: names of what is only read: not a byte of those files may change.
        beneath: what the disk of another name covers as long as that one is there.
    """

    prepare: Callable[[Client, Path], object]
    act: Callable[[Client, Path], object]
    before: Contents
    after: Contents
    reads: tuple[str, ...] = ()
    beneath: Mapping[str, str] = field(default_factory=dict)

    def check(self, folder: Path, files: Contents) -> None:
        """Whatever happened: everything has its old or its new content, and nothing else is there."""
        there = {entry.name for entry in folder.iterdir()}
        left = there - {*self.before, *self.after}
        assert not left, f"something half made was left: {left}"
        missing = {*self.before} & {*self.after} - there
        assert not missing, f"disks are gone: {missing}"
        assert not [name for name in self.reads if (folder / name).read_bytes() != files[name]]
        for name in there:
            if self.beneath.get(name) not in there:
                allowed = [found[name] for found in (self.before, self.after) if name in found]
                assert content(folder / name) in allowed, f"the content of {name} is neither the old nor the new"
            sound(folder / name, leaks=True)

    def check_done(self, folder: Path) -> None:
        """It was done."""
        assert {entry.name for entry in folder.iterdir()} == {*self.after}
        for name, expected in self.after.items():
            assert content(folder / name) == expected
            sound(folder / name)


def _source(name: str, data: bytes = OLD) -> Callable[[Client, Path], None]:
    return lambda client, folder: image(folder / name, data)


def _pair(parent: str) -> Callable[[Client, Path], None]:
    def make(client: Client, folder: Path) -> None:
        image(folder / parent, OLD)
        client.create_disk(str(folder / "child.qcow2"), parent=str(folder / parent))
        write(folder / "child.qcow2", OLD, CHANGED)

    return make


def _fat_child(client: Client, folder: Path) -> None:
    _pair("parent.vhdx")(client, folder)
    write(folder / "child.qcow2", CHANGED, OLD)
    write(folder / "child.qcow2", OLD, CHANGED[: 10 * MIB] + OLD[10 * MIB :])


def _fat(name: str) -> Callable[[Client, Path], None]:
    """With room for data that is zero by now."""

    def make(client: Client, folder: Path) -> None:
        image(folder / name, CHANGED)
        write(folder / name, CHANGED, OLD)

    return make


def _nothing(client: Client, folder: Path) -> None:
    pass


def _merge(parent: str) -> Case:
    return Case(
        _pair(parent),
        lambda client, folder: client.merge_disk(str(folder / "child.qcow2")),
        {parent: OLD, "child.qcow2": CHANGED},
        {parent: CHANGED},
        beneath={parent: "child.qcow2"},
    )


def _compact(name: str) -> Case:
    both = {name: OLD}
    return Case(_fat(name), lambda client, folder: client.compact_disk(str(folder / name)), both, both)


def _grow(name: str) -> Case:
    return Case(
        _source(name),
        lambda client, folder: client.resize_disk(str(folder / name), 2 * SIZE),
        {name: OLD},
        {name: OLD + EMPTY},
    )


def _shrink(name: str) -> Case:
    return Case(
        _source(name, OLD + EMPTY),
        lambda client, folder: client.resize_disk(str(folder / name), SIZE, shrink=True),
        {name: OLD + EMPTY},
        {name: OLD},
    )


def _convert(source: str, target: str) -> Case:
    return Case(
        _source(source),
        lambda client, folder: client.convert_disk(str(folder / source), str(folder / target)),
        {source: OLD},
        {source: OLD, target: OLD},
        reads=(source,),
    )


def _chain() -> tuple[Contents, bytes]:
    """A differencing disk of Hyper-V's and its parent as files, and the disk that they make."""
    parent, child = Made(SIZE), Made(SIZE)
    parent.writes = [(0, OLD[:MIB]), (SIZE - MIB, OLD[-MIB:])]
    child.writes = [(4 * MIB, OLD[3 * MIB : 4 * MIB])]
    with tempfile.TemporaryDirectory() as folder:
        vhdx(Path(folder, f"parent{FOREIGN}"), parent)
        vhdx(Path(folder, f"child{FOREIGN}"), child, parent, locator={"relative_path": rf".\parent{FOREIGN}"})
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return files, contents([child, parent])


def _convert_chain(target: str) -> Case:
    files, data = _chain()

    def prepare(client: Client, folder: Path) -> None:
        for name, held in files.items():
            (folder / name).write_bytes(held)

    return Case(
        prepare,
        lambda client, folder: client.convert_disk(str(folder / f"child{FOREIGN}"), str(folder / target)),
        files,
        {**files, target: data},
        reads=tuple(files),
    )


BOTH = {"parent.vhdx": OLD, "child.qcow2": CHANGED[: 10 * MIB] + OLD[10 * MIB :]}
CASES = {
    "create fixed": Case(
        _nothing,
        lambda client, folder: client.create_disk(str(folder / "new.vhdx"), SIZE, fixed=True),
        {},
        {"new.vhdx": EMPTY},
    ),
    "create a child": Case(
        _source("parent.vhdx"),
        lambda client, folder: client.create_disk(str(folder / "new.qcow2"), parent=str(folder / "parent.vhdx")),
        {"parent.vhdx": OLD},
        {"parent.vhdx": OLD, "new.qcow2": OLD},
        reads=("parent.vhdx",),
    ),
    "convert to qcow2": _convert("old.vhdx", "new.qcow2"),
    "convert to vhdx": _convert("old.qcow2", "new.vhdx"),
    "convert to vhd": _convert("old.raw", "new.vhd"),
    "convert a chain of Hyper-V's": _convert_chain("new.qcow2"),
    "clone a child": Case(
        _pair("parent.qcow2"),
        lambda client, folder: client.clone_disk(str(folder / "child.qcow2"), str(folder / "new.qcow2")),
        {"parent.qcow2": OLD, "child.qcow2": CHANGED},
        {"parent.qcow2": OLD, "child.qcow2": CHANGED, "new.qcow2": CHANGED},
        reads=("parent.qcow2", "child.qcow2"),
    ),
    "grow qcow2": _grow("a.qcow2"),
    "grow raw": _grow("a.raw"),
    "grow vhdx": _grow("a.vhdx"),
    "grow vhd": _grow("a.vhd"),
    "shrink qcow2": _shrink("a.qcow2"),
    "shrink raw": _shrink("a.raw"),
    "compact qcow2": _compact("a.qcow2"),
    "compact vhdx": _compact("a.vhdx"),
    "compact vhd": _compact("a.vhd"),
    "compact a child": Case(
        _fat_child,
        lambda client, folder: client.compact_disk(str(folder / "child.qcow2")),
        BOTH,
        BOTH,
        reads=("parent.vhdx",),
    ),
    "merge into qcow2": _merge("parent.qcow2"),
    "merge into vhdx": _merge("parent.vhdx"),
    "merge into vhd": _merge("parent.vhd"),
    "merge into raw": _merge("parent.raw"),
}


class Stage:
    """A folder in which a case is played again and again, from the same files each time."""

    def __init__(self, case: Case, client: Client, folder: Path) -> None:
        self.case = case
        self.folder = folder / "disks"
        self._ready = folder / "ready"
        self._ready.mkdir()
        self.folder.mkdir()
        case.prepare(client, self.folder)
        self.files = {entry.name: entry.read_bytes() for entry in self.folder.iterdir()}
        self._move(self.folder, self._ready)

    def _move(self, source: Path, target: Path) -> None:
        target.rmdir()
        source.rename(target)
        source.mkdir()

    def reset(self) -> None:
        """The files as they were, with their times, by which a parent is known not to have been changed."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._ready, self.folder)
