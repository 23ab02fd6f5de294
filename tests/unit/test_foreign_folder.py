# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of exports and lone files: what is found, where its disks are, and its checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import foreign_makers as make
import pytest
from specimens import specimen

from kiban.adapters.foreign import checkpoints, finding, reading
from kiban.errors import BadInput, NotFound
from kiban.model.foreign import Extent

SNAPSHOT1, SNAPSHOT2, SNAPSHOT3 = (f"{n}0000000-aaaa-4bbb-8ccc-000000000000" for n in (1, 2, 3))


def write(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def export(root: Path, form: str = "vmcx", tree: Any = None, suffix: str = "avhdx") -> Path:
    """An export of the machine with all, its data disk under another case."""
    encode = make.vmcx if form == "vmcx" else make.xml
    machine = tree or make.generation2(disk=rf"D:\x\web_3.{suffix}")
    write(root / "Virtual Machines" / f"{make.GEN2_ID.upper()}.{form}", encode(machine))
    write(root / "Virtual Hard Disks" / f"web_3.{suffix}", b"third")
    write(root / "Virtual Hard Disks" / "DATA.vhdx", b"data!!")
    return root


def snapshot(root: Path, number: str, name: str, disk: str, *, parent: str = "", owner: str = make.GEN2_ID) -> None:
    tree = make.generation2(name, rf"D:\x\{disk}")
    tree["settings"]["global"]["logical_id"] = owner.upper()
    if parent:
        tree["properties"]["parent_id"] = parent.upper()
    write(root / "Snapshots" / f"{number.upper()}.vmcx", make.vmcx(tree))
    write(root / "Virtual Hard Disks" / disk, name.encode())


@pytest.mark.parametrize("form", ["vmcx", "xml"])
def test_an_export(tmp_path: Path, form: str) -> None:
    root = export(tmp_path / "web", form)
    for path in (root, tmp_path, root / "Virtual Machines" / f"{make.GEN2_ID.upper()}.{form}"):
        source = finding.find(path)
        assert (source.kind, source.root) == (form, root)
    machine = reading.read(source)
    disks = root / "Virtual Hard Disks"
    assert [disk.file for disk in machine.disks] == [
        Extent(path=str(disks / "web_3.avhdx"), offset=0, size=5),
        Extent(path=str(disks / "DATA.vhdx"), offset=0, size=6),
    ]
    assert machine.disks[0].path == r"D:\x\web_3.avhdx"
    assert machine.dvds[0].file is None


def test_a_lone_configuration_with_its_disk_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "vm.vmcx", specimen("descriptor/hyperv/test.vmcx"))
    assert reading.read(finding.find(path)).disks[0].file is None
    write(tmp_path / "other location.VHDX", b"x")
    assert reading.read(finding.find(path)).disks[0].file == Extent(
        path=str(tmp_path / "other location.VHDX"), offset=0, size=1
    )


def test_checkpoints_are_a_tree(tmp_path: Path) -> None:
    tree = make.generation2(disk=r"D:\x\web_3.avhdx")
    tree["global_settings"]["snapshots"] = {"parent": SNAPSHOT2.upper()}
    root = export(tmp_path, tree=tree)
    snapshot(root, SNAPSHOT2, "second", "web_2.avhdx", parent=SNAPSHOT1)
    snapshot(root, SNAPSHOT1, "first", "web.vhdx")
    snapshot(root, SNAPSHOT3, "side", "web_s.avhdx", parent=SNAPSHOT1)
    machine = reading.read(finding.find(root))
    assert [(c.name, c.parent) for c in machine.checkpoints] == [
        ("first", ""),
        ("second", SNAPSHOT1),
        ("side", SNAPSHOT1),
    ]
    assert machine.current_checkpoint == SNAPSHOT2
    assert machine.checkpoints[1].machine.disks[0].file is not None
    assert machine.checkpoints[1].created == "2021-08-22T21:41:00+00:00"
    assert not [s for s in machine.left_out if "checkpoint" in s.lower()]


def test_a_tree_that_only_the_disks_know(tmp_path: Path) -> None:
    root = export(tmp_path)
    snapshot(root, SNAPSHOT2, "second", "web_2.avhdx")
    snapshot(root, SNAPSHOT1, "first", "web.vhdx")
    machine = reading.read(finding.find(root))
    assert [s for s in machine.left_out if "first, second" in s]
    chain = {"web_3.avhdx": "web_2.avhdx", "web_2.avhdx": "between.avhdx", "between.avhdx": "WEB.vhdx"}
    known = checkpoints.by_disks(machine, lambda path: chain.get(Path(path).name, ""))
    assert [(c.name, c.parent) for c in known.checkpoints] == [("first", ""), ("second", SNAPSHOT1)]
    assert known.current_checkpoint == SNAPSHOT2
    assert not [s for s in known.left_out if "checkpoint" in s.lower()]
    endless = checkpoints.by_disks(machine, lambda path: path)
    assert endless.current_checkpoint == ""


def test_checkpoints_that_are_each_others_parents_are_refused(tmp_path: Path) -> None:
    root = export(tmp_path)
    snapshot(root, SNAPSHOT2, "second", "web_2.avhdx", parent=SNAPSHOT1)
    snapshot(root, SNAPSHOT1, "first", "web.vhdx", parent=SNAPSHOT2)
    with pytest.raises(BadInput, match="each other's parents"):
        reading.read(finding.find(root))


def test_another_machines_checkpoint_is_left_out(tmp_path: Path) -> None:
    root = export(tmp_path)
    snapshot(root, SNAPSHOT1, "stranger", "s.vhdx", owner=SNAPSHOT3)
    machine = reading.read(finding.find(root))
    assert machine.checkpoints == ()
    assert [s for s in machine.left_out if "stranger" in s]


def saved(tmp_path: Path) -> bool:
    return bool([s for s in reading.read(finding.find(tmp_path)).left_out if "saved memory" in s])


def test_saved_memory_is_said(tmp_path: Path) -> None:
    root = export(tmp_path)
    state = root / "Virtual Machines" / f"{make.GEN2_ID.upper()}.VMRS"
    write(state, specimen("descriptor/hyperv/test.VMRS"))
    assert not saved(root)
    write(state, make.Vmcx({"savedstate": {"type": "Normal"}}).done())
    assert saved(root)
    write(state, b"damaged")
    assert saved(root)
    state.unlink()
    write(root / "Virtual Machines" / make.GEN2_ID / "x.vsv")
    assert saved(root)


def test_several_things_are_listed(tmp_path: Path) -> None:
    export(tmp_path / "a")
    write(tmp_path / "b" / "Virtual Machines" / "x.xml")
    with pytest.raises(BadInput, match=r"several things to take over: a/Virtual Machines/1.*, b/Virtual") as caught:
        finding.find(tmp_path)
    assert caught.value.reason == "several-machines"
    for number in range(12):
        write(tmp_path / "many" / f"{number:02}.vhdx")
    with pytest.raises(BadInput, match=r"00\.vhdx, .* and 2 more"):
        finding.find(tmp_path / "many")


@pytest.mark.parametrize("name", ["a.vhdx", "a.AVHDX", "a.vhd", "a.qcow2", "a.raw", "a.img", "a.vmdk", "a.vdi"])
def test_a_lone_disk_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, b"QFI\xfb" + bytes(508))  # what is in it does not matter
    for where in (path, tmp_path):
        source = finding.find(where)
        assert (source.kind, source.title) == ("disk", "a virtual hard disk")
        machine = reading.read(source)
        assert (machine.name, machine.generation, machine.origin) == ("a", None, "disk")
        assert machine.disks[0].file == Extent(path=str(path), offset=0, size=512)
        assert machine.disks[0].image == {"avhdx": "vhdx", "img": "raw"}.get(name[2:].lower(), name[2:].lower())


def test_a_fixed_vhd_says_its_size(tmp_path: Path) -> None:
    path = write(tmp_path / "azure.vhd", specimen("disk/vhd/fixed.vhd.gz"))
    assert reading.read(finding.find(path)).disks[0].capacity == path.stat().st_size - 512
    dynamic = write(tmp_path / "d.vhd", specimen("disk/vhd/dynamic.vhd.gz"))
    assert reading.read(finding.find(dynamic)).disks[0].capacity is None


def test_links_inside_a_folder_are_passed_over(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.vhdx", b"secret")
    root = export(tmp_path / "export")
    for file in (root / "Virtual Hard Disks").iterdir():
        file.unlink()
    (root / "Virtual Hard Disks" / "web_3.avhdx").symlink_to(secret)
    (root / "data.vhdx").symlink_to(secret)
    assert [disk.file for disk in reading.read(finding.find(root)).disks] == [None, None]
    (root / "Virtual Hard Disks" / "web_3.avhdx").unlink()
    (root / "Virtual Hard Disks").rmdir()
    (root / "Virtual Hard Disks").symlink_to(write(tmp_path / "x" / "web_3.avhdx").parent)
    assert [disk.file for disk in reading.read(finding.find(root)).disks] == [None, None]


def test_a_path_that_leads_elsewhere_is_a_name_only(tmp_path: Path) -> None:
    tree = make.generation2(disk=r"..\..\..\..\etc\hosts.vhdx")
    write(tmp_path / "etc" / "hosts.vhdx")
    root = export(tmp_path / "a" / "b", tree=tree)
    assert reading.read(finding.find(root)).disks[0].file is None
    write(root / "hosts.vhdx", b"mine")
    assert reading.read(finding.find(root)).disks[0].file == Extent(path=str(root / "hosts.vhdx"), offset=0, size=4)


def test_a_disk_that_could_be_two_files_is_refused(tmp_path: Path) -> None:
    root = export(tmp_path)
    write(root / "web_3.avhdx")
    with pytest.raises(BadInput, match="could be any of these") as caught:
        reading.read(finding.find(root))
    assert caught.value.reason == "ambiguous-file"


def test_nothing_to_take_over(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no machine"):
        finding.find(tmp_path)
    with pytest.raises(BadInput, match="by its name"):
        finding.find(write(tmp_path / "notes.txt"))
    with pytest.raises(NotFound):
        finding.find(tmp_path / "missing")
    with pytest.raises(BadInput):
        finding.find(Path("a\0b"))
    os.mkfifo(tmp_path / "pipe.vhdx")
    with pytest.raises(BadInput, match="not a file but a pipe"):
        reading.read(finding.find(tmp_path / "pipe.vhdx"))


def test_the_source_is_left_as_it_is(tmp_path: Path) -> None:
    root = export(tmp_path)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}
    reading.read(finding.find(root))
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")} == before
