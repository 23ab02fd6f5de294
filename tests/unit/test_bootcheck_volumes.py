# SPDX-License-Identifier: GPL-2.0-or-later
"""Partition tables and FAT, made by fdisk and mtools, and compared with what those read."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest
from disk_makers import FILES, LOADER, MIB, fat, in_partition, opened, run

from kiban.adapters.bootcheck.volumes import partitions
from kiban.adapters.bootcheck.volumes.fat import Fat
from kiban.adapters.bootcheck.volumes.firmware import volumes
from kiban.adapters.bootcheck.volumes.folder import Entry, Names, parts
from kiban.adapters.bootcheck.volumes.partitions import ESP_TYPE
from kiban.adapters.images.source import Memory
from kiban.errors import Damaged

LOADER_PATH = "\\EFI\\BOOT\\BOOTX64.EFI"

# partition tables


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def as_sfdisk_reads(disk: Path) -> list[tuple[str, int, int]]:
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    return [
        (each.get("uuid", "").lower(), each["start"] * 512, each["size"] * 512)
        for each in table["partitions"]
        if each["type"] not in ("5", "f")
    ]


def test_a_gpt_reads_as_sfdisk_reads_it(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 64 * MIB)
    run("sfdisk", "-q", disk, text="label: gpt\n2048,20480,L\nsize=10M,type=U,name=EFI\n7: size=5M,type=linux\n")
    with opened(disk) as medium:
        found = partitions.read(medium)
        assert medium.bytes_read < 64 << 10
    assert [(p.guid, p.start, p.size) for p in found] == as_sfdisk_reads(disk)
    assert [(p.number, p.is_esp, p.scheme) for p in found] == [(1, False, "gpt"), (2, True, "gpt"), (7, False, "gpt")]
    assert found[1].type_guid == ESP_TYPE


def test_an_mbr_with_logical_partitions_reads_as_sfdisk_reads_it(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 128 * MIB)
    layout = "label: dos\nlabel-id: 0xdeadbeef\n,20M,ef\n,60M,5\n,,c\n,10M,83\n,5M,b\n,7M,ef\n"
    run("sfdisk", "-q", disk, text=layout)
    with opened(disk) as medium:
        found = partitions.read(medium)
    expected = as_sfdisk_reads(disk)
    found = [
        partition for partition in found if partition.number != 2
    ]  # the extended one; firmware has a handle for it
    assert sorted((p.start, p.size) for p in found) == sorted((start, size) for _, start, size in expected)
    assert {p.number: p.is_esp for p in found} == {1: True, 3: False, 5: False, 6: False, 7: True}
    assert {p.guid for p in found} == {f"deadbeef-{n:02x}" for n in (1, 3, 5, 6, 7)}


def test_a_table_for_4096_byte_sectors_is_found_on_such_a_disk_only(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 64 * MIB)
    run("fdisk", "-b", "4096", disk, text="g\nn\n1\n\n+20M\nt\nuefi\nn\n2\n\n\nw\n")
    listed = run("fdisk", "-b", "4096", "-l", "-o", "start,sectors,uuid", disk).splitlines()
    expected = [line.split() for line in listed if line and line.lstrip()[0].isdigit()]
    with opened(disk) as medium:
        found = partitions.read(medium, 4096)
        assert partitions.table_sector(medium) == 4096
        with pytest.raises(Damaged, match="GPT"):
            partitions.read(medium)
    assert [[str(p.start // 4096), str(p.size // 4096), p.guid.upper()] for p in found] == expected
    assert [p.is_esp for p in found] == [True, False]


def gpt_disk(tmp_path: Path) -> bytearray:
    disk = sparse(tmp_path / "disk", 8 * MIB)
    run("sfdisk", "-q", disk, text="label: gpt\nsize=1M,type=U\nsize=2M,type=L\n")
    return bytearray(disk.read_bytes())


def seal_gpt(disk: bytearray) -> None:
    """Compute the checksums of the first copy anew."""
    struct.pack_into("<I", disk, 512 + 88, zlib.crc32(disk[1024 : 1024 + 128 * 128]))
    disk[512 + 16 : 512 + 20] = bytes(4)
    struct.pack_into("<I", disk, 512 + 16, zlib.crc32(disk[512 : 512 + 92]))


def numbers(disk: bytearray) -> list[int]:
    return [partition.number for partition in partitions.read(Memory(bytes(disk)))]


def test_the_backup_counts_when_the_first_copy_is_damaged(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path)
    whole = partitions.read(Memory(bytes(disk)))
    for at in (512, 512 + 40, 1024 + 32):  # the mark, a field, an entry
        broken = disk[:]
        broken[at] ^= 1
        assert partitions.read(Memory(bytes(broken))) == whole
    for at in (512, len(disk) - 512):
        disk[at] ^= 1
    with pytest.raises(Damaged, match="both copies"):
        partitions.read(Memory(bytes(disk)))


def test_without_a_protective_mbr_firmware_sees_no_gpt(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path)
    disk[446 + 4] = 0
    assert numbers(disk) == []


def test_entries_that_firmware_ignores_are_not_listed(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path)
    for field, value in ((48, 2), (40, 1 << 40), (40, 10), (32, 2)):  # for an OS only, or out of range
        changed = disk[:]
        struct.pack_into("<Q", changed, 1024 + field, value)
        seal_gpt(changed)
        assert numbers(changed) == [2]
    first, last = struct.unpack_from("<QQ", disk, 1024)[0], struct.unpack_from("<Q", disk, 1024 + 128 + 32)[0]
    assert first
    struct.pack_into("<Q", disk, 1024 + 40, last)  # the first now ends where the second begins
    seal_gpt(disk)
    assert numbers(disk) == []


def test_a_huge_table_is_not_read(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path)
    for at in (512, len(disk) - 512):
        struct.pack_into("<I", disk, at + 80, 0xFFFFFFFF)
        disk[at + 16 : at + 20] = bytes(4)
        struct.pack_into("<I", disk, at + 16, zlib.crc32(disk[at : at + 92]))
    with pytest.raises(Damaged):
        partitions.read(Memory(bytes(disk)))


def test_an_mbr_that_contradicts_itself_is_none(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 8 * MIB)
    run("sfdisk", "-q", disk, text="label: dos\n,1M,ef\n,1M,c\n")
    data = bytearray(disk.read_bytes())
    assert numbers(data) == [1, 2]
    overlapping, too_long = data[:], data[:]
    struct.pack_into("<I", overlapping, 446 + 12, 4096)
    struct.pack_into("<I", too_long, 446 + 16 + 12, 1 << 30)
    assert numbers(overlapping) == numbers(too_long) == []


def test_a_chain_of_logical_partitions_that_loops_ends(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 64 * MIB)
    run("sfdisk", "-q", disk, text="label: dos\n,40M,5\n,10M,83\n,5M,b\n")
    data = bytearray(disk.read_bytes())
    second = 2048 * 512 + struct.unpack_from("<I", data, 2048 * 512 + 446 + 16 + 8)[0] * 512
    data[second + 446 + 16 : second + 446 + 32] = data[2048 * 512 + 446 + 16 : 2048 * 512 + 446 + 32]  # to itself
    assert len(partitions.read(Memory(bytes(data)))) < 140


@pytest.mark.parametrize("size", [0, 1, 511, 512, 5000])
def test_an_empty_medium_has_no_partitions(size: int) -> None:
    assert partitions.read(Memory(bytes(size))) == []


# FAT


def all_files(volume: Fat, path: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in volume.entries(path):
        inner = f"{path}/{entry.name}".lstrip("/")
        if entry.is_folder:
            found |= all_files(volume, inner)
        else:
            file = volume.find(inner)
            assert file is not None
            assert file.size == entry.size
            found[inner] = file.read(0, file.size)
    return found


@pytest.mark.parametrize(
    ("bits", "size", "options"),
    [
        (12, 3 * MIB, []),
        (16, 40 * MIB, []),
        (32, 36 * MIB, ["-F", "-c", "1"]),
        (32, 600 * MIB, ["-F"]),
        (12, 8 * MIB, ["-S", "5"]),
        (16, 30 * MIB, ["-c", "1"]),
    ],
)
def test_a_fat_reads_as_mtools_read_it(bits: int, size: int, options: list[str], tmp_path: Path) -> None:
    image = fat(tmp_path / "fat", size, FILES, *options)
    with opened(image) as medium:
        volume = Fat(medium)
        assert volume.bits == bits
        assert all_files(volume) == FILES
    run("mcopy", "-s", "-n", "-i", image, "::/", tmp_path / "back")
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == FILES


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fat(tmp_path_factory.mktemp("fat") / "small", 3 * MIB, FILES)


@pytest.mark.parametrize(
    "path",
    [
        LOADER_PATH,
        "\\efi\\boot\\bootx64.efi",
        "/EFI/boot/../BOOT/./BootX64.efi",
        "EFI//BOOT/BOOTX64.EFI",
    ],
)
def test_a_loader_is_found_however_it_is_written(path: str, small: Path) -> None:
    with opened(small) as medium:
        loader = Fat(medium).find(path)
        assert loader is not None
        assert loader.read(0, loader.size) == LOADER
        assert loader.read(777, 100_001) == LOADER[777 : 777 + 100_001]
        assert loader.read(loader.size, 0) == b""
        with pytest.raises(Damaged):
            loader.read(loader.size - 1, 2)


def test_a_long_name_and_its_short_one_lead_to_the_same_file(small: Path) -> None:
    with opened(small) as medium:
        volume = Fat(medium)
        one = volume.find("/A FOLDER with a long name/Another One/configuration OF something.CONF")
        other = volume.find("/AFOLDE~1/ANOTHE~1/CONFIG~1.CON")
        assert one is not None
        assert other is not None
        assert one.read(0, one.size) == other.read(0, other.size) == FILES[next(n for n in FILES if "long" in n)]
        assert volume.find("GRÖßE UND LÄNGE.TXT") is not None


@pytest.mark.parametrize("path", ["", "/", "EFI", "EFI/BOOT/none", "empty/x", "../x", "a/" * 40, "EFI/BOOTX64.EFI"])
def test_what_is_no_file_is_not_found(path: str, small: Path) -> None:
    with opened(small) as medium:
        assert Fat(medium).find(path) is None


def test_a_folder_that_is_none_has_no_entries(small: Path) -> None:
    with opened(small) as medium:
        volume = Fat(medium)
        assert volume.entries("none") == volume.entries("lower.txt") == volume.entries("../..") == []
        assert Entry("lower.txt", is_folder=False, size=27) in volume.entries("\\")
        assert Entry("EFI", is_folder=True, size=0) in volume.entries("")


def test_a_file_in_pieces_is_put_together(tmp_path: Path) -> None:
    image = fat(tmp_path / "fat", 3 * MIB, {f"{n:03}": bytes([n]) * 4096 for n in range(200)})
    run("mdel", "-i", image, *[f"::/{n:03}" for n in range(0, 200, 2)])
    (tmp_path / "big").write_bytes(LOADER)
    run("mcopy", "-i", image, tmp_path / "big", "::/BIG.EFI")
    with opened(image) as medium:
        volume = Fat(medium)
        assert len(volume.entries("")) == 101
        big = volume.find("big.efi")
        assert big is not None
        assert big.read(0, big.size) == LOADER
        assert volume.find("000") is None


def test_a_folder_of_many_clusters_is_read_to_its_end(tmp_path: Path) -> None:
    files = {f"folder/A file with a long name, number {n}": str(n).encode() for n in range(400)}
    with opened(fat(tmp_path / "fat", 4 * MIB, files, "-c", "1")) as medium:
        assert all_files(Fat(medium)) == files


def test_few_clusters_make_a_fat32_that_firmware_does_not_mount(tmp_path: Path) -> None:
    data = bytearray(fat(tmp_path / "fat", 36 * MIB, FILES, "-F", "-c", "1").read_bytes())
    struct.pack_into("<I", data, 32, 65000)  # sectors, as mkfs.vfat -F 32 makes a small one
    with pytest.raises(Damaged, match="clusters, with which firmware does not mount it"):
        Fat(Memory(bytes(data)))


def chain_place(data: bytearray) -> int:
    """Where the FAT12 entry of the loader's first cluster lies, by searching for what the loader begins with."""
    reserved, copies, root, per_fat = struct.unpack_from("<HBH3xH", data, 14)
    first = (reserved + copies * per_fat) * 512 + root * 32
    cluster = (data.index(LOADER[:64]) - first) // (data[13] * 512) + 2
    assert cluster % 2 == 0, "the entry's twelve bits begin with a byte then"
    return int(reserved * 512 + cluster * 3 // 2)


@pytest.mark.parametrize(("value", "complaint"), [("self", "back to itself"), (0xFFF, "ends before"), (0, "not exist")])
def test_a_broken_chain_is_damaged(value: int | str, complaint: str, tmp_path: Path) -> None:
    data = bytearray(fat(tmp_path / "fat", 3 * MIB, {"pad": b"1", "LOADER": LOADER}).read_bytes())
    at = chain_place(data)
    (entry,) = struct.unpack_from("<H", data, at)
    target = (entry & 0xFFF) - 1 if value == "self" else int(value)
    struct.pack_into("<H", data, at, entry & 0xF000 | target)
    loader = Fat(Memory(bytes(data))).find("loader")
    assert loader is not None
    with pytest.raises(Damaged, match=complaint):
        loader.read(0, loader.size)


@pytest.mark.parametrize("data", [b"", bytes(512), bytes(100_000), b"\xff" * 100_000, b"\xeb\x3c\x90" + bytes(60_000)])
def test_what_is_no_fat_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        Fat(Memory(data))


# what firmware would look at


@pytest.mark.parametrize(("label", "kind"), [("gpt", "U"), ("gpt", "L"), ("dos", "ef"), ("dos", "c"), ("dos", "83")])
def test_firmware_finds_a_loader_in_any_partition(label: str, kind: str, small: Path, tmp_path: Path) -> None:
    with opened(in_partition(tmp_path / "disk", small, label, kind)) as medium:
        (volume,) = volumes(medium)
        assert volume.name == "partition 1"
        loader = Fat(volume.source).find(LOADER_PATH)
        assert loader is not None
        assert loader.read(0, loader.size) == LOADER
        assert medium.bytes_read < 300_000


def test_a_file_system_without_a_partition_table_is_the_whole_medium(small: Path) -> None:
    data = bytearray(small.read_bytes())
    (partition,) = volumes(Memory(bytes(data)))
    assert (partition.name, partition.source.size) == ("partition 1", len(data))  # mtools writes one that starts at 0
    data[446:510] = bytes(64)
    (volume,) = volumes(Memory(bytes(data)))
    assert (volume.partition, volume.boot_image, volume.name) == (None, None, "the whole medium")
    assert Fat(volume.source).find(LOADER_PATH) is not None


def test_a_gpt_without_partitions_leaves_nothing_to_look_at(tmp_path: Path) -> None:
    disk = sparse(tmp_path / "disk", 8 * MIB)
    run("sfdisk", "-q", disk, text="label: gpt\n")
    with opened(disk) as medium:
        assert volumes(medium) == []


def test_a_gpt_of_which_no_copy_is_intact_is_damaged(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path)
    for at in (512, len(disk) - 512):
        disk[at] ^= 1
    with pytest.raises(Damaged, match="both copies"):
        volumes(Memory(bytes(disk)))


# paths and folders


def test_a_path_has_names() -> None:
    assert parts("\\EFI/BOOT\\.\\x/..\\BOOTX64.EFI") == ["EFI", "BOOT", "BOOTX64.EFI"]
    assert parts("") == parts("/a/..") == []
    assert parts("..") is parts("/".join("a" * 40)) is None


def test_a_table_of_names_is_a_folder() -> None:
    folder = Names({"boot/grub.cfg": Memory(b"abc"), "/shim.efi": Memory(b"d")})
    found = folder.find("\\boot\\grub.cfg")
    assert found is not None
    assert found.read(0, 3) == b"abc"
    assert folder.find("BOOT/grub.cfg") is folder.find("boot") is folder.find("../boot/grub.cfg") is None
    assert folder.entries("/") == [Entry("boot", is_folder=True, size=0), Entry("shim.efi", is_folder=False, size=1)]
    assert folder.entries("boot") == [Entry("grub.cfg", is_folder=False, size=3)]
    assert folder.entries("..") == []
