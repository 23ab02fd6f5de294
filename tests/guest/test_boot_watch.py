# SPDX-License-Identifier: GPL-2.0-or-later
"""Real machines that get past their firmware, or do not: told from outside, with no COM port and no change inside.

With KIBAN_SCREENS naming a folder the decisive screens are kept there, as tests/unit/screens has them.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import firmware_font
import pytest
from rig import Guest, MakeGuest, Service, until

from kiban.client.records import Boot
from kiban.demo import png
from kiban.model.requests import DiskRequest, NetBootRequest, NicRequest

MEMTEST = "/usr/lib/memtest86+/memtest86+x64.iso"  # nobody has signed it
UNSIGNED = Path("/usr/lib/ipxe/snponly.efi")
SCREENS = os.environ.get("KIBAN_SCREENS", "")


def boots(guest: Guest, *states: str) -> Boot:
    """Wait until the machine is said to be in one of the states."""

    def look() -> Boot | None:
        boot: Boot = guest.view.boot
        return boot if boot.state in states else None

    found = until(look, f"the boot state {' or '.join(states)}")
    assert found is not None
    guest.picture(f"boot-{guest.name}")
    if SCREENS:
        _keep(guest)
    return found


def _keep(guest: Guest) -> None:
    picture = png.decode(guest.client.screenshot(guest.name))
    ppm = b"P6\n%d %d\n255\n" % (picture.width, picture.height) + b"".join(picture.rows)
    (Path(SCREENS) / f"{guest.name}.ppm.xz").write_bytes(lzma.compress(ppm, preset=9 | lzma.PRESET_EXTREME))


def esp(image: Path, content: dict[str, Path]) -> Path:
    """A FAT volume that firmware boots from."""
    subprocess.run(["mformat", "-C", "-i", image, "-T", str(12 << 11), "-h", "64", "-s", "32", "::"], check=True)
    subprocess.run(["mmd", "-i", image, "::EFI", "::EFI/BOOT"], check=True)
    for name, source in content.items():
        subprocess.run(["mcopy", "-i", image, source, f"::EFI/BOOT/{name}"], check=True)
    image.chmod(0o644)
    return image


def iso(folder: Path, content: dict[str, Path]) -> Path:
    """The same as a DVD."""
    tree, made = folder / "tree", folder / "made.iso"
    tree.mkdir(parents=True)
    folder.chmod(0o755)
    esp(tree / "esp.img", content)
    command: list[str | Path] = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-e",
        "esp.img",
        "-no-emul-boot",
        "-o",
        made,
        tree,
    ]
    subprocess.run(command, check=True)
    made.chmod(0o644)
    return made


def pxe(folder: Path, source: Path, **files_: Path) -> list[NicRequest]:
    """An adapter that boots shim from a copy of the netboot tree in which `files_` are replaced."""
    shutil.copytree(source, folder)
    for name, file in files_.items():
        shutil.copyfile(file, folder / f"{name}.efi")
    return [NicRequest(boot=NetBootRequest(folder=str(folder), file="shimx64.efi"))]


def test_refused_by_the_firmware_then_adopted_then_mended(service: Service, make: MakeGuest, probe: Path) -> None:
    guest = make("watch-dvd", 2, dvds=[MEMTEST], nics=[])
    guest.client.start(guest.name)
    boot = boots(guest, "refused", "started", "failed")
    assert (boot.state, boot.device) == ("refused", "dvd0")
    assert boot.text == 'failed to load Boot0000 "DVD dvd0": Access Denied'
    assert "memtest86+x64.iso" in boot.sentence
    assert "not signed" in boot.sentence
    assert guest.view.state == "running"
    assert f"refused (dvd0): {boot.sentence}" in " ".join(service.kiban("info", guest.name).stdout.split())

    service.kill()
    service.start()
    assert boots(guest, "refused", "started", "failed") == boot

    guest.client.insert(guest.name, "dvd0", str(probe / "probe.iso"))
    with guest.client.events(guest.name) as events:  # it may be in its firmware for a moment only
        guest.client.reset(guest.name)
        assert next(event for event in events if event.kind == "boot").data["state"] == "firmware"
    assert boots(guest, "started", "refused", "failed").state == "started"
    guest.ready()
    assert guest.view.boot.state == "started"
    guest.off()
    assert guest.view.boot.state == ""


def test_refused_from_disk(make: MakeGuest, root: Path) -> None:
    image = esp(root / "unsigned.raw", {"BOOTX64.EFI": UNSIGNED})
    guest = make("watch-disk", 2, disks=[DiskRequest(path=str(image), format="raw", copy=True)], nics=[])
    guest.client.start(guest.name)
    boot = boots(guest, "refused", "started", "failed")
    assert (boot.state, boot.device) == ("refused", "disk0")
    assert "Access Denied" in boot.text


def test_refused_from_the_network(make: MakeGuest, root: Path, probe: Path) -> None:
    nics = pxe(root / "pxe-unsigned", probe / "netboot", shimx64=UNSIGNED)
    guest = make("watch-pxe", 2, nics=nics, boot=["nic"])
    guest.client.start(guest.name)
    boot = boots(guest, "refused", "started", "failed")
    assert (boot.state, boot.device) == ("refused", "nic0")
    assert boot.text == 'failed to load Boot0000 "PXE IPv4 nic0": Access Denied'


def test_refused_by_shim(make: MakeGuest, root: Path, probe: Path) -> None:
    netboot = probe / "netboot"
    content = {"BOOTX64.EFI": netboot / "shimx64.efi", "grubx64.efi": UNSIGNED, "mmx64.efi": netboot / "mmx64.efi"}
    guest = make("watch-shim", 2, dvds=[str(iso(root / "shim-unsigned", content))], nics=[])
    guest.client.start(guest.name)
    boot = until(lambda: guest.view.boot if guest.view.boot.state == "refused" else None, "shim's refusal")
    assert boot is not None
    assert boot.device == "dvd0"
    assert "Security Violation" in boot.text
    assert "grubx64.efi" in boot.sentence


def test_nothing_to_boot_is_no_refusal(make: MakeGuest) -> None:
    guest = make("watch-nothing", 2, dvds=[""], nics=[])
    guest.client.start(guest.name)
    boot = boots(guest, "refused", "started", "failed")
    assert (boot.state, boot.device) == ("failed", "dvd0")
    assert boot.text == 'failed to load Boot0000 "DVD dvd0": Not Found'


def test_without_secure_boot_it_starts(make: MakeGuest) -> None:
    guest = make("watch-off", 2, dvds=[MEMTEST], nics=[], secure_boot=False)
    guest.client.start(guest.name)
    assert boots(guest, "started", "refused", "failed").state == "started"


def test_a_signed_chain_starts_from_the_network_and_is_never_refused(make: MakeGuest, root: Path, probe: Path) -> None:
    nics = pxe(root / "pxe-signed", probe / "netboot")
    guest = make("watch-signed", 2, nics=nics, boot=["nic"])
    said: set[str] = set()

    def look() -> bool:
        said.add(guest.view.boot.state)
        return "started" in said

    guest.client.start(guest.name)
    until(look, "the start")
    guest.ready()
    assert said == {"firmware", "started"}
    assert guest.view.boot.state == "started"


def test_the_font_is_this_firmwares(make: MakeGuest, root: Path, probe: Path) -> None:
    folder = root / "font"
    nics = pxe(folder, probe / "netboot")
    (folder / "grub/grub.cfg").write_text(firmware_font.grub_cfg())
    guest = make("watch-font", 2, nics=nics, boot=["nic"])
    guest.client.start(guest.name)
    kept = json.loads((files("kiban.adapters.screen") / "firmware_font.json").read_text())["glyphs"]

    def shown() -> dict[str, str] | None:
        picture = png.decode(guest.client.screenshot(guest.name))
        found = firmware_font.glyphs(picture) if picture.width == 1280 else {}
        return found if len(set(found.values())) == len(firmware_font.CHARACTERS) else None

    found = until(shown, "all characters")
    assert found is not None
    if path := os.environ.get("KIBAN_FONT"):
        firmware_font.write(Path(path), found)
    assert found == kept


if not UNSIGNED.exists():
    pytestmark = pytest.mark.skip(reason="apt install ipxe")
