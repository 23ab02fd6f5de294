# SPDX-License-Identifier: GPL-2.0-or-later
"""CDs made by xorriso: their boot catalogs, hybrid ones, and files under all three kinds of names."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest
from disk_makers import FILES, LOADER, MIB, RANDOM, fat, in_partition, opened, run, write_tree

from kiban.adapters.bootcheck.volumes import partitions
from kiban.adapters.bootcheck.volumes.eltorito import EFI_PLATFORM, BootImage, el_torito
from kiban.adapters.bootcheck.volumes.fat import Fat
from kiban.adapters.bootcheck.volumes.firmware import has_udf, volumes
from kiban.adapters.bootcheck.volumes.folder import Entry
from kiban.adapters.bootcheck.volumes.iso import Iso
from kiban.adapters.images.source import Memory, Source
from kiban.errors import Damaged

BLOCK = 2048
LONG = "a/" * 6 + "very deep/and deeper/and deepest/" + "n" * 180 + ".txt"


def make_iso(path: Path, files: dict[str, bytes], *options: str | Path) -> Path:
    tree = write_tree(path.with_name(path.name + ".files"), files)
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", path, *options, tree)
    return path


@pytest.fixture(scope="module")
def efi_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fat(tmp_path_factory.mktemp("efi") / "efi.img", 2 * MIB, FILES)


@pytest.fixture(scope="module")
def bootable(tmp_path_factory: pytest.TempPathFactory, efi_image: Path) -> Path:
    """For BIOS and EFI, with Rock Ridge's names and Joliet's."""
    files = FILES | {LONG: b"deep", "isolinux.bin": b"\x90" * 4096, "efi.img": efi_image.read_bytes()}
    both = ["-b", "isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-eltorito-alt-boot", "-e", "efi.img"]
    return make_iso(tmp_path_factory.mktemp("iso") / "cd.iso", files, "-R", "-J", *both, "-no-emul-boot")


# files


def all_files(volume: Iso, path: str = "") -> dict[str, bytes]:
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


def test_rock_ridge_reads_as_xorriso_reads_it(bootable: Path, tmp_path: Path) -> None:
    back = tmp_path / "back"
    run("xorriso", "-osirrox", "on", "-indev", bootable, "-extract", "/", back)
    with opened(bootable) as medium:
        volume = Iso(medium)
        assert volume.names == "rock ridge"
        found = all_files(volume)
        assert volume.find("EFI/BOOT/bootx64.efi") is None, "Rock Ridge's names depend on case"
    assert found == {str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()}
    assert FILES.items() <= found.items()
    assert found[LONG] == b"deep"


def test_joliet_reads_its_names_whatever_their_case(tmp_path: Path) -> None:
    with opened(make_iso(tmp_path / "cd.iso", FILES, "-J", "--norock")) as medium:
        volume = Iso(medium)
        assert volume.names == "joliet"
        assert all_files(volume) == FILES
        loader = volume.find("\\efi\\Boot\\bootx64.EFI")
        assert loader is not None
        assert loader.read(1000, 150_000) == LOADER[1000:151_000]


def test_plain_names_have_no_version(tmp_path: Path) -> None:
    with opened(make_iso(tmp_path / "cd.iso", FILES, "--norock")) as medium:
        volume = Iso(medium)
        assert volume.names == "plain"
        assert volume.entries("efi/boot") == [Entry("BOOTX64.EFI", is_folder=False, size=len(LOADER))]
        loader = volume.find("/EFI/boot/bootx64.efi")
        assert loader is not None
        assert loader.read(0, loader.size) == LOADER


def test_a_folder_too_deep_for_iso_9660_is_found_where_it_belongs(tmp_path: Path) -> None:
    deep = "1/2/3/4/5/6/7/8/9/10/file.txt"
    iso = make_iso(tmp_path / "cd.iso", {deep: b"moved"}, "-R", "-U", "-iso-level", "1", "-rr_reloc_dir", "moved_here")
    assert b"CL\x0c\x01" in iso.read_bytes(), "nothing was moved"
    with opened(iso) as medium:
        assert all_files(Iso(medium)) == {deep: b"moved"}


def test_a_folder_of_many_blocks_is_read_to_its_end(tmp_path: Path) -> None:
    files = {f"folder/A file with a long name, number {n}": str(n).encode() for n in range(300)}
    with opened(make_iso(tmp_path / "cd.iso", files, "-R")) as medium:
        assert all_files(Iso(medium)) == files


def test_a_file_of_two_extents_is_one_file(tmp_path: Path) -> None:
    files = {"AAA.BIN": RANDOM(1).randbytes(5000), "AAB.BIN": RANDOM(2).randbytes(7000)}
    data = bytearray(make_iso(tmp_path / "cd.iso", files, "--norock").read_bytes())
    at = data.index(b"AAA.BIN;1") - 33
    data[at + 25] |= 0x80  # it goes on in the next record
    second = data.index(b"AAB.BIN;1")
    data[second : second + 9] = b"AAA.BIN;1"
    file = Iso(Memory(bytes(data))).find("aaa.bin")
    assert file is not None
    whole = files["AAA.BIN"] + files["AAB.BIN"]
    assert file.read(0, file.size) == whole
    assert file.read(4990, 100) == whole[4990:5090]


@pytest.mark.parametrize("path", ["", "EFI", "EFI/BOOT/none", "empty/x", "../x", "none/x"])
def test_what_is_no_file_is_not_found(path: str, bootable: Path) -> None:
    with opened(bootable) as medium:
        assert Iso(medium).find(path) is None


@pytest.mark.parametrize("data", [b"", bytes(40_000), b"\xff" * 100_000])
def test_what_is_no_cd_is_damaged(data: bytes) -> None:
    assert el_torito(Memory(data)) == []
    assert not has_udf(Memory(data))
    with pytest.raises(Damaged):
        Iso(Memory(data))


# the boot catalog


def as_xorriso_reports(iso: Path) -> list[tuple[int, int]]:
    platforms = {"BIOS": 0, "UEFI": EFI_PLATFORM}
    lines = re.findall(r"El Torito boot img : +\d+ +(\w+) +y +none +\S+ +\S+ +\d+ +(\d+)", report(iso))
    return [(platforms[platform], int(block) * BLOCK) for platform, block in lines]


def report(iso: Path) -> str:
    return run("xorriso", "-indev", iso, "-report_el_torito", "plain")


def loader_in(source: Source) -> bytes:
    loader = Fat(source).find("\\EFI\\BOOT\\BOOTX64.EFI")
    assert loader is not None
    return loader.read(0, loader.size)


def efi_entry(medium: Source) -> BootImage:
    (image,) = [image for image in el_torito(medium) if image.platform == EFI_PLATFORM]
    return image


def test_the_boot_catalog_reads_as_xorriso_reads_it(bootable: Path) -> None:
    with opened(bootable) as medium:
        images = el_torito(medium)
        assert [(image.platform, image.start) for image in images] == as_xorriso_reports(bootable)
        assert [(image.platform, image.entry) for image in images] == [(0, 0), (EFI_PLATFORM, 1)]
        assert loader_in(efi_entry(medium).open(medium)) == LOADER


def test_a_dvd_boots_from_its_boot_images(bootable: Path) -> None:
    with opened(bootable) as medium:
        found = volumes(medium, BLOCK)
        assert [volume.name for volume in found] == ["the boot catalog's entry 0", "the boot catalog's entry 1"]
        assert loader_in(found[1].source) == LOADER
        with pytest.raises(Damaged):
            Fat(found[0].source)


def test_a_cd_for_bios_only_has_no_efi_entry(tmp_path: Path) -> None:
    options = ["-b", "isolinux.bin", "-no-emul-boot", "-boot-load-size", "4"]
    with opened(make_iso(tmp_path / "cd.iso", FILES | {"isolinux.bin": b"\x90" * 4096}, *options)) as medium:
        assert [image.platform for image in el_torito(medium)] == [0]


def test_a_cd_without_a_catalog_has_no_boot_images(tmp_path: Path) -> None:
    with opened(make_iso(tmp_path / "cd.iso", FILES)) as medium:
        assert el_torito(medium) == []
        assert [volume.name for volume in volumes(medium, BLOCK)] == ["the whole medium"]


def catalog_place(data: bytearray) -> int:
    return int(struct.unpack_from("<I", data, 17 * BLOCK + 71)[0]) * BLOCK


@pytest.mark.parametrize("count", [0, 1])
def test_a_count_of_none_or_one_reaches_to_the_end(count: int, bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    struct.pack_into("<H", data, catalog_place(data) + 96 + 6, count)
    medium = Memory(bytes(data))
    image = efi_entry(medium)
    (blocks,) = struct.unpack_from("<I", data, 16 * BLOCK + 80)
    assert image.start + image.size == blocks * BLOCK
    assert loader_in(image.open(medium)) == LOADER


def test_a_catalog_with_a_wrong_checksum_is_none(bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    data[catalog_place(data) + 5] ^= 1
    assert el_torito(Memory(bytes(data))) == []


@pytest.mark.parametrize("at", [0, 8])  # the bootable mark, the place
def test_an_entry_without_a_mark_or_a_place_is_skipped(at: int, bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    entry = catalog_place(data) + 96 + at
    data[entry : entry + (4 if at else 1)] = bytes(4 if at else 1)
    assert [image.platform for image in el_torito(Memory(bytes(data)))] == [0]


@pytest.mark.parametrize(("emulation", "size"), [(1, 1200 << 10), (2, 1440 << 10), (3, 2880 << 10)])
def test_an_emulated_diskette_has_its_size(emulation: int, size: int, bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    data[catalog_place(data) + 96 + 1] = emulation
    assert efi_entry(Memory(bytes(data))).size == size


def test_a_disk_shows_only_a_sector_of_the_catalog(bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    place = catalog_place(data)
    data[place + 512 : place + 544] = data[place + 96 : place + 128]
    assert len(el_torito(Memory(bytes(data)))) == 3
    assert len(el_torito(Memory(bytes(data)), 512)) == 2


def hybrid(folder: Path, efi_image: Path, *options: str) -> Path:
    appended = ["-append_partition", "2", "0xef", str(efi_image), "-e", "--interval:appended_partition_2:all::"]
    return make_iso(folder / "hybrid.iso", FILES, "-R", *appended, "-no-emul-boot", *options)


def test_a_hybrid_boots_from_its_catalog_on_a_disk_as_well(efi_image: Path, tmp_path: Path) -> None:
    """EDK2 looks for a boot catalog before it looks for an MBR."""
    with opened(hybrid(tmp_path, efi_image)) as medium:
        assert [partition.is_esp for partition in partitions.read(medium)] == [False, True]
        for sector in (BLOCK, 512):
            (volume,) = volumes(medium, sector)
            assert volume.boot_image is not None
            assert loader_in(volume.source) == LOADER


def test_a_hybrid_with_a_gpt_boots_from_its_partition_on_a_disk(efi_image: Path, tmp_path: Path) -> None:
    with opened(hybrid(tmp_path, efi_image, "-appended_part_as_gpt", "-partition_offset", "16")) as medium:
        (as_dvd,) = volumes(medium, BLOCK)
        assert as_dvd.boot_image is not None
        (as_disk,) = [volume for volume in volumes(medium) if volume.partition and volume.partition.is_esp]
        assert loader_in(as_dvd.source) == loader_in(as_disk.source) == LOADER


def test_a_cd_in_a_partition_is_looked_into(bootable: Path, tmp_path: Path) -> None:
    with opened(in_partition(tmp_path / "disk", bootable, "gpt", "L")) as medium:
        found = volumes(medium)
        assert [volume.partition and volume.partition.number for volume in found] == [1, 1]
        assert loader_in(found[1].source) == LOADER


def test_a_large_cd_costs_no_more_than_a_small_one(bootable: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.iso"
    large.write_bytes(bootable.read_bytes())
    os.truncate(large, 5 << 30)
    with opened(large) as medium:
        assert loader_in(volumes(medium, BLOCK)[1].source) == LOADER
        assert Iso(medium).find("EFI/debian/grub.cfg") is not None
        assert medium.bytes_read < 2 * len(LOADER)


def test_udf_is_noticed(bootable: Path) -> None:
    data = bytearray(bootable.read_bytes())
    assert not has_udf(Memory(bytes(data)))
    end = next(at for at in range(16, 32) if data[at * BLOCK] == 255)
    for number, mark in enumerate((b"BEA01", b"NSR02", b"TEA01"), end + 1):
        data[number * BLOCK : number * BLOCK + 6] = b"\0" + mark
    assert has_udf(Memory(bytes(data)))
