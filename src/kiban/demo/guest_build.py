# SPDX-License-Identifier: GPL-2.0-or-later
"""The tools the guest recipes share: running host programs under a progress callback, Debian's packages, initramfs.

Everything works on plain files: no loop device, no mount, no root (mmdebstrap then uses a user namespace).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from kiban.errors import Failed, HostLacks

FILES = Path(__file__).parent / "guest_files"
"""Scripts and settings that go into the guests, named after the guest."""

Progress = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and what is being done; it may raise to give up."""

HOST_PACKAGES: dict[str, str] = {
    "mmdebstrap": "mmdebstrap",
    "depmod": "kmod",
    "zstd": "zstd",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "mformat": "mtools",
    "mcopy": "mtools",
    "grub-mkimage": "grub-common",
    "xorriso": "xorriso",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    "tar": "tar",
}
"""Programs the builders run on the host, and the Debian package each comes from."""

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian keeps depmod, sfdisk and mke2fs; not on an ordinary user's PATH."""


def tool_path() -> str:
    """Return the PATH the builders search: the caller's own and the sbin directories."""
    return os.pathsep.join((os.environ.get("PATH", "/usr/bin:/bin"), *_SBIN))


def missing_tools() -> dict[str, str]:
    """Return the programs of HOST_PACKAGES that this host has not, with the package of each."""
    return {tool: pkg for tool, pkg in HOST_PACKAGES.items() if shutil.which(tool, path=tool_path()) is None}


def require_tools() -> None:
    """Raise HostLacks, naming the packages, unless every program is there."""
    missing = missing_tools()
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise HostLacks(f"Building a guest needs {', '.join(sorted(missing))}.", f"apt install {packages}")


def run(argv: Sequence[str | Path], *, stdin: str = "", on_line: Callable[[str], None] | None = None) -> None:
    """Run a host program to its end; its lines go to `on_line`. Ends it when anything raises.

    Raises:
        HostLacks: the program does not exist.
        Failed: it exited non-zero; the message ends with its last line.
    """
    env = {**os.environ, "PATH": tool_path(), "LC_ALL": "C.UTF-8"}
    try:
        child = subprocess.Popen(
            [str(a) for a in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
        )
    except (FileNotFoundError, PermissionError) as error:  # the latter when a folder of PATH is closed to this user
        package = HOST_PACKAGES.get(str(argv[0]), str(argv[0]))
        raise HostLacks(f"{argv[0]} is not installed.", f"apt install {package}") from error
    with child:
        try:
            last = _feed_and_follow(child, stdin, on_line)
        except BaseException:  # Ctrl-C and a progress callback that gives up: neither may leave the program running
            child.terminate()
            raise
    if child.returncode:
        raise Failed(f"{Path(str(argv[0])).name} failed with exit code {child.returncode}: {last or 'no message'}")


def _feed_and_follow(child: subprocess.Popen[str], stdin: str, on_line: Callable[[str], None] | None) -> str:
    """Give the child its input, pass its lines on, and return the last one that said something."""
    if child.stdin is None or child.stdout is None:
        raise Failed("A pipe to a build program could not be made.")
    child.stdin.write(stdin)
    child.stdin.close()
    last = ""
    for line in child.stdout:
        last = line.strip() or last
        if on_line is not None:
            on_line(line.rstrip())
    return last


def unpack_packages(
    target: Path, packages: Iterable[str], *, suite: str, variant: str, hooks: Sequence[str] = (), say: Progress
) -> None:
    """Make `target` (a tar file) of a Debian tree with mmdebstrap; fractions are of this step alone.

    Args:
        variant: mmdebstrap's: `extract` only unpacks, `minbase` or `apt` also configures.
        hooks: shell lines run as --customize-hook, with the tree as `$1`.
    """
    steps = {"I: running apt-get update": 0.05, "I: downloading": 0.1, "I: extracting": 0.35, "I: installing": 0.5}
    steps |= {"I: running --customize": 0.85, "I: cleaning": 0.9, "I: creating tarball": 0.92, "I: success": 1.0}

    def follow(line: str) -> None:
        for start, fraction in steps.items():
            if line.startswith(start):
                say(fraction, line.removeprefix("I: ").rstrip("."))

    argv = ["mmdebstrap", f"--variant={variant}", "--format=tar", f"--include={','.join(packages)}"]
    argv += [f"--customize-hook={hook}" for hook in hooks]
    run([*argv, suite, str(target)], on_line=follow)


class Initramfs:
    """A cpio archive in the kernel's `newc` form, owned by root whoever builds it, with equal bytes for equal input.

    Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0
        self._made: set[str] = set()

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file; its folders come by themselves."""
        self._entry(name, stat.S_IFREG | mode, data)

    def copy(self, name: str, source: Path) -> None:
        """Add a regular file with the contents and mode of `source`."""
        self.file(name, source.read_bytes(), stat.S_IMODE(source.stat().st_mode))

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def folder(self, name: str) -> None:
        """Add an empty folder."""
        self._folders(f"{name}/x")

    def device(self, name: str, mode: int, major: int, minor: int) -> None:
        """Add a character device node."""
        self._entry(name, stat.S_IFCHR | mode, b"", major, minor)

    def close(self) -> None:
        """Write the trailer; the stream stays the caller's."""
        self._header("TRAILER!!!", 0, b"", 0, 0)

    def _folders(self, name: str) -> None:
        parents = [str(p) for p in Path(name).parents if str(p) != "."]
        for parent in reversed(parents):
            if parent not in self._made:
                self._made.add(parent)
                self._header(parent, stat.S_IFDIR | 0o755, b"", 0, 0)

    def _entry(self, name: str, mode: int, data: bytes, major: int = 0, minor: int = 0) -> None:
        self._folders(name)
        self._header(name, mode, data, major, minor)

    def _header(self, name: str, mode: int, data: bytes, major: int, minor: int) -> None:
        self._inode += 1
        raw = name.encode() + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._out.write(head + b"\0" * (-len(head) % 4))
        self._out.write(data + b"\0" * (-len(data) % 4))


def extract(tar: Path, into: Path, wanted: Iterable[str]) -> None:
    """Take the wanted folders and files (as `./usr/lib/grub`) out of a tar; those it has not are passed over."""
    into.mkdir(exist_ok=True)
    wanted = set(wanted)
    there: set[str] = set()

    def note(line: str) -> None:
        parts = line.rstrip("/").split("/")
        there.update(wanted.intersection("/".join(parts[:n]) for n in range(2, len(parts) + 1)))

    run(["tar", "-tf", tar], on_line=note)
    run(["tar", "-xf", tar, "-C", into, "--no-same-owner", *sorted(there)])
