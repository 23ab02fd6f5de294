# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding parents by their ids: where is looked, what is refused and how that is said, and what is never opened."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chain_makers import MIB, Made, vhd, vhdx
from vhdx_makers import seal

from kiban.adapters.chains import cell, locate, runner
from kiban.errors import BadInput, Conflict, Damaged, Failed, NotAllowed, NotFound, TimedOut

EPOCH = 946684800


def names(chain: runner.Chain) -> list[str]:
    return [link.path.name for link in chain.links]


def pair(folder: Path, parent: str = "parent.vhdx", **locator: str) -> tuple[Path, Made]:
    """A child in the folder, and a parent there under that name."""
    base = Made(MIB)
    path = folder / parent
    path.parent.mkdir(parents=True, exist_ok=True)
    vhdx(path, base)
    folder.mkdir(exist_ok=True)
    return vhdx(
        folder / "child.avhdx", Made(2 * MIB), base, locator=locator or {"relative_path": ".\\parent.vhdx"}
    ), base


def test_a_chain_says_what_it_is_made_of(tmp_path: Path) -> None:
    child, base = pair(tmp_path)
    chain = runner.describe(child, "vhdx")
    assert (chain.size, chain.form) == (2 * MIB, "vhdx")
    assert [(link.path, link.size) for link in chain.links] == [(child, 2 * MIB), (tmp_path / "parent.vhdx", MIB)]
    assert chain.links[1].id == str(base.id)
    assert names(runner.describe(tmp_path / "parent.vhdx", "vhdx")) == ["parent.vhdx"]


@pytest.mark.parametrize(
    ("place", "locator"),
    [
        ("parent.vhdx", {"relative_path": ".\\parent.vhdx"}),
        ("parent.vhdx", {"relative_path": "parent.vhdx"}),
        ("Parent.VHDX", {"relative_path": ".\\pARENT.vhdx"}),
        ("deep/er/parent.vhdx", {"relative_path": ".\\Deep\\er\\parent.vhdx"}),
        ("parent.vhdx", {"relative_path": "..\\gone\\parent.vhdx"}),
        ("parent.vhdx", {"absolute_win32_path": "\\\\?\\D:\\Hyper-V\\parent.vhdx"}),
        ("parent.vhdx", {"volume_path": "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\x\\parent.vhdx"}),
        ("renamed.vhdx", {"relative_path": ".\\parent.vhdx"}),
        ("parent.vhdx", {"relative_path": ""}),
    ],
)
def test_a_parent_is_found(tmp_path: Path, place: str, locator: dict[str, str]) -> None:
    child, _ = pair(tmp_path, place, **locator)
    assert runner.describe(child, "vhdx").links[1].path == tmp_path / place


def test_the_right_one_is_found_beside_one_of_its_name(tmp_path: Path) -> None:
    child, base = pair(tmp_path / "a")
    vhdx(tmp_path / "a" / "parent.vhdx", Made(MIB))
    right = tmp_path / "b" / "parent.vhdx"
    right.parent.mkdir()
    vhdx(right, base)
    assert runner.describe(child, "vhdx", [right.parent]).links[1].path == right


def test_a_changed_parent_is_named(tmp_path: Path) -> None:
    child, base = pair(tmp_path)
    vhdx(tmp_path / "parent.vhdx", Made(MIB))
    with pytest.raises(Conflict, match=r"parent\.vhdx is not what .*child\.avhdx was made of") as refused:
        runner.describe(child, "vhdx")
    assert refused.value.reason == "changed-parent"
    assert str(base.id) in refused.value.message


def test_a_missing_parent_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    child, base = pair(tmp_path / "a", relative_path="..\\x\\parent.vhdx")
    (tmp_path / "a" / "parent.vhdx").unlink()
    (tmp_path / "b").mkdir()
    with pytest.raises(NotFound) as refused:
        runner.describe(child, "vhdx", [tmp_path / "b"])
    assert refused.value.reason == "missing-parent"
    for place in ("x/parent.vhdx (not there)", "a/parent.vhdx (not there)", "b/parent.vhdx (not there)"):
        assert place in refused.value.message
    assert str(base.id) in refused.value.hint


def test_what_lies_outside_is_not_opened(tmp_path: Path) -> None:
    """Not by a path that leads out, not by links, and not when it is the very parent; until its folder is named."""
    child, base = pair(tmp_path / "a", relative_path="..\\b\\parent.vhdx")
    (tmp_path / "a" / "parent.vhdx").unlink()
    outside = tmp_path / "b" / "parent.vhdx"
    outside.parent.mkdir()
    vhdx(outside, base)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "parent.vhdx").symlink_to(outside)
    with pytest.raises(NotFound, match="outside of the folders") as refused:
        runner.describe(child, "vhdx")
    assert "a/parent.vhdx (not a file)" in refused.value.message
    through = vhdx(tmp_path / "a" / "through.avhdx", Made(MIB), base, locator={"relative_path": ".\\b\\parent.vhdx"})
    with pytest.raises(NotFound, match="outside of the folders"):
        runner.describe(through, "vhdx")
    assert runner.describe(child, "vhdx", [tmp_path / "b"]).links[1].path == outside


@pytest.mark.parametrize(
    "path",
    [
        "..\\..\\..\\..\\..\\..\\..\\..\\etc\\passwd",
        "/etc/passwd",
        "C:\\..\\..\\dev\\zero",
        "\\\\server\\share\\parent.vhdx",
        "nbd:unix:\\socket",
        "a\nb\x1b[2J.vhdx",
        "\ud800.vhdx",
        "x" * 3000,
        "..\\" * 1000 + "x",
        ".",
        "..",
        "pipe.vhdx",
        "folder.vhdx",
    ],
)
def test_hostile_paths_find_nothing(tmp_path: Path, path: str) -> None:
    child = vhdx(tmp_path / "child.avhdx", Made(MIB), Made(MIB), locator={"relative_path": path})
    os.mkfifo(tmp_path / "pipe.vhdx")
    (tmp_path / "folder.vhdx").mkdir()
    with pytest.raises(NotFound) as refused:
        runner.describe(child, "vhdx")
    assert refused.value.reason == "missing-parent"
    assert "\x1b" not in refused.value.message
    assert "(id" not in refused.value.message.replace("child.avhdx (id", ""), "nothing else was looked into"


def test_a_file_that_cannot_be_looked_into_is_only_listed(tmp_path: Path) -> None:
    child, _ = pair(tmp_path)
    (tmp_path / "parent.vhdx").write_bytes(b"no disk at all" * 100_000)
    with pytest.raises(NotFound, match="no VHDX image"):
        runner.describe(child, "vhdx")


def test_loops_are_refused(tmp_path: Path) -> None:
    first, second = Made(MIB), Made(MIB)
    vhdx(tmp_path / "1.vhdx", first, second, locator={"relative_path": "2.vhdx"})
    vhdx(tmp_path / "2.vhdx", second, first, locator={"relative_path": "1.vhdx"})
    itself = Made(MIB)
    vhdx(tmp_path / "3.vhdx", itself, itself, locator={"relative_path": "3.vhdx"})
    for name in ("1.vhdx", "2.vhdx", "3.vhdx"):
        with pytest.raises(BadInput) as refused:
            runner.describe(tmp_path / name, "vhdx")
        assert refused.value.reason == "parent-loop"


def test_a_chain_has_a_longest_length(tmp_path: Path) -> None:
    below: Made | None = None
    for number in range(65):
        made = Made(MIB)
        vhd(tmp_path / f"{number}.vhd", made, below, relative=f".\\{number - 1}.vhd")
        below = made
    assert len(runner.describe(tmp_path / "63.vhd", "vhd").links) == 64
    with pytest.raises(BadInput) as refused:
        runner.describe(tmp_path / "64.vhd", "vhd")
    assert refused.value.reason == "chain-too-long"


def test_an_id_of_zeros_is_nobodys(tmp_path: Path) -> None:
    """Hyper-V writes one as the second id; a file that has it too is no parent."""
    nobody = Made(MIB, id=uuid.UUID(int=0))
    base = Made(MIB)
    second = {"parent_linkage2": f"{{{nobody.id}}}", "relative_path": ".\\parent.vhdx"}
    child = vhdx(tmp_path / "child.avhdx", Made(MIB), base, locator=second)
    vhdx(tmp_path / "parent.vhdx", nobody)
    with pytest.raises(Conflict):
        runner.describe(child, "vhdx")
    vhdx(tmp_path / "right.vhdx", base)
    assert names(runner.describe(child, "vhdx")) == ["child.avhdx", "right.vhdx"]
    with pytest.raises(BadInput, match="does not say which"):
        runner.describe(vhd(tmp_path / "child.vhd", Made(MIB), nobody), "vhd")


def test_a_child_without_its_parents_id_is_refused(tmp_path: Path) -> None:
    child = vhdx(tmp_path / "c.vhdx", Made(MIB), None, locator={"relative_path": ".\\parent.vhdx"})
    with pytest.raises(BadInput, match="does not say which"):
        runner.describe(child, "vhdx")


# VHD knows a parent by its id, which stays, and the time of its last change


def vhd_pair(folder: Path, stamp: int, modified: int) -> Path:
    base = Made(MIB)
    os.utime(vhd(folder / "parent.vhd", base), (modified, modified))
    return vhd(folder / "child.avhd", Made(MIB), base, stamp=stamp)


@pytest.mark.parametrize(
    ("stamp", "modified"),
    [
        (1000, EPOCH + 1000),
        (1000, EPOCH + 1002),
        (0, 5),
        (700_000_000, 5),  # what the parent's footer says, by some writers
    ],
)
def test_a_vhds_parent_of_the_right_time(tmp_path: Path, stamp: int, modified: int) -> None:
    assert names(runner.describe(vhd_pair(tmp_path, stamp, modified), "vhd")) == ["child.avhd", "parent.vhd"]


def test_a_vhds_parent_that_was_written_later(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"parent\.vhd was written after") as refused:
        runner.describe(vhd_pair(tmp_path, 1000, EPOCH + 1005), "vhd")
    assert refused.value.reason == "changed-parent"


def test_a_vhds_parent_of_another_id(tmp_path: Path) -> None:
    child = vhd_pair(tmp_path, 0, 5)
    vhd(tmp_path / "parent.vhd", Made(MIB))
    with pytest.raises(Conflict, match="is not what"):
        runner.describe(child, "vhd")


# the first file, and the process that looks


def test_a_first_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(NotFound):
        runner.describe(tmp_path / "nothing", "vhdx")
    with pytest.raises(BadInput, match="pipe"):
        runner.describe(tmp_path / "pipe", "vhdx")
    with pytest.raises(BadInput, match="format"):
        runner.describe(tmp_path / "short", "qcow2")
    with pytest.raises(Damaged, match=r"short: It is no VHDX"):
        runner.describe(tmp_path / "short", "vhdx")
    with pytest.raises(NotFound, match="folder"):
        runner.describe(pair(tmp_path)[0], "vhdx", [tmp_path / "nowhere"])


def test_a_damaged_parent_is_named(tmp_path: Path) -> None:
    child, _ = pair(tmp_path)
    data = bytearray((tmp_path / "parent.vhdx").read_bytes())
    for at in (192 << 10, 256 << 10):
        data[at + 50] ^= 1
    (tmp_path / "parent.vhdx").write_bytes(data)
    with pytest.raises(Damaged, match=r"parent\.vhdx: Both region tables"):
        runner.describe(child, "vhdx")


def test_a_log_that_cannot_be_replayed_refuses_the_chain(tmp_path: Path) -> None:
    child, _ = pair(tmp_path)
    data = bytearray((tmp_path / "parent.vhdx").read_bytes())
    for at in (64 << 10, 128 << 10):
        data[at + 48] = 1
        seal(data, at, 4096)
    (tmp_path / "parent.vhdx").write_bytes(data)
    with pytest.raises(Damaged, match=r"parent\.vhdx: .*log is damaged"):
        runner.describe(child, "vhdx")


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let another program run in the cell's place; `s` is its socket."""

    def run(program: str) -> None:
        start = "import socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=0); s.recv(99)\n"
        monkeypatch.setattr(cell, "_PROGRAM", start + program)

    return run


LINK = {"size": MIB, "id": "x", "sectors": "512", "parent": None}


@pytest.mark.parametrize(
    "answer",
    [
        "nonsense",
        "[]",
        "{}",
        '{"error": 5}',
        json.dumps({"link": LINK | {"size": -1}}),
        json.dumps({"link": LINK | {"size": "1"}}),
        json.dumps({"link": LINK | {"size": 65 << 40}}),
        json.dumps({"link": LINK | {"parent": [1]}}),
        json.dumps({"link": LINK | {"parent": {"names": 5}}}),
        "[" * 60_000,
    ],
)
def test_nonsense_of_the_cell_is_a_sentence(tmp_path: Path, instead: Callable[[str], None], answer: str) -> None:
    instead(f"s.send({answer!r}.encode()); time.sleep(60)")
    with pytest.raises(Failed, match="nonsense"):
        runner.describe(pair(tmp_path)[0], "vhdx")


@pytest.mark.parametrize("end", ["s.close(); time.sleep(600)", "import os, signal; os.kill(os.getpid(), 31)", "1 / 0"])
def test_an_end_without_an_answer_is_a_sentence(tmp_path: Path, instead: Callable[[str], None], end: str) -> None:
    instead(end)
    with pytest.raises(Failed, match="without an answer"):
        runner.describe(pair(tmp_path)[0], "vhdx")


def test_a_cell_that_takes_too_long_is_ended(
    tmp_path: Path, instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[cell.Cell] = []
    ask = cell.Cell.ask

    def asked(self: cell.Cell, descriptor: int, path: Path) -> cell.Told | str:
        cells.append(self)
        return ask(self, descriptor, path)

    monkeypatch.setattr(cell.Cell, "ask", asked)
    instead("time.sleep(600)")
    with pytest.raises(TimedOut):
        runner.describe(pair(tmp_path)[0], "vhdx", seconds=2)
    assert [each.process.returncode is None for each in cells] == [False]


def test_a_cell_that_lies_gets_no_file_from_outside(tmp_path: Path, instead: Callable[[str], None]) -> None:
    child, _ = pair(tmp_path / "a")
    vhdx(tmp_path / "secret.vhdx", Made(MIB))
    told = json.dumps({"link": LINK | {"parent": {"relative": "..\\secret.vhdx", "names": [], "ids": ["y"]}}})
    instead(f's.send({told!r}.encode())\nwhile s.recv(99): s.send(b\'{{"refused": "id z"}}\')')
    with pytest.raises((NotFound, Conflict)) as refused:
        runner.describe(child, "vhdx")
    assert "secret.vhdx is not" not in refused.value.message


# where is looked, at its bounds


def test_not_all_files_of_a_large_folder_are_looked_at(tmp_path: Path) -> None:
    for number in range(locate.MOST_CANDIDATES + 50):
        (tmp_path / f"{number:04}.vhdx").touch()
    found = list(locate.candidates(tmp_path / "c.vhdx", "", (), [tmp_path], "vhdx"))
    assert len(found) == locate.MOST_CANDIDATES
    assert not any(each.named for each in found)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "socket.vhdx"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


def test_only_files_are_opened(guarded: Path, tmp_path: Path) -> None:
    assert locate.open_inside(guarded, [tmp_path]) == "not a file"
    assert locate.open_inside(Path("/dev/null"), [Path("/dev")]) == "not a file"
    assert locate.open_inside(tmp_path / "nothing", [tmp_path]) == "not there"
    (tmp_path / "file").touch()
    assert locate.open_inside(tmp_path / "file" / "below", [tmp_path]) == "not there"
    assert locate.open_inside(tmp_path / "file", [tmp_path / "other"]) == "outside of the folders that were named"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_first_file_that_may_not_be_read(tmp_path: Path) -> None:
    child, _ = pair(tmp_path)
    child.chmod(0)
    with pytest.raises(NotAllowed):
        runner.describe(child, "vhdx")
