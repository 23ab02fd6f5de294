# SPDX-License-Identifier: GPL-2.0-or-later
"""Importing for real: from each kind of source, with the contents of its disks, whole or not at all."""

from __future__ import annotations

import asyncio
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import foreign_makers as make
import pytest
from chain_makers import MIB, contents, scribbled, vhd, vhdx
from disk_makers import RANDOM, convert, patterned
from disk_makers import run as command
from engine_world import World, run, world

from kiban.adapters.disk import changing
from kiban.adapters.disk.formats import ImageFormat
from kiban.adapters.foreign import finding
from kiban.commands import takeover as commands
from kiban.engine import disks, importing
from kiban.engine.host import Host
from kiban.errors import BadInput, Conflict, HostLacks, KibanError, NotFound
from kiban.model.requests import DiskRef, NewImage
from kiban.model.takeover import ImportRequest

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
needs_ovmf = pytest.mark.skipif(
    not Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists(), reason="OVMF is not installed"
)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def request(path: Path, **more: Any) -> ImportRequest:
    return ImportRequest(path=str(path), **more)


def contents_of(image: Path) -> bytes:
    raw = image.with_suffix(".raw")
    command("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    return raw.read_bytes()


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def chain(folder: Path, seed: int = 3) -> tuple[Path, bytes]:
    """A VHDX of three links: the child, its parent and that one's."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = RANDOM(seed)
    made = [scribbled(rng, 6 * MIB), scribbled(rng, 5 * MIB, block=2 * MIB), scribbled(rng, 6 * MIB)]
    for number, name in enumerate(("web.avhdx", "middle.avhdx", "base.vhdx")):
        parent = made[number + 1] if number < 2 else None
        below = ("middle.avhdx", "base.vhdx")[number] if parent else ""
        vhdx(folder / name, made[number], parent, locator={"relative_path": f".\\{below}"} if parent else None)
    return folder / "web.avhdx", contents(made)


def export(root: Path, form: str = "vmcx") -> tuple[Path, bytes, bytes]:
    """A generation 2 machine with a chain and a single disk; their contents."""
    disks = root / "Virtual Hard Disks"
    _, first = chain(disks)
    data = scribbled(RANDOM(4), 4 * MIB)
    vhdx(disks / "data.vhdx", data)
    description = make.generation2(disk=r"D:\VMs\web.avhdx")
    (root / "Virtual Machines").mkdir()
    encode = make.vmcx if form == "vmcx" else make.xml
    (root / "Virtual Machines" / f"{make.GEN2_ID}.{form}").write_bytes(encode(description))
    return root, first, contents([data])


@needs_ovmf
@pytest.mark.parametrize("form", ["vmcx", "xml"])
def test_an_export_of_hyper_v(there: World, tmp_path: Path, form: str) -> None:
    root, first, second = export(tmp_path / "web", form)
    before = tree(root)

    async def go() -> None:
        host = await Host.open(there.paths)
        steps: list[tuple[float, str]] = []
        handle = await importing.import_machine(host, request(root), lambda *step: steps.append(step))
        machine = handle.machine
        assert (machine.name, machine.generation, machine.cpus, machine.notes) == ("Web-Server", 2, 4, "Größe\nzwei")
        assert [nic.mac for nic in machine.nics] == ["00:15:5d:01:07:dc"]
        assert [(d.bus, d.slot) for d in machine.disks] == [("scsi", 0), ("scsi", 69)]
        assert machine.tpm
        assert (handle.directory / "tpm").is_dir()
        assert contents_of(handle.directory / machine.disks[0].path) == first
        assert contents_of(handle.directory / machine.disks[1].path) == second
        assert {"copying disk0", "copying disk1"} <= {text for _, text in steps}
        assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
        twin = "Web-Server has an adapter with the address 00:15:5d:01:07:dc too: never put both on one network."
        assert twin in (await commands.plan(host, request(root))).advice
        assert twin not in handle.warnings

    run(go())
    assert tree(root) == before, "the source is never written to"
    assert not list(there.paths.runtime.rglob("nbd"))


def test_the_plan_writes_nothing(there: World, tmp_path: Path) -> None:
    root, *_ = export(tmp_path / "web")
    before = tree(tmp_path)
    plan = run(importing.plan(request(root)))
    assert [len(disk.facts.files) for disk in plan.disks] == [3, 1]
    assert [disk.facts.size for disk in plan.disks] == [6 * MIB, 4 * MIB]
    assert any("GPU Partition" in sentence for sentence in plan.left_out)
    assert tree(tmp_path) == before
    assert not there.paths.state.exists()


def lone(folder: Path, kind: str) -> tuple[Path, bytes, dict[str, Any]]:
    """A lone disk of a kind: its path, its content, and what has to be said about it."""
    if kind == "avhdx":
        return (*chain(folder), {})
    made = scribbled(RANDOM(5), 4 * MIB)
    if kind == "dynamic-vhd":
        return vhd(folder / "d.vhd", made), contents([made]), {}
    raw = patterned(folder / "raw.bin", 4 * MIB)
    data = raw.read_bytes()
    if kind == "azure":
        return convert(raw, folder / "azure.vhd", "vpc", "-o", "subformat=fixed,force_size=on"), data, {}
    if kind == "qcow2":
        return convert(raw, folder / "cloud.img", "qcow2"), data, {"format": "qcow2"}
    if kind == "raw":
        return raw.rename(folder / "disk.img"), data, {}
    options = {
        "vmdk": ["-o", "subformat=streamOptimized"],
        "vmdk-sparse": ["-o", "subformat=monolithicSparse"],
        "vdi": [],
    }[kind]
    form = kind.partition("-")[0]
    return convert(raw, folder / f"disk.{form}", form, *options), data, {}


KINDS = ["avhdx", "dynamic-vhd", "azure", "qcow2", "raw", "vmdk", "vmdk-sparse", "vdi"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_disk(there: World, tmp_path: Path, kind: str) -> None:
    path, data, said = lone(tmp_path, kind)

    async def go() -> None:
        host = await Host.open(there.paths)
        with pytest.raises(BadInput, match="which generation"):
            await importing.import_machine(host, request(path, name="one", **said))
        handle = await importing.import_machine(host, request(path, name="one", generation=1, **said))
        assert [(d.bus, d.slot) for d in handle.machine.disks] == [("ide", 0)]
        assert contents_of(handle.directory / "disk0.qcow2") == data

    run(go())


def test_an_ova(there: World, tmp_path: Path) -> None:
    raw = patterned(tmp_path / "raw.bin", 4 * MIB)
    vmdk = convert(raw, tmp_path / "disk1.vmdk", "vmdk", "-o", "subformat=streamOptimized").read_bytes()
    hardware = make.HARDWARE.replace(make.item(17, 6, Parent=3, AddressOnParent=2, HostResource="/disk/d2"), "")
    files = make.FILES.replace('ovf:size="4"', "")
    members = [("box.ovf", make.ovf(hardware, files=files)), ("cd.iso", b"x" * 3000), ("disk1.vmdk", vmdk)]
    (tmp_path / "box.ova").write_bytes(make.ova(*members, ("vm.nvram", b"")))

    async def go() -> None:
        host = await Host.open(there.paths)
        handle = await importing.import_machine(host, request(tmp_path / "box.ova"))
        assert (handle.name, handle.machine.generation, handle.machine.cpus) == ("appliance", 1, 2)
        assert [(d.bus, d.slot) for d in handle.machine.disks] == [("ide", 0)]  # a BIOS boots from IDE only
        assert contents_of(handle.directory / "disk0.qcow2") == raw.read_bytes()

    run(go())


def vmdk_with(tmp_path: Path, old: bytes, new: bytes) -> Path:
    raw = patterned(tmp_path / "raw.bin", MIB)
    image = convert(raw, tmp_path / "evil.vmdk", "vmdk", "-o", "subformat=monolithicSparse")
    data = image.read_bytes()
    assert old in data
    image.write_bytes(data.replace(old, new.ljust(len(old), b"\n"), 1))
    return image


def hostile(tmp_path: Path, what: str) -> tuple[Path, str]:
    """A file that wants others read, or lies about its size; the code of its refusal."""
    secret = tmp_path / "secret.raw"
    secret.write_bytes(b"s" * MIB)
    if what == "qcow2 with a backing file":
        path = tmp_path / "evil.qcow2"
        command("qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", path)
        return path, "has-backing-file"
    if what == "qcow2 with a data file":
        path = tmp_path / "evil.qcow2"
        command("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path}/d", path, "1M")
        return path, "has-data-file"
    if what == "text vmdk":
        path = tmp_path / "evil.vmdk"
        path.write_text(f'# Disk DescriptorFile\ncreateType="monolithicFlat"\nRW 2048 FLAT "{secret}" 0\n')
        return path, "vmdk-files"
    if what == "vmdk of several files":
        return vmdk_with(tmp_path, b'createType="monolithicSparse"', b'createType="custom"'), "vmdk-files"
    if what == "vmdk with a parent":
        return vmdk_with(tmp_path, b"parentCID=ffffffff", b"parentCID=0badf00d"), "vmdk-files"
    path = vmdk_with(tmp_path, b"KDMV", b"KDMV")
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 12, 0 if what == "vmdk of no size" else 1 << 60)
    path.write_bytes(data)
    return path, "damaged-image"


HOSTILE = [
    "qcow2 with a backing file",
    "qcow2 with a data file",
    "text vmdk",
    "vmdk of several files",
    "vmdk with a parent",
    "vmdk of no size",
    "vmdk of an exbibyte",
]


@pytest.mark.parametrize("what", HOSTILE)
def test_files_that_want_others_read_are_refused(tmp_path: Path, what: str) -> None:
    path, code = hostile(tmp_path, what)
    with pytest.raises(BadInput) as caught:
        run(importing.plan(request(path, generation=2)))
    assert caught.value.reason == code
    assert caught.value.hint


def test_what_is_refused(there: World, tmp_path: Path) -> None:
    raw = patterned(tmp_path / "a.img", MIB)
    child, _ = chain(tmp_path / "chain")
    (tmp_path / "chain" / "middle.avhdx").unlink()
    qcow2 = convert(raw, tmp_path / "named.img", "qcow2")
    cases: list[tuple[ImportRequest, type[KibanError], str]] = [
        (request(tmp_path / "nothing"), NotFound, "no-file"),
        (request(child, generation=2), NotFound, "missing-parent"),
        (request(qcow2, generation=2), BadInput, "wrong-format"),
        (request(raw, generation=2, format="qcow2"), BadInput, "wrong-format"),
        (request(tmp_path / "chain", generation=2, format="raw"), BadInput, ""),
        (request(raw, generation=2, checkpoint="x"), NotFound, "no-checkpoint"),
        (request(raw, generation=2, guest="no-such-guest"), NotFound, ""),
    ]
    for asked, kind, code in cases:
        with pytest.raises(kind) as caught:
            run(importing.plan(asked))
        assert code in ("", caught.value.reason)


def test_parents_elsewhere_are_found_where_told(there: World, tmp_path: Path) -> None:
    child, data = chain(tmp_path / "chain")
    (tmp_path / "other").mkdir()
    for name in ("middle.avhdx", "base.vhdx"):
        (tmp_path / "chain" / name).rename(tmp_path / "other" / name)

    async def go() -> None:
        host = await Host.open(there.paths)
        asked = request(child, generation=1, name="one", parents=(str(tmp_path / "other"),))
        handle = await importing.import_machine(host, asked)
        assert contents_of(handle.directory / "disk0.qcow2") == data

    run(go())


def test_a_failure_or_a_cancel_in_the_middle_leaves_nothing(
    there: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, *_ = export(tmp_path / "web")
    taken = changing.convert_node
    reached = asyncio.Event()

    async def stuck(source: changing.Source, target: Path, form: ImageFormat, **rest: Any) -> None:
        if target.name == "disk1.qcow2":
            reached.set()
            await asyncio.sleep(60)
        await taken(source, target, form, **rest)

    async def full(*_: Any, **__: Any) -> None:
        raise HostLacks("There is no space left.", "free some", code="no-space")

    async def go() -> None:
        host = await Host.open(there.paths)
        monkeypatch.setattr(changing, "convert_node", full)
        with pytest.raises(HostLacks):
            await importing.import_machine(host, request(root))
        assert (list(there.paths.machines.iterdir()), host.handles) == ([], {})
        monkeypatch.setattr(changing, "convert_node", stuck)
        task = asyncio.create_task(importing.import_machine(host, request(root)))
        await reached.wait()
        with pytest.raises(Conflict):  # the name is being taken
            host.check_free("Web-Server")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (list(there.paths.machines.iterdir()), host.handles) == ([], {})
        assert not list(there.paths.runtime.rglob("nbd"))

    if Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists():
        run(go())


def test_a_taken_name_is_refused_before_anything_is_copied(there: World, tmp_path: Path) -> None:
    path, _, said = lone(tmp_path, "raw")

    async def go() -> None:
        host = await Host.open(there.paths)
        asked = request(path, generation=1, name="one", **said)
        await importing.import_machine(host, asked)
        with pytest.raises(Conflict, match="one already"):
            await importing.import_machine(host, asked)
        assert len(list(there.paths.machines.iterdir())) == 1

    run(go())


def test_checkpoints_whose_tree_only_the_disks_know(tmp_path: Path) -> None:
    root, *_ = export(tmp_path / "web")
    snapshot = make.generation2("before", r"D:\x\middle.avhdx")
    (root / "Snapshots").mkdir()
    (root / "Snapshots" / "10000000-aaaa-4bbb-8ccc-000000000000.vmcx").write_bytes(make.vmcx(snapshot))
    plan = run(importing.plan(request(root)))
    assert [(c.name, c.depth, c.taken) for c in plan.checkpoints] == [("before", 0, True)]
    before = run(importing.plan(request(root, checkpoint="before")))
    assert [len(disk.facts.files) for disk in before.disks] == [2, 1]


def test_a_format_may_be_named_for_any_file(tmp_path: Path) -> None:
    assert finding.lone_disk(patterned(tmp_path / "weird.name", MIB)).kind == "disk"
    with pytest.raises(BadInput):
        finding.lone_disk(tmp_path)


def test_sectors_of_4_kib_stay_what_they_are(there: World, tmp_path: Path) -> None:
    """A partition table counts in sectors, so a guest finds nothing on a disk whose sectors have become others."""
    made = scribbled(RANDOM(7), 8 * MIB, sector=4096)
    path, usual = vhdx(tmp_path / "large.vhdx", made), vhdx(tmp_path / "usual.vhdx", scribbled(RANDOM(8), 4 * MIB))

    async def go() -> None:
        host = await Host.open(there.paths)
        planned = await importing.plan(request(path, generation=1, name="one"))
        assert "sectors of 4 KiB" in next(row.there for row in planned.rows if row.what == "disk0")
        handle = await importing.import_machine(host, request(path, generation=1, name="one"))
        (disk,) = handle.machine.disks
        assert (disk.sectors, disk.bus) == ("4k", "scsi")  # IDE has none of that kind
        assert contents_of(handle.directory / disk.path) == contents([made])
        (other,) = (await importing.import_machine(host, request(usual, generation=1, name="two"))).machine.disks
        assert (other.sectors, other.bus) == ("512e", "ide")
        await disks.convert(host, DiskRef(path=str(path)), NewImage(path=str(tmp_path / "x.raw")), (), verify=True)
        assert (tmp_path / "x.raw").read_bytes() == contents([made])

    run(go())
