# SPDX-License-Identifier: GPL-2.0-or-later
"""Chains of differencing disks: whose parent is believed, what a change of it does, merging back; and hostile ones."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from disk_chains import KEY, SIZE, child, content, digest, leave_log, make, read, read_chain, run, tool, use, write

from kiban.adapters.disk import chain, changing, merging, seal, vhdxlog
from kiban.adapters.disk.facts import read_facts
from kiban.adapters.disk.formats import FORMATS, READABLE, format_of
from kiban.adapters.disk.tool import Outcome
from kiban.errors import BadInput, Damaged, HostLacks, KibanError, NotFound
from kiban.model.units import MiB

QCOW2 = FORMATS["qcow2"]


def reason(path: Path, *, strict: bool = False, key: bytes = KEY, form: str = "qcow2") -> str:
    """Why a chain is refused; "" when it is not."""
    refused: list[KibanError] = []
    try:
        with chain.opened(path, READABLE[form], key, strict=strict):
            pass
    except KibanError as error:
        refused.append(error)
    assert all(error.hint for error in refused)
    return refused[0].reason if refused else ""


@pytest.mark.parametrize("form", FORMATS)
def test_a_child_has_its_parents_content_and_its_own(tmp_path: Path, form: str) -> None:
    data = content()
    parent = make(tmp_path / f"parent.{form}", form, data)
    one = child(tmp_path / "one.qcow2", parent, form)
    two = child(tmp_path / "two.qcow2", one, size=2 * SIZE)
    write(one, MiB, b"1" * MiB)  # the parent of two
    assert reason(two) == "parent-changed"
    two.unlink()
    child(two, one, size=2 * SIZE)
    write(two, 5 * MiB, b"2" * 512)
    before = digest(parent), digest(one)
    expected = bytearray(data + bytes(SIZE))
    expected[MiB : 2 * MiB] = b"1" * MiB
    expected[5 * MiB : 5 * MiB + 512] = b"2" * 512
    assert read_chain(two) == expected
    assert (digest(parent), digest(one)) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_change_of_the_parent_is_noticed(tmp_path: Path, form: str) -> None:
    parent = make(tmp_path / f"parent.{form}", form, content())
    upper = child(tmp_path / "upper.qcow2", parent, form)
    assert reason(upper, strict=True) == ""
    write(parent, 0, b"x" * 512, form)
    assert reason(upper) == reason(upper, strict=True) == "parent-changed"


def test_a_parent_that_was_copied_back_with_its_time_is_right(tmp_path: Path) -> None:
    parent = make(tmp_path / "parent.qcow2", "qcow2", content())
    upper = child(tmp_path / "upper.qcow2", parent)
    tool("cp", "-p", parent, tmp_path / "copy")
    parent.unlink()
    assert reason(upper) == "no-parent"
    (tmp_path / "copy").rename(parent)
    assert reason(upper, strict=True) == ""


def test_parent_and_child_can_be_moved_together(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    upper = child(tmp_path / "a" / "upper.qcow2", make(tmp_path / "a" / "parent.qcow2", "qcow2", content()))
    (tmp_path / "a").rename(tmp_path / "b")
    assert reason(tmp_path / "b" / upper.name, strict=True) == ""


def test_only_a_child_that_was_made_here_leads_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    secret = make(tmp_path / "secret.raw", "raw", content())
    for backing, form in ((str(secret), "raw"), ("../secret.raw", "raw"), ("../other.qcow2", "qcow2")):
        tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", form, tmp_path / "there" / "x", SIZE)
        assert reason(tmp_path / "there" / "x") == "parent-elsewhere"
    (tmp_path / "there" / "x").unlink()
    upper = child(tmp_path / "there" / "x", secret, "raw")
    assert reason(upper, strict=True) == ""
    assert reason(upper, key=b"other" * 6 + b"..") == "parent-elsewhere"


def test_a_raw_parent_beside_is_no_exception_nor_is_a_link_out(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    make(tmp_path / "there" / "raw", "raw", content())
    make(tmp_path / "secret.qcow2", "qcow2", content())
    (tmp_path / "there" / "link.qcow2").symlink_to(tmp_path / "secret.qcow2")
    for backing, form in (("raw", "raw"), ("link.qcow2", "qcow2")):
        tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", form, tmp_path / "there" / "x", SIZE)
        assert reason(tmp_path / "there" / "x") == "parent-elsewhere"


def test_a_foreign_pair_in_one_folder_is_read_but_no_machine_gets_it(tmp_path: Path) -> None:
    data = content()
    make(tmp_path / "lower.qcow2", "qcow2", data)
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", "lower.qcow2", "-F", "qcow2", tmp_path / "upper.qcow2")
    assert read_chain(tmp_path / "upper.qcow2") == data
    assert reason(tmp_path / "upper.qcow2", strict=True) == "parent-elsewhere"


@pytest.mark.parametrize("backing", ["nbd:localhost:1", "json:{}", "http://h/x", "fat:rw:/", "ssh://h/x"])
def test_a_parent_is_a_file_and_no_protocol(tmp_path: Path, backing: str) -> None:
    tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", tmp_path / "x", SIZE)
    assert reason(tmp_path / "x") == "parent-elsewhere"


def test_a_parent_without_a_named_format_is_not_probed(tmp_path: Path) -> None:
    make(tmp_path / "lower.qcow2", "qcow2", content())
    made = make(tmp_path / "upper.qcow2", "qcow2", content())
    data = bytearray(made.read_bytes())
    struct.pack_into(">QI", data, 8, 4000, len("lower.qcow2"))
    data[4000:4011] = b"lower.qcow2"
    made.write_bytes(data)
    assert reason(made) == "no-parent-format"


def test_a_chain_without_an_end(tmp_path: Path) -> None:
    names = [f"{n}.qcow2" for n in range(3)]
    for n, name in enumerate(names):
        backing = names[(n + 1) % 3]
        tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", tmp_path / name, SIZE)
    assert reason(tmp_path / names[0]) == "chain-loop"


def test_a_chain_longer_than_any(tmp_path: Path) -> None:
    make(tmp_path / "0.qcow2", "qcow2", content())
    for n in range(1, chain.DEEPEST + 1):
        made = ["-b", f"{n - 1}.qcow2", "-F", "qcow2", tmp_path / f"{n}.qcow2", SIZE]
        tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", *made)
    assert reason(tmp_path / f"{chain.DEEPEST - 1}.qcow2") == ""
    assert reason(tmp_path / f"{chain.DEEPEST}.qcow2") == "chain-loop"


def test_a_data_file_outside(tmp_path: Path) -> None:
    options = ["-o", f"data_file={tmp_path / 'data'},data_file_raw=on"]
    tool("qemu-img", "create", "-q", "-f", "qcow2", *options, tmp_path / "x", SIZE)
    assert reason(tmp_path / "x") == "has-data-file"


@pytest.mark.parametrize(
    ("form", "at", "value"),
    [
        ("qcow2", 24, struct.pack(">Q", 65 << 40)),
        ("qcow2", 36, struct.pack(">I", 1 << 31)),
        ("qcow2", 40, struct.pack(">Q", 1 << 60)),
        ("vmdk", 12, struct.pack("<Q", 1 << 40)),
        ("vmdk", 12, bytes(8)),
        ("vdi", 368, struct.pack("<Q", 1 << 62)),
        ("vdi", 440, b"u" * 16),
        ("vdi", 76, struct.pack("<I", 4)),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, form: str, at: int, value: bytes) -> None:
    image = make(tmp_path / "x", form, content())
    assert reason(image, form=form) == ""
    data = bytearray(image.read_bytes())
    data[at : at + len(value)] = value
    image.write_bytes(data)
    assert reason(image, form=form) in ("damaged-image", "vdi-parent")


def test_a_vmdk_of_several_files_and_one_with_a_parent(tmp_path: Path) -> None:
    make(tmp_path / "lower.vmdk", "vmdk", content())
    tool("qemu-img", "create", "-q", "-f", "vmdk", "-b", tmp_path / "lower.vmdk", "-F", "vmdk", tmp_path / "upper.vmdk")
    assert reason(tmp_path / "upper.vmdk", form="vmdk") == "vmdk-files"
    tool("qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", tmp_path / "flat.vmdk", SIZE)
    assert reason(tmp_path / "flat.vmdk", form="vmdk") == "vmdk-files"


def test_a_compressed_vmdk_is_read(tmp_path: Path) -> None:
    raw = make(tmp_path / "x", "raw", content())
    options = ["-O", "vmdk", "-o", "subformat=streamOptimized"]
    tool("qemu-img", "convert", "-f", "raw", *options, raw, tmp_path / "x.vmdk")
    run(use(tmp_path / "x.vmdk", "vmdk", changing.convert, tmp_path / "y", FORMATS["vhdx"]))
    assert read(tmp_path / "y", "vhdx") == content()


def test_the_name_says_the_format_only_where_it_is_known(tmp_path: Path) -> None:
    known = {"a.AVHDX": "vhdx", "a.img": "raw", "a.vmdk": "vmdk"}
    assert {name: format_of(Path(name)).name for name in known} == known
    for name, form in (("a.iso", ""), ("a", ""), ("a.qcow2", "qed")):
        with pytest.raises(BadInput):
            format_of(Path(name), form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_merge_puts_all_into_the_parent(tmp_path: Path, form: str) -> None:
    parent = make(tmp_path / f"parent.{form}", form, content())
    upper = child(tmp_path / "upper.qcow2", parent, form)
    write(upper, 3 * MiB, b"w" * MiB)
    expected = read_chain(upper)
    told: list[float] = []
    run(use(upper, "qcow2", merging.commit, KEY, told.append))
    assert told[-1] == 1.0
    assert read_chain(upper) == expected  # the child is still there, and has the same content
    assert read(parent, form) == expected
    assert reason(upper, strict=True) == ""


@pytest.mark.parametrize("form", FORMATS)
def test_a_child_that_grew_goes_into_a_parent_that_can(tmp_path: Path, form: str) -> None:
    parent = make(tmp_path / f"parent.{form}", form, content())
    upper = child(tmp_path / "upper.qcow2", parent, form, size=2 * SIZE)
    write(upper, SIZE + MiB, b"w" * MiB)
    expected, before = read_chain(upper), digest(parent)
    if form in ("qcow2", "raw"):
        run(use(upper, "qcow2", merging.commit, KEY))
        assert read(parent, form) == expected
    else:
        with pytest.raises(BadInput):
            run(use(upper, "qcow2", merging.commit, KEY))
        assert digest(parent) == before


def test_a_merge_that_was_killed_can_be_done_again(tmp_path: Path) -> None:
    parent = make(tmp_path / "parent.qcow2", "qcow2", content())
    upper = child(tmp_path / "upper.qcow2", parent)
    write(upper, 3 * MiB, b"w" * MiB)
    expected = read_chain(upper)
    program = (
        "import asyncio, os, signal, sys; from pathlib import Path\n"
        "from kiban.adapters.disk import chain, merging; from kiban.adapters.disk.formats import FORMATS\n"
        "async def half(*arguments, **_):\n"
        "    with open(sys.argv[2], 'r+b') as parent: parent.seek(1 << 20); parent.truncate((1 << 20) + 5 * 65536)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "merging.qemu_img = half\n"
        "with chain.opened(Path(sys.argv[1]), FORMATS['qcow2'], b'k' * 32) as links:\n"
        "    asyncio.run(merging.commit(links, b'k' * 32))\n"
    )
    spare = tmp_path / "spare"
    spare.write_bytes(parent.read_bytes())
    killed = subprocess.run([sys.executable, "-c", program, str(upper), str(parent)], check=False)
    assert killed.returncode == -9
    assert reason(upper, strict=True) == ""  # although its parent was written to
    parent.write_bytes(spare.read_bytes())
    run(use(upper, "qcow2", merging.commit, KEY))
    assert read(parent, "qcow2") == expected


def test_a_vhd_whose_writer_was_killed_before_its_footer_has_all_it_had(tmp_path: Path) -> None:
    image = make(tmp_path / "x.vhd", "vhd", content())
    whole = image.read_bytes()
    image.write_bytes(whole[:-512] + b"\xff" * 512)
    assert reason(image, form="vhd") == ""
    assert read_chain(image, "vhd") == content()
    image.write_bytes(whole[:-1024])
    assert reason(image, form="vhd") == "damaged-image"
    image.write_bytes(whole[:512] + b"\0" * (len(whole) - 512))
    assert reason(image, form="vhd") == "damaged-image"


def test_a_vhdx_whose_writer_was_killed_before_its_log_was_whole_can_be_written_again(tmp_path: Path) -> None:
    image = leave_log(make(tmp_path / "x.vhdx", "vhdx", bytes(32 * MiB)))
    with pytest.raises(AssertionError):
        write(image, 20 * MiB, b"w" * MiB, "vhdx")  # QEMU's own limit, which is why there is a replay of ours

    async def replay() -> None:
        with chain.opened(image, FORMATS["vhdx"], KEY) as links:
            assert links[0].facts.dirty
            await vhdxlog.replay(links[0])

    run(replay())
    write(image, 20 * MiB, b"w" * MiB, "vhdx")
    assert read(image, "vhdx") == bytes(20 * MiB) + b"w" * MiB + bytes(11 * MiB)


def test_a_merge_into_a_disk_without_a_parent(tmp_path: Path) -> None:
    image = make(tmp_path / "x", "qcow2", content())
    with pytest.raises(BadInput) as refused:
        run(use(image, "qcow2", merging.commit, KEY))
    assert refused.value.reason == "no-parent"


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    key = seal.load_key(tmp_path / "key")
    assert seal.load_key(tmp_path / "key") == key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert seal.load_key(tmp_path / "other") != key
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(Damaged):
        seal.load_key(tmp_path / "key")


def test_a_record_cannot_be_made_without_the_key() -> None:
    word = seal.seal(KEY, "file:1:2")
    assert seal.proven(KEY, [word, "file:3:4/" + "0" * 32, "file:1:2"]) == {"file:1:2"}
    assert seal.proven(b"other", [word]) == frozenset()
    assert seal.proven(KEY, ["file:1:3/" + word.partition("/")[2], "é/é", ""]) == frozenset()


def test_a_long_path_to_the_parent_still_fits(tmp_path: Path) -> None:
    deep = tmp_path
    while len(str(deep)) < 800:
        deep /= "d" * 100
    deep.mkdir(parents=True)
    parent = make(deep / "parent.qcow2", "qcow2", content())
    upper = child(tmp_path / "upper.qcow2", parent)
    assert reason(upper, strict=True) == ""
    assert tool("qemu-img", "check", upper)
    (deep / ("e" * 200)).mkdir()
    with pytest.raises(BadInput):
        child(tmp_path / "two.qcow2", parent.rename(deep / ("e" * 200) / "parent.qcow2"))


def test_facts_of_sectors(tmp_path: Path) -> None:
    image = make(tmp_path / "x.vhdx", "vhdx", content())
    descriptor = os.open(image, os.O_RDONLY)
    facts = read_facts(descriptor, image, FORMATS["vhdx"])
    os.close(descriptor)
    assert (facts.logical_sector, facts.physical_sector, facts.kind) == (512, 512, "dynamic")


def test_a_missing_image_and_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound), chain.opened(tmp_path / "none", QCOW2, KEY):
        pass
    parent = make(tmp_path / "parent.qcow2", "qcow2", content())
    upper = child(tmp_path / "upper.qcow2", parent)
    write(upper, 0, b"x" * 512)
    expected = read_chain(upper)

    async def full(*_: object, **__: object) -> Outcome:
        return Outcome(1, "", "qemu-img: error: No space left on device")

    monkeypatch.setattr(merging, "qemu_img", full)
    with pytest.raises(HostLacks):
        run(use(upper, "qcow2", merging.commit, KEY))
    monkeypatch.undo()
    assert read_chain(upper) == expected


def test_children_of_one_parent_are_independent(tmp_path: Path) -> None:
    parent = make(tmp_path / "parent.qcow2", "qcow2", content())
    children = [child(tmp_path / f"{n}.qcow2", parent) for n in range(3)]
    for n, path in enumerate(children):
        write(path, 0, bytes([n + 1]) * 4096)
    assert [read_chain(path)[:4096] for path in children] == [bytes([n + 1]) * 4096 for n in range(3)]
