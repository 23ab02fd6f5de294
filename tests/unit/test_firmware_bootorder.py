# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot order as variables in a store: what is written, what of the guest's survives, what is read back."""

import struct
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from kiban.adapters.firmware import loadoption
from kiban.adapters.firmware.bootorder import BootDevice, read_order, write_order
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.edk2vars import Variable, VariableStore
from kiban.adapters.firmware.loadoption import LoadOption
from kiban.errors import BadInput, Damaged, HostLacks

DISK = BootDevice(id="disk0", kind="disk", port=(2, 0), target=0, lun=0)
DVD = BootDevice(id="dvd0", kind="dvd", port=(2, 0), target=0, lun=1)
NIC = BootDevice(id="nic0", kind="nic", port=(3, 1), mac="52:54:00:12:34:56")
DEBIAN = LoadOption("debian", loadoption.node(4, 1, bytes(38)) + loadoption.node(4, 4, "\\x.efi\0".encode("utf-16-le")))
SHELL = LoadOption("EFI Internal Shell", loadoption.firmware_file(UUID(int=1), UUID(int=2)))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    try:
        template = find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))
    path = tmp_path / "nvram"
    path.write_bytes(template.read_bytes())
    return path


def guest_puts(store: Path, *options: LoadOption, first: bool = True) -> None:
    """As efibootmgr does: new numbers, in front of the others."""
    nvram = VariableStore.load(store)
    used = {name for name, _ in nvram.variables}
    free = [n for n in range(100) if f"Boot{n:04X}" not in used][: len(options)]
    for number, option in zip(free, options, strict=True):
        nvram.put(Variable(f"Boot{number:04X}", option.to_bytes()))
    new, old = struct.pack(f"<{len(free)}H", *free), nvram.get("BootOrder") or b""
    nvram.put(Variable("BootOrder", new + old if first else old + new))
    nvram.save(store)


def order(store: Path, *devices: BootDevice) -> list[str]:
    return [entry.device or entry.description for entry in read_order(store, devices)]


def test_the_order_is_read_back(store: Path) -> None:
    write_order(store, [DVD, NIC, DISK])
    assert order(store, DISK, DVD, NIC) == ["dvd0", "nic0", "nic0", "disk0"]
    write_order(store, [DISK, DVD])
    assert order(store, DISK, DVD, NIC) == ["disk0", "dvd0"]
    names = sorted(name for name, _ in VariableStore.load(store).variables)
    assert names == ["Boot0000", "Boot0001", "BootOrder", "ErrOut"]


def test_paths_are_those_that_ovmf_itself_makes() -> None:
    # From a store that Debian 12's OVMF wrote for the same devices.
    disk = "02010c00d041030a000000000101060000040101060000000302080000000000"
    nic = "02010c00d041030a00000000010106000005010106000000030b2500525400123456" + "00" * 26 + "01"
    assert BootDevice(id="d", kind="disk", port=(4, 0)).path().hex() == disk
    assert BootDevice(id="n", kind="nic", port=(5, 0), mac="52:54:00:12:34:56").path().hex() == nic
    nvme = "02010c00d041030a0000000001010600000703171000010000000000000000000000"
    usb = "02010c00d041030a00000000010106000004030506000200"
    assert BootDevice(id="d", kind="disk", bus="nvme", port=(7, 0)).path().hex() == nvme
    assert BootDevice(id="c", kind="dvd", bus="usb", port=(4, 0), usb_port=3).path().hex() == usb
    assert loadoption.ipv4().hex() == "030c1b00" + "00" * 23
    assert loadoption.ipv6().hex() == "030d3c00" + "00" * 39 + "40" + "00" * 16


@pytest.mark.parametrize(("protocol", "first"), [("ipv4", 12), ("ipv6", 13)])
def test_pxe_protocol_preference(store: Path, protocol: str, first: int) -> None:
    nic = replace(NIC, http_uri="http://10.0.2.2/boot.efi")
    write_order(store, [nic], pxe_protocol=protocol)  # type: ignore[arg-type] # from a table
    nvram = VariableStore.load(store)
    options = [LoadOption.parse(nvram.get(entry.name) or b"") for entry in read_order(store, [NIC])]
    ends = [[part[1] for part in loadoption.nodes(option.path)[4:]] for option in options]
    assert ends == [[12, 24], [first], [25 - first]]  # HTTP over IPv4 always: its server is 10.0.2.2
    assert options[0].path.endswith(b"http://10.0.2.2/boot.efi")


def test_each_adapter_loads_what_it_is_to_load(store: Path) -> None:
    """One of them by HTTP does not make the others try it."""
    one = replace(NIC, http_uri="http://10.0.2.2:1/one.efi")
    two = replace(NIC, id="nic1", port=(3, 2), http_uri="http://10.0.2.2:2/two.efi")
    plain = replace(NIC, id="nic2", port=(3, 3))
    write_order(store, [two, plain, one])
    nvram = VariableStore.load(store)
    paths = [LoadOption.parse(nvram.get(entry.name) or b"").path for entry in read_order(store, [one, two, plain])]
    assert [path.rpartition(b"http")[2] for path in paths if b"http" in path] == [
        b"://10.0.2.2:2/two.efi",
        b"://10.0.2.2:1/one.efi",
    ]
    assert [entry.description for entry in read_order(store, [one, two, plain]) if entry.device == "nic2"] == [
        "PXE IPv4 nic2",
        "PXE IPv6 nic2",
    ]


def test_the_guests_entries_stay_in_front_of_the_first_disk(store: Path) -> None:
    write_order(store, [DISK])
    guest_puts(store, DEBIAN)
    assert order(store, DISK) == ["debian", "disk0"]
    write_order(store, [DVD, DISK, NIC])
    assert order(store, DISK, DVD, NIC) == ["dvd0", "debian", "disk0", "nic0", "nic0"]
    write_order(store, [NIC])
    assert order(store, NIC) == ["nic0", "nic0", "debian"]


def test_nvme_and_usb_are_boot_devices_like_others(store: Path) -> None:
    nvme = BootDevice(id="disk0", kind="disk", bus="nvme", port=(7, 0))
    usb = BootDevice(id="dvd0", kind="dvd", bus="usb", port=(4, 0), usb_port=3)
    write_order(store, [usb, nvme, NIC])
    guest_puts(store, LoadOption("on it", nvme.path() + loadoption.node(4, 4, "\\x.efi\0".encode("utf-16-le"))))
    assert order(store, nvme, usb, NIC) == ["disk0", "dvd0", "disk0", "nic0", "nic0"]
    write_order(store, [nvme, usb])
    assert order(store, nvme, usb) == ["disk0", "disk0", "dvd0"]
    write_order(store, [usb])  # the guest's entry goes with the disk it names
    assert order(store, nvme, usb) == ["dvd0"]
    assert VariableStore.load(store).get("ErrOut") is None  # only SCSI has to be connected unit by unit


def test_what_the_guest_reorders_is_what_is_read(store: Path) -> None:
    write_order(store, [DISK, DVD])
    nvram = VariableStore.load(store)
    nvram.put(Variable("BootOrder", struct.pack("<2H", 1, 0)))
    nvram.save(store)
    assert order(store, DISK, DVD) == ["dvd0", "disk0"]


def test_the_firmwares_own_entries_are_not_shown_twice_nor_kept(store: Path) -> None:
    write_order(store, [DISK])
    own = LoadOption("UEFI QEMU QEMU HARDDISK ", DISK.path(), optional=loadoption.FIRMWARE_MADE.bytes_le)
    other = LoadOption("UEFI QEMU QEMU DVD-ROM ", DVD.path(), optional=loadoption.FIRMWARE_MADE.bytes_le)
    menu = LoadOption("UiApp", b"", loadoption.ACTIVE | loadoption.HIDDEN | 0x100)
    guest_puts(store, menu, own, other, SHELL, first=False)
    assert order(store, DISK, DVD) == ["disk0", "dvd0", "EFI Internal Shell"]
    write_order(store, [DISK])
    assert order(store, DISK, DVD) == ["disk0", "EFI Internal Shell"]


def test_entries_of_a_removed_device_go_whoever_made_them(store: Path) -> None:
    write_order(store, [DISK, DVD])
    file = LoadOption("on the DVD", DVD.path() + DEBIAN.path)
    guest_puts(store, DEBIAN, file)
    write_order(store, [DISK])
    assert order(store, DISK) == ["debian", "disk0"]


def test_boot_next_goes_with_its_entry(store: Path) -> None:
    write_order(store, [DISK, DVD])
    nvram = VariableStore.load(store)
    nvram.put(Variable("BootNext", struct.pack("<H", 1)))
    nvram.save(store)
    write_order(store, [DISK])
    assert VariableStore.load(store).get("BootNext") is None


def test_the_firmware_is_told_to_connect_the_units_in_the_list(store: Path) -> None:
    console = loadoption.pci(1, 0) + loadoption.node(2, 3, bytes(4))
    nvram = VariableStore.load(store)
    nvram.put(Variable("ErrOut", loadoption.join([console, DVD.path()])))
    nvram.save(store)
    write_order(store, [NIC, DISK])
    after = VariableStore.load(store).get("ErrOut") or b""
    assert loadoption.instances(after) == [console, DISK.path()]


def test_pause_ends_the_list(store: Path) -> None:
    write_order(store, [DISK], pause_after_failure=True)
    guest_puts(store, SHELL, first=False)
    assert order(store, DISK) == ["disk0"]
    write_order(store, [DISK], pause_after_failure=False)
    assert order(store, DISK) == ["disk0", "EFI Internal Shell"]


def test_junk_of_the_guests_does_not_stop_us(store: Path) -> None:
    nvram = VariableStore.load(store)
    for number, junk in enumerate((b"", b"\1\0\0\0\xff\xff", b"\1\0\0\0\4\0a\0\0\0\1\1\1\0", b"\xff" * 9)):
        nvram.put(Variable(f"Boot{number:04X}", junk))
        with pytest.raises(Damaged):
            LoadOption.parse(junk)
    nvram.put(Variable("BootOrder", struct.pack("<5H", 0, 1, 2, 3, 77) + b"\1"))
    nvram.put(Variable("ErrOut", b"\1\1\xff\xff"))
    nvram.save(store)
    assert order(store, DISK) == []
    write_order(store, [DISK])
    assert order(store, DISK) == ["disk0"]


def test_addresses_the_firmware_cannot_reach_are_refused(store: Path) -> None:
    before = store.read_bytes()
    for target, lun in ((32, 0), (0, 8), (-1, 0)):
        with pytest.raises(BadInput, match="cannot boot"):
            write_order(store, [BootDevice(id="d", kind="disk", port=(2, 0), target=target, lun=lun)])
    with pytest.raises(BadInput, match="MAC"):
        write_order(store, [BootDevice(id="n", kind="nic", port=(3, 0), mac="52:54")])
    with pytest.raises(BadInput, match="URI"):
        write_order(store, [replace(NIC, http_uri="http://é/")])
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "signature", "partition"),
    [
        (2, UUID(int=0x1234).bytes_le, "00000000-0000-0000-0000-000000001234"),
        (1, bytes.fromhex("efbeadde") + bytes(12), "deadbeef-03"),
        (0, bytes(16), ""),
    ],
)
def test_a_guests_entry_tells_its_partition_and_file(store: Path, kind: int, signature: bytes, partition: str) -> None:
    disk = loadoption.node(4, 1, struct.pack("<LQQ", 3, 2048, 4096) + signature + bytes((1 + kind // 2, kind)))
    file = loadoption.node(4, 4, "\\EFI\\debian\0".encode("utf-16-le"))
    file += loadoption.node(4, 4, "shimx64.efi\0".encode("utf-16-le"))
    guest_puts(store, LoadOption("debian", disk + file), LoadOption("whole", DISK.path()))
    entries = read_order(store, [DISK])
    assert (entries[0].partition, entries[0].file) == (partition, "\\EFI\\debian\\shimx64.efi")
    assert (entries[1].partition, entries[1].file) == ("", "")
