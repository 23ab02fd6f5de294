# SPDX-License-Identifier: GPL-2.0-or-later
"""OVF descriptions and OVA packages: hardware, extensions of VMware and VirtualBox, manifests, tricks with tar."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import foreign_makers as make
import pytest

from kiban.adapters.foreign import finding, ova, ovf_hardware, reading
from kiban.adapters.foreign.blob import Blob
from kiban.errors import BadInput
from kiban.model.foreign import Extent, ForeignDisk, ForeignMachine, ForeignMemory, ForeignNic, Place

GIB = 1 << 30


def describe(data: bytes) -> ForeignMachine:
    return ovf_hardware.describe(Blob(data, "vm.ovf"))[0]


@pytest.mark.parametrize("version", [1, 2])
def test_the_hardware(version: int) -> None:
    machine = describe(make.ovf(version=version))
    assert (machine.name, machine.generation, machine.firmware, machine.cpus) == ("appliance", 1, "bios", 2)
    assert machine.memory == ForeignMemory(startup=4 * GIB, minimum=None, maximum=None)
    place = Place(bus="scsi", controller=0, location=1)
    assert machine.disks == (ForeignDisk(place=place, path="disk1.vmdk", image="vmdk", capacity=16 * GIB, file=None),)
    assert [(d.place, d.path) for d in machine.dvds] == [(Place(bus="sata", controller=0, location=0), "cd.iso")]
    assert machine.nics == (
        ForeignNic(
            name="Network adapter 1",
            kind="synthetic",
            model="VmxNet3",
            mac="",
            static_mac=False,
            switch="VM Network",
            connected=True,
        ),
    )
    assert [com.number for com in machine.coms] == [1]
    for what in ("SCSI 0:2 is an empty one of 1024 bytes", "sound", "vm.nvram"):
        assert [s for s in machine.left_out if what in s], what


def vmware(**values: str) -> str:
    return "".join(f'<vmw:Config vmw:key="{k.replace("__", ".")}" vmw:value="{v}"/>' for k, v in values.items())


def test_vmwares_firmware() -> None:
    machine = describe(make.ovf(config=vmware(firmware="efi", bootOptions__efiSecureBootEnabled="true")))
    assert (machine.generation, machine.firmware, machine.secure_boot, machine.tpm) == (2, "uefi", True, False)
    hardware = make.HARDWARE + make.item(1, 20, ResourceSubType="vmware.vtpm")
    machine = describe(make.ovf(hardware, config=vmware(firmware="efi", nestedHVEnabled="true")))
    assert (machine.secure_boot, machine.tpm) == (None, True)
    assert "Nested virtualization." in machine.left_out
    assert not [s for s in machine.left_out if "resource type 1)" in s]


def test_virtualboxes_own_section() -> None:
    own = (
        '<vbox:Machine><vbox:Hardware><vbox:Firmware type="EFI"/><vbox:TrustedPlatformModule type="v2_0"/><vbox:Boot>'
        '<vbox:Order position="1" device="DVD"/><vbox:Order position="2" device="None"/>'
        '<vbox:Order position="3" device="HardDisk"/></vbox:Boot><vbox:Network>'
        '<vbox:Adapter slot="0" enabled="false" MACAddress="080027000000"/>'
        '<vbox:Adapter slot="1" enabled="true" MACAddress="080027ABCDEF"/></vbox:Network>'
        "</vbox:Hardware></vbox:Machine>"
    )
    machine = describe(make.ovf(more=own))
    assert (machine.firmware, machine.tpm, machine.boot) == ("uefi", True, ("dvd", "disk"))
    assert machine.nics[0].mac == "08:00:27:ab:cd:ef"


def test_sections_without_a_place_are_said() -> None:
    left = describe(make.ovf(more="<ProductSection/><EulaSection/><ScaleOutSection/><vmw:BootOrderSection/>")).left_out
    for what in ("product section", "licence", "ScaleOutSection", "boot order"):
        assert [s for s in left if what in s], what


def test_several_machines_are_refused_by_name() -> None:
    systems = "".join(f'<VirtualSystem ovf:id="vm{n}"><Name>machine {n}</Name></VirtualSystem>' for n in range(12))
    data = make.ENVELOPE.format(v=1, body=f"<VirtualSystemCollection>{systems}</VirtualSystemCollection>").encode()
    with pytest.raises(BadInput, match=r"12 machines: machine 0, .*machine 9 and 2 more") as caught:
        describe(data)
    assert caught.value.reason == "several-machines"


def test_the_default_deployment_option_counts() -> None:
    options = (
        '<DeploymentOptionSection><Configuration ovf:id="small"/>'
        '<Configuration ovf:id="large" ovf:default="true"/></DeploymentOptionSection>'
    )
    hardware = make.HARDWARE + make.item(3, 1, VirtualQuantity=8, attributes='ovf:configuration="large"')
    hardware += make.item(4, 2, VirtualQuantity=1, attributes='ovf:configuration="small"')
    machine = describe(make.ovf(hardware, files=make.FILES + options))
    assert machine.cpus == 8
    assert machine.memory == ForeignMemory(startup=4 * GIB, minimum=None, maximum=None)
    assert [s for s in machine.left_out if "small" in s]


def test_ranges_are_no_hardware() -> None:
    assert (
        describe(make.ovf(make.item(3, 9, VirtualQuantity=1, attributes='ovf:bound="min"') + make.HARDWARE)).cpus == 2
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("MegaBytes", 2 << 20),
        ("byte * 2^20", 2 << 20),
        ("byte*10^6", 2_000_000),
        ("", 2 << 20),
        ("byte * 2^99", 2 << 60),
    ],
)
def test_units_of_memory(unit: str, expected: int) -> None:
    memory = describe(make.ovf(make.item(4, 1, VirtualQuantity=2, AllocationUnits=unit))).memory
    assert memory is not None
    assert memory.startup == expected


def files(href: str = "disk1.vmdk", disk: str = "", file: str = "") -> str:
    return (
        f'<References><File ovf:id="f1" ovf:href="{href}" {file}/></References><DiskSection>'
        f'<Disk ovf:diskId="d1" ovf:fileRef="f1" {disk}/></DiskSection>'
    )


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (files("../disk.vmdk"), "not in its own folder"),
        (files("/etc/shadow"), "not in its own folder"),
        (files(r"..\disk.vmdk"), "not in its own folder"),
        (files("http://host/disk.vmdk"), "not in its own folder"),
        (files("file:disk.vmdk"), "not in its own folder"),
        (files(""), "not in its own folder"),
        (files(".."), "not in its own folder"),
        (files(file='ovf:compression="gzip"'), "compressed"),
        (files(file='ovf:chunkSize="1000"'), "compressed or cut"),
        (files(disk='ovf:parentRef="d0"'), "based on another"),
        (files(disk='ovf:capacity="99999999999999999999"'), "64 TiB"),
        (files().replace('fileRef="f1"', 'fileRef="f9"'), "not listed"),
        ("", "which the package does not have"),
    ],
)
def test_packages_that_cannot_be_read_in_place_are_refused(listed: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        describe(make.ovf(make.item(17, 5, HostResource="ovf:/disk/d1"), files=listed))


@pytest.mark.parametrize(
    "data",
    [
        b"<Envelope/>",
        b'<x xmlns="http://schemas.dmtf.org/ovf/envelope/1"/>',
        make.ENVELOPE.format(v=3, body="").encode(),
        make.ENVELOPE.format(v=1, body="").encode(),
        make.ENVELOPE.format(v=1, body="<VirtualSystem/>").encode(),
        b"<!DOCTYPE x>" + make.ovf(),
    ],
)
def test_what_is_no_machine_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        describe(data)


# packages


def package(tmp_path: Path, data: bytes) -> finding.Source:
    path = tmp_path / "appliance.ova"
    path.write_bytes(data)
    return finding.find(path)


def manifest(algorithm: str, *files: tuple[str, bytes]) -> tuple[str, bytes]:
    lines = [f"{algorithm}({n})= {hashlib.new(algorithm.lower(), d).hexdigest()}" for n, d in files]
    return "vm.mf", ("\n".join(lines) + "\n").encode()


MEMBERS = (("vm.ovf", make.ovf()), ("disk1.vmdk", b"DISK"), ("cd.iso", b"iso" * 1000))


def test_disks_are_read_where_they_lie(tmp_path: Path) -> None:
    source = package(tmp_path, make.ova(*MEMBERS))
    (disk,) = reading.read(source).disks
    assert disk.file is not None
    with Path(disk.file.path).open("rb") as file:
        file.seek(disk.file.offset)
        assert file.read(disk.file.size) == b"DISK"
    assert reading.read(source).dvds[0].file == Extent(path=str(source.path), offset=disk.file.offset + 1024, size=3000)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_forms_of_tar(form: int) -> None:
    names = ["a.ovf", "n" * 100 + ".vmdk", "ü.vmdk"] if form != tarfile.USTAR_FORMAT else ["a.ovf", "b.vmdk"]
    data = make.ova(*((name, name.encode()) for name in names), form=form)
    found = ova.members(Blob(data, "x.ova"))
    assert {m.name: data[m.offset : m.offset + m.size] for m in found.values()} == {n: n.encode() for n in names}


def member(**fields: Any) -> bytes:
    info = tarfile.TarInfo(fields.pop("name", "x.vmdk"))
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (member(name="../../etc/passwd"), "leads to another folder"),
        (member(name="/etc/passwd"), "leads to another folder"),
        (member(name="a/b"), "leads to another folder"),
        (member(name=".."), "leads to another folder"),
        (member(name="..\\x"), "leads to another folder"),
        (member(type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no plain file"),
        (member(type=tarfile.LNKTYPE, linkname="/etc/passwd"), "no plain file"),
        (member(type=tarfile.DIRTYPE), "no plain file"),
        (member(type=tarfile.CHRTYPE), "no plain file"),
        (member(type=tarfile.FIFOTYPE), "no plain file"),
        (member(type=tarfile.GNUTYPE_SPARSE), "no plain file"),
        (member(size=1), "longer than the rest"),
        (member(size=1 << 62), "longer than the rest"),
        (member() + member(), "two files"),
        (member(type=b"L", size=1 << 20), "header in it has"),
        (member(type=b"L", size=600), "points behind its end"),
        (member(type=b"x", size=9) + b"9 path=x\n".ljust(512, b"\0"), "nothing in it"),
        (member(type=b"x", size=9) + b"99 path=x".ljust(512, b"\0"), "not valid"),
        (member(type=b"x", size=12) + b"12 size=abc\n".ljust(512, b"\0"), "no number"),
        (member(type=b"x", size=22) + b"22 GNU.sparse.major=1\n".ljust(512, b"\0"), "sparse"),
        (bytes(1024), "nothing in it"),
        (b"", "nothing in it"),
        (b"PK\3\4" + bytes(1000), "not a tar file"),
        (member()[:-1].replace(b"x.vmdk", b"y.vmdk") + b"\0", "not a tar file"),
    ],
)
def test_tricks_with_tar_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ova.members(Blob(data, "x.ova"))


def test_a_package_has_one_description(tmp_path: Path) -> None:
    for members in [MEMBERS[1:], (*MEMBERS, ("b.ovf", b""))]:
        with pytest.raises(BadInput, match=r"\.ovf files in it, not one"):
            reading.read(package(tmp_path, make.ova(*members)))


def test_a_size_that_the_description_denies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="another size"):
        reading.read(package(tmp_path, make.ova(MEMBERS[0], ("disk1.vmdk", b"DISK!"))))


def test_a_disk_that_is_missing_has_no_file(tmp_path: Path) -> None:
    assert [d.file for d in reading.read(package(tmp_path, make.ova(MEMBERS[0]))).disks] == [None]


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_manifests(tmp_path: Path, algorithm: str) -> None:
    said: list[tuple[float, str]] = []
    source = package(tmp_path, make.ova(*MEMBERS, manifest(algorithm, *MEMBERS)))
    assert reading.verify(source, lambda fraction, text: said.append((fraction, text))) == ()
    assert said[-1] == (1.0, "cd.iso")
    source = package(tmp_path, make.ova(*MEMBERS, manifest(algorithm, *MEMBERS[:2])))
    assert reading.verify(source, lambda *_: None) == ("cd.iso",)
    changed = (MEMBERS[0], ("disk1.vmdk", b"DIsK"), MEMBERS[2])
    with pytest.raises(BadInput, match=r"disk1\.vmdk of .* is not what") as caught:
        reading.verify(package(tmp_path, make.ova(*changed, manifest(algorithm, *MEMBERS))), lambda *_: None)
    assert caught.value.reason == "wrong-checksum"


def test_a_manifest_beside_an_ovf(tmp_path: Path) -> None:
    for name, data in (*MEMBERS, manifest("SHA256", *MEMBERS)):
        (tmp_path / name).write_bytes(data)
    source = finding.find(tmp_path)
    assert (source.kind, source.path.name) == ("ovf", "vm.ovf")
    assert reading.verify(source, lambda *_: None) == ()
    (tmp_path / "cd.iso").unlink()
    with pytest.raises(BadInput, match=r"cd\.iso, which is not there"):
        reading.verify(source, lambda *_: None)


@pytest.mark.parametrize("text", ["hello", "SHA256(a)= 12", "MD5(a)= " + "0" * 32, "SHA1(a)= " + "0" * 64])
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="is no checksum"):
        reading.verify(package(tmp_path, make.ova(*MEMBERS, ("vm.mf", text.encode()))), lambda *_: None)


def test_stopping_a_verification_stops_it(tmp_path: Path) -> None:
    def stop(_fraction: float, _text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reading.verify(package(tmp_path, make.ova(*MEMBERS, manifest("SHA1", *MEMBERS))), stop)


def test_a_blob_knows_its_bounds() -> None:
    blob = Blob(b"0123456789", "x").part(2, 5, "y")
    assert blob.read(0, 5) == b"23456"
    for offset, length in [(0, 6), (-1, 2), (5, 1), (0, -1)]:
        with pytest.raises(BadInput):
            blob.read(offset, length)
    with pytest.raises(BadInput):
        Blob(b"0123", "x").part(2, 5, "y")
