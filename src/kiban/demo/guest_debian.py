# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipe of the `debian` guest: a whole Debian 12 as its packages make it, on one disk for both generations.

Nothing in it is tuned for one generation: Debian's own kernel and initramfs, GRUB without a menu, systemd. Root logs in
by itself on the screen and on a COM port, where there is one; nothing listens on the network.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from kiban.demo.guest_build import FILES, Progress, extract, run, unpack_packages
from kiban.demo.guest_disk import BootFiles, make_disk, make_esp
from kiban.errors import Failed

SUITE = "bookworm"
PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "zstd", "shim-signed", "grub-efi-amd64-signed", "grub-pc-bin"),
    *("systemd-sysv", "udev", "dbus", "kmod", "login", "iproute2", "iputils-ping", "procps", "less", "nano"),
    *("pciutils", "usbutils", "qemu-guest-agent"),
)
ROOT_BYTES = 3 << 30
ROOT_LABEL = "kiban-root"
COMMAND_LINE = f"root=LABEL={ROOT_LABEL} ro quiet console=ttyS0 console=tty0"
_GRUB = f"""set timeout=0
search --no-floppy --set=root --label {ROOT_LABEL}
linux /vmlinuz {COMMAND_LINE}
initrd /initrd.img
boot
"""
_LOADERS = ("./usr/lib/grub", "./usr/lib/shim")

# GRUB 2.06 does not know the two features that mke2fs 1.47 adds by default.
_ROOT_OPTIONS = ("-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file", "-m", "1", "-E", "root_owner=0:0")

# In one program, so that a user who is not root stays in one namespace, where the tree's owners are real.
_FILL_ROOT = """set -e
trap 'rm -rf "$2"' EXIT
mkdir -p "$2"
tar -xf "$1" -C "$2" --numeric-owner --exclude='./dev/*'
image=$3 size=$4 tree=$2
shift 4
mke2fs -q -F "$@" -d "$tree" "$image" "$size"
"""


def build(target: Path, say: Progress) -> None:
    """Make debian.raw in the folder `target`.

    Raises:
        HostLacks: a build program is missing.
        Failed: one of them failed.
    """
    work = target / "work"
    work.mkdir(parents=True)
    tar, loaders = work / "tree.tar", BootFiles(work / "loaders")
    setup = shlex.quote(str(FILES / "debian-setup.sh"))
    hook = f'cp {setup} "$1/setup.sh" && chroot "$1" sh /setup.sh && rm "$1/setup.sh"'
    unpack_packages(tar, PACKAGES, suite=SUITE, variant="minbase", hooks=(hook,), say=lambda f, t: say(f * 0.8, t))
    say(0.82, "making the root file system")
    extract(tar, loaders.tree, _LOADERS)
    root = work / "root.img"
    _make_root(root, tar, work / "tree")
    say(0.95, "writing the disk")
    menu, esp = work / "grub.cfg", work / "esp.img"
    menu.write_text(_GRUB)
    make_esp(esp, 32 << 20, loaders, {"EFI/debian/grub.cfg": menu})
    make_disk(target / "debian.raw", loaders, esp, root, work)
    say(1.0, "debian guest is ready")


def _make_root(image: Path, tar: Path, tree: Path) -> None:
    """Make the ext4 file system out of the tar, with the owners and modes it names."""
    namespace = [] if os.geteuid() == 0 else ["unshare", "--map-auto", "--map-root-user"]
    options = (*_ROOT_OPTIONS, "-L", ROOT_LABEL)
    try:
        run([*namespace, "sh", "-c", _FILL_ROOT, "sh", tar, tree, image, f"{ROOT_BYTES >> 10}k", *options])
    except Failed as error:
        hint = "" if not namespace else "Without root, /etc/subuid must give you a range (package uidmap)."
        raise Failed(f"The guest's root file system could not be made: {error}", hint) from error
