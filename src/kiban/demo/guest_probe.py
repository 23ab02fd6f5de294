# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipe of the `probe` guest: Debian's signed kernel and an initramfs that starts the guest agent at once.

It comes as a disk, as a DVD and as a folder to boot from the network, all three by BIOS and by UEFI Secure Boot, and is
made for tests: it runs from memory, writes to no disk, and loads the driver of whatever the board has.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kiban.demo.guest_build import FILES, Initramfs, Progress, extract, run, unpack_packages
from kiban.demo.guest_disk import BootFiles, make_disk, make_esp, make_iso
from kiban.errors import Failed

SUITE = "bookworm"
PACKAGES = (
    "busybox-static",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "linux-image-amd64",
    "qemu-guest-agent",
    "shim-signed",
)
MODULES = (
    *("virtio_pci", "virtio_console", "virtio_scsi", "virtio_blk", "virtio_net", "virtio_rng", "virtio_balloon"),
    *("virtio_input", "virtio_gpu", "bochs", "cirrus"),
    *(
        "ata_piix",
        "ata_generic",
        "ahci",
        "nvme",
        "sd_mod",
        "sr_mod",
        "floppy",
        "isofs",
        "vfat",
        "nls_cp437",
        "nls_ascii",
    ),
    *("tulip", "de2104x", "e1000", "e1000e", "8139cp", "pcnet32"),
    *("xhci_pci", "ehci_pci", "uhci_hcd", "usb_storage", "usbhid", "hid_generic", "psmouse", "evdev", "button"),
    *("efivarfs", "efi_pstore", "crc32c_generic", "crc_t10dif", "crct10dif_generic"),
)
"""Kernel modules with all they need; tpm_crb, tpm_tis, i8042 and 8250 are built into Debian's kernel."""

LIBRARIES = ("udev", "numa", "uring", "glib-2.0", "gmodule-2.0", "m", "c", "pcre2-8")
"""What qemu-ga is linked with, without `lib` and `.so.N`."""

COMMAND_LINE = "quiet console=ttyS0 console=tty0 panic=10"
_KEPT = (
    *("./boot", "./lib/modules", "./usr/lib/modules", "./usr/lib/grub", "./usr/lib/shim", "./usr/sbin/qemu-ga"),
    *("./bin/busybox", "./usr/bin/busybox", "./lib/x86_64-linux-gnu", "./usr/lib/x86_64-linux-gnu"),
)


def build(target: Path, say: Progress) -> None:
    """Make probe.raw, probe.iso and netboot/ in the folder `target`.

    Raises:
        HostLacks: a build program is missing.
        Failed: one of them failed.
    """
    work = target / "work"
    work.mkdir(parents=True)
    tar, tree = work / "tree.tar", work / "tree"
    unpack_packages(tar, PACKAGES, suite=SUITE, variant="extract", say=lambda f, text: say(f * 0.6, text))
    say(0.65, "unpacking the kernel, the agent and the boot loaders")
    extract(tar, tree, _KEPT)
    tar.unlink()
    kernel = next(iter(sorted((tree / "boot").glob("vmlinuz-*"))), None)
    if kernel is None:
        raise Failed("Debian's kernel package holds no kernel.")
    say(0.75, "packing the initramfs")
    initrd = work / "initrd.img"
    make_initramfs(initrd, tree, kernel.name.removeprefix("vmlinuz-"))
    say(0.85, "writing the disk, the DVD and the network folder")
    _write_media(target, BootFiles(tree), kernel, initrd, work)
    shutil.rmtree(work)
    say(1.0, "probe guest is ready")


def make_initramfs(out: Path, tree: Path, release: str) -> None:
    """Pack busybox, the guest agent with its libraries, and MODULES into a zstd-compressed initramfs."""
    raw = out.with_suffix(".cpio")
    with raw.open("wb") as stream:
        archive = Initramfs(stream)
        for folder in ("proc", "sys", "dev", "run", "tmp", "root", "mnt", "var/run"):
            archive.folder(folder)
        archive.device("dev/console", 0o600, 5, 1)
        archive.device("dev/null", 0o666, 1, 3)
        _add_programs(archive, tree)
        _add_agent(archive, tree)
        _add_modules(archive, tree, release)
        archive.close()
    run(["zstd", "-q", "-f", "-15", "-T0", raw, "-o", out])
    raw.unlink()


def _add_programs(archive: Initramfs, tree: Path) -> None:
    busybox = next(p for p in (tree / "bin/busybox", tree / "usr/bin/busybox") if p.exists())
    archive.copy("bin/busybox", busybox)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet not in {"busybox", "init", "shutdown"}:
            archive.link(f"bin/{applet}", "busybox")
    archive.link("sbin", "bin")
    archive.file("init", (FILES / "probe-init.sh").read_bytes(), 0o755)
    for name, source in {
        "bin/shutdown": "probe-shutdown.sh",
        "etc/udhcpc.sh": "probe-dhcp.sh",
        "etc/acpi/power": "probe-power.sh",
    }.items():
        archive.file(name, (FILES / source).read_bytes(), 0o755)
    archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
    archive.file("etc/acpid.conf", b"PWRF power\n")


def _add_agent(archive: Initramfs, tree: Path) -> None:
    archive.copy("usr/sbin/qemu-ga", tree / "usr/sbin/qemu-ga")
    folders = (tree / "lib/x86_64-linux-gnu", tree / "usr/lib/x86_64-linux-gnu")
    loader = next(p for d in folders for p in d.glob("ld-linux-x86-64.so.2"))
    archive.copy("lib64/ld-linux-x86-64.so.2", loader)
    for library in LIBRARIES:
        source = next((p for d in folders for p in sorted(d.glob(f"lib{library}.so.[0-9]*"))), None)
        if source is None:
            raise Failed(f"The guest agent's library {library} is in none of the unpacked packages.")
        archive.file(f"lib/{source.name}", source.read_bytes(), 0o755)


def _add_modules(archive: Initramfs, tree: Path, release: str) -> None:
    source = next(p for p in (tree / "usr/lib/modules" / release, tree / "lib/modules" / release) if p.exists())
    root = source.parents[2]
    run(["depmod", "-b", root, release])
    chosen = tree.parent / "modules"
    folder = chosen / "lib/modules" / release
    for name in module_closure(source / "modules.dep", MODULES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    for listing in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(source / listing, folder / listing)
    run(["depmod", "-b", chosen, release])
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".bin"):
        archive.copy(str(file.relative_to(chosen)), file)


def module_closure(dep_file: Path, wanted: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths in a modules.dep of the wanted modules and of all they need, each once.

    A name that the file does not list is built into the kernel or not there at all, and is passed over.
    """
    needs: dict[str, list[str]] = {}
    path_of: dict[str, str] = {}
    for line in dep_file.read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
        path_of[Path(path).name.split(".")[0].replace("-", "_")] = path
    queue = [path_of[name.replace("-", "_")] for name in wanted if name.replace("-", "_") in path_of]
    seen: set[str] = set()
    while queue:
        path = queue.pop()
        if path not in seen:
            seen.add(path)
            yield path
            queue += needs.get(path, [])


def _write_media(target: Path, loaders: BootFiles, kernel: Path, initrd: Path, work: Path) -> None:
    start = f"linux /vmlinuz {COMMAND_LINE}\ninitrd /initrd.img\nboot\n"
    menu, search = work / "grub.cfg", work / "search.cfg"
    menu.write_text("set timeout=0\n" + start)
    search.write_text("search --no-floppy --set=root --label KIBAN_PROBE\n" + start)
    files = {"EFI/debian/grub.cfg": menu, "vmlinuz": kernel, "initrd.img": initrd}
    size = sum(f.stat().st_size for f in files.values()) + (12 << 20)
    esp = work / "esp.img"
    make_esp(esp, -(-size // (1 << 20)) << 20, loaders, files)
    make_disk(target / "probe.raw", loaders, esp, None, work)
    small = work / "esp-dvd.img"
    make_esp(small, 8 << 20, loaders, {"EFI/debian/grub.cfg": search})
    make_iso(target / "probe.iso", loaders, small, files, work)
    _write_netboot(target / "netboot", loaders, kernel, initrd, start)


def _write_netboot(folder: Path, loaders: BootFiles, kernel: Path, initrd: Path, start: str) -> None:
    """Lay out a TFTP folder: shimx64.efi for UEFI, boot.ipxe for a BIOS with iPXE."""
    (folder / "grub").mkdir(parents=True)
    shutil.copyfile(loaders.shim, folder / "shimx64.efi")
    shutil.copyfile(loaders.signed_grub("grubnetx64"), folder / "grubx64.efi")
    shutil.copyfile(loaders.mok_manager, folder / "mmx64.efi")
    shutil.copyfile(kernel, folder / "vmlinuz")
    shutil.copyfile(initrd, folder / "initrd.img")
    (folder / "grub/grub.cfg").write_text("set timeout=0\n" + start)
    script = f"#!ipxe\nkernel vmlinuz initrd=initrd.img {COMMAND_LINE}\ninitrd initrd.img\nboot\n"
    (folder / "boot.ipxe").write_text(script)
