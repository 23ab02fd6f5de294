# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys decide what starts: a person's own, shim's own list, and those of a machine of before 2023 that is updated."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rig import Guest, MakeGuest, Service, until

from kiban.adapters.firmware import keys as keys_of_store
from kiban.adapters.firmware import templates, varstore
from kiban.adapters.firmware.edk2vars import VariableStore
from kiban.adapters.firmware.keys import Keys
from kiban.client.records import Audited
from kiban.engine import nvram
from kiban.model.requests import ComRequest, DiskRequest

IPXE = Path("/usr/lib/ipxe/ipxe.efi")  # unsigned, and says its name first
SHIM = Path("/usr/lib/shim/shimx64.efi.signed")
GRUB = Path("/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed")
MANAGER = Path("/usr/lib/shim/mmx64.efi")
REFUSED = "No bootable option or device was found"
IMAGE = 32 << 20


@pytest.fixture(scope="module")
def keys(root: Path) -> Path:
    """A folder with the certificates of PK, KEK and db, and their private keys beside them."""
    if lacking := [program for program in ("sbsign", "openssl", "mkfs.vfat", "mcopy") if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    folder = root / "keys"
    folder.mkdir()
    for name in ("PK", "KEK", "db"):
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            f"/CN=own {name}",
        ]
        _run(*command, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    return folder


def test_own_keys_decide_what_starts(make: MakeGuest, service: Service, root: Path, keys: Path) -> None:
    serial, disk = root / "keys.log", root / "esp.img"
    signed = root / "signed.efi"
    _run("sbsign", "--key", keys / "db.key", "--cert", keys / "db.crt", "--output", signed, IPXE)
    _fill(disk, {"BOOTX64.EFI": signed})
    guest = make(
        "own",
        2,
        template="custom",
        keys=str(keys),
        disks=[DiskRequest(path=str(disk), format="raw")],
        nics=[],
        coms=[ComRequest(number=1, kind="file", path=str(serial))],
    )
    assert (guest.view.template, guest.view.secure_boot) == ("custom", True)
    assert _start(guest, serial, "iPXE 1.") == "iPXE 1."

    _fill(disk, {"BOOTX64.EFI": SHIM, "grubx64.efi": GRUB})
    assert _start(guest, serial, "GNU GRUB") == REFUSED
    assert "Access Denied" in _said(serial)

    authorities = []
    for year in ("2011", "2023"):
        authorities.append(root / f"microsoft-{year}.der")
        authorities[-1].write_bytes(templates.certificate(f"microsoft.com/ms-uefi-{year}").data)
    options = [part for path in authorities for part in ("--db", str(path))]
    service.kiban("secureboot", "enroll", guest.name, *options)
    assert _start(guest, serial, "GNU GRUB") == "GNU GRUB"

    service.kiban("secureboot", "revoke", guest.name, str(SHIM))
    assert _start(guest, serial, "GNU GRUB") == REFUSED

    service.kiban("secureboot", "undo", guest.name)
    assert _start(guest, serial, "GNU GRUB") == "GNU GRUB"

    service.kiban("secureboot", "reset", guest.name)
    assert [key.name for key in guest.client.secure_boot(guest.name).db] == ["own db"]
    assert _start(guest, serial, "GNU GRUB") == REFUSED


def test_shim_trusts_what_is_enrolled_for_it(make: MakeGuest, service: Service, root: Path, keys: Path) -> None:
    """In GRUB's place stands MokManager, signed anew: it has the .sbat section that shim asks for, and shows itself."""
    serial, disk, signed = root / "mok.log", root / "mok.img", root / "mm.efi"
    _run("sbsign", "--key", keys / "db.key", "--cert", keys / "db.crt", "--output", signed, MANAGER)
    _fill(disk, {"BOOTX64.EFI": SHIM, "grubx64.efi": signed})
    guest = make(
        "mok",
        2,
        disks=[DiskRequest(path=str(disk), format="raw")],
        nics=[],
        coms=[ComRequest(number=1, kind="file", path=str(serial))],
    )
    assert _start(guest, serial, "MOK management", "Security Violation") == "Security Violation"
    service.kiban("secureboot", "enroll", guest.name, "--mok", str(keys / "db.crt"))
    assert _start(guest, serial, "MOK management", "Security Violation") == "MOK management"
    assert [key.name for key in guest.client.secure_boot(guest.name).mok] == ["own db"], "shim kept what was enrolled"


def test_a_machine_of_before_2023_is_found_updated_and_put_back(make: MakeGuest, service: Service, root: Path) -> None:
    if lacking := [program for program in ("mkfs.vfat", "mcopy") if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    serial, disk = root / "old.log", root / "old.img"
    _fill(disk, {"BOOTX64.EFI": SHIM, "grubx64.efi": GRUB})
    guest = make(
        "old",
        2,
        disks=[DiskRequest(path=str(disk), format="raw")],
        nics=[],
        coms=[ComRequest(number=1, kind="file", path=str(serial))],
        tpm=True,
    )
    store = Path(guest.view.directory) / nvram.FILE
    old = _age(store)
    service.kiban("secureboot", "audit", code=13)
    row = _audited(guest)
    assert row.now is not None
    assert row.after is not None
    assert (row.authorities, row.missing, row.now.verdict, row.after.verdict) == (
        "2011-only",
        143,
        "allowed",
        "allowed",
    )
    assert (row.action, row.command) == ("update", "kiban secureboot update old")
    assert "recovery key" in row.notes[-1]

    service.kiban("secureboot", "update", guest.name)
    row = _audited(guest)
    assert (row.authorities, row.missing, row.lacks, row.action, row.notes) == ("2023-ready", 0, [], "", [])
    assert _start(guest, serial, "GNU GRUB") == "GNU GRUB"

    service.kiban("secureboot", "undo", guest.name)
    assert keys_of_store.read(VariableStore.load(store)) == old
    assert _audited(guest).authorities == "2011-only"
    assert _start(guest, serial, "GNU GRUB") == "GNU GRUB"


def _age(store: Path) -> Keys:
    """Take what came with and after 2023 from a machine that is off; returns the keys that are left."""
    found = VariableStore.load(store)
    now = keys_of_store.read(found)
    old = keys_of_store.make({"PK": now.pk, "KEK": now.kek[:1], "db": now.db[:1], "dbx": now.dbx[:300]})
    varstore.set_keys(found, old)
    found.save(store)
    return old


def _audited(guest: Guest) -> Audited:
    return next(row for row in guest.client.audit() if row.machine == guest.name)


def _start(guest: Guest, serial: Path, runs: str, refused: str = REFUSED) -> str:
    """Start the machine, and turn it off when its loader runs (`runs` is on its screen) or it is refused."""
    serial.unlink(missing_ok=True)
    guest.client.start(guest.name)
    found = until(
        lambda: next((words for words in (runs, refused) if words in _said(serial)), ""), f"{runs} or a refusal"
    )
    guest.off()
    return found


def _said(serial: Path) -> str:
    return serial.read_text(errors="replace") if serial.exists() else ""


def _fill(disk: Path, files: dict[str, Path]) -> None:
    """A disk that is one FAT volume, with files where the firmware looks for a removable medium's loader."""
    disk.write_bytes(b"")
    with disk.open("r+b") as file:
        file.truncate(IMAGE)
    _run("mkfs.vfat", disk)
    _run("mmd", "-i", disk, "::/EFI", "::/EFI/BOOT")
    for name, source in files.items():
        _run("mcopy", "-i", disk, source, f"::/EFI/BOOT/{name}")


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
