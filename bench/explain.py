# SPDX-License-Identifier: GPL-2.0-or-later
"""How long does `secureboot explain` take, and how much does it read, on a large ISO and on a large VHDX?

Both hold Debian's signed shim and GRUB on a real EFI system partition; the rest of them is empty. Beside it, in turns:
xorriso listing the ISO, which reads its folders and checks nothing, and `cat`, which is what hashing a medium costs at
the least.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from kiban.demo.guest_disk import ESP_START, SECTOR, BootFiles, make_esp
from measure import Result, Spread, say
from sandbox import CLI, Sandbox

ISO_SIZE, DISK_SIZE = 5 << 30, 40 << 30
ESP_SIZE = 64 << 20
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ISO, VHDX = "ISO of 5 GiB", "VHDX of 40 GiB"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=9)
    runs = options.parse_args().runs
    with Sandbox() as box:
        media = {ISO: make_iso(box.folder), VHDX: make_vhdx(box.folder)}
        asks: dict[tuple[str, str], Callable[[], object]] = {
            (f"`kiban secureboot explain`, {name}", name): lambda path=path: command(path)  # type: ignore[misc]  # bound early
            for name, path in media.items()
        }
        asks |= {
            (f"the service alone, {name}", name): lambda path=path: box.client.explain_path(str(path))  # type: ignore[misc]
            for name, path in media.items()
        }
        asks["xorriso listing", ISO] = lambda: quiet("xorriso", "-indev", str(media[ISO]), "-find", "/")
        asks["cat", ISO] = lambda: quiet("cat", str(media[ISO]))
        samples: dict[str, list[float]] = {label: [] for label, _ in asks}
        result = Result("explain", f"bench/explain.py --runs {runs}", samples)
        for run in range(runs + 1):
            for (label, _), ask in asks.items():
                taken = seconds(ask)
                if run:  # the first only warms up
                    samples[label].append(taken)
            say(f"run {run} of {runs}")
        read = {name: box.client.explain_path(str(path)).bytes_read for name, path in media.items()}
        sizes = {name: path.stat().st_size for name, path in media.items()}
    fill(result, samples, dict(asks.keys()), read, sizes)
    result.write()


def fill(
    result: Result, samples: dict[str, list[float]], names: dict[str, str], read: dict[str, int], sizes: dict[str, int]
) -> None:
    result.row("Who looks at what", "milliseconds", "MiB read")
    for label, taken in samples.items():
        name = names[label]
        amount = "" if "xorriso" in label else f"{(sizes if label == 'cat' else read)[name] / 2**20:.1f}"
        result.row(label, Spread.of(taken).text(scale=1e3, digits=0), amount)


def seconds(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return time.monotonic() - begun


def command(path: Path) -> None:
    quiet(*CLI, "secureboot", "explain", str(path))


def quiet(*argv: str) -> None:
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def make_iso(work: Path) -> Path:
    """A DVD with an El Torito EFI image, made as large as an installer's by a hole at its end."""
    tree, image = work / "tree", work / "large.iso"
    tree.mkdir()
    _esp(work, tree / "efi.img")
    quiet(*("xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", str(image), "-e", "efi.img", "-no-emul-boot", str(tree)))
    os.truncate(image, ISO_SIZE)
    return image


def make_vhdx(work: Path) -> Path:
    """A dynamic VHDX whose only partition is the EFI system partition."""
    esp, raw, image = work / "esp.img", work / "disk.raw", work / "large.vhdx"
    _esp(work, esp)
    raw.touch()
    os.truncate(raw, DISK_SIZE)
    rows = f"label: gpt\nstart={ESP_START}, size={ESP_SIZE // SECTOR}, type={ESP_TYPE}\n"
    argv = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(raw)]
    subprocess.run(argv, input=rows, text=True, check=True, stdout=subprocess.DEVNULL)
    with raw.open("r+b") as disk:
        disk.seek(ESP_START * SECTOR)
        disk.write(esp.read_bytes())
    quiet("qemu-img", "convert", "-f", "raw", "-O", "vhdx", str(raw), str(image))
    raw.unlink()
    return image


def _esp(work: Path, image: Path) -> None:
    menu = work / "grub.cfg"
    menu.write_text("linux /vmlinuz\n")
    make_esp(image, ESP_SIZE, BootFiles(Path("/")), {"EFI/debian/grub.cfg": menu})


if __name__ == "__main__":
    main()
