# SPDX-License-Identifier: GPL-2.0-or-later
"""What `kiban start NAME` takes to the first guest instruction, against QEMU alone with the same arguments.

The guest is a boot sector that writes the ACPI PM timer to COM1, which is a file. That timer counts from the moment at
which QEMU lets the processor go, so the time of the first instruction is the time of the message less the timer. It is
the same evidence for both, and the firmware's own time, which would flatter the ratio, is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import psutil

from kiban import ComRequest, DiskRequest
from measure import Result, Spread, ratios, say
from sandbox import CLI, Sandbox

PM_HZ, PM_WRAP = 3579545, 1 << 24
SECTOR = bytes.fromhex(
    "fa"  # cli
    "ba0806 66ed 6689c3"  # mov dx, 0x608; in eax, dx; mov ebx, eax     the PM timer, where SeaBIOS puts it on a PIIX4
    "b90400"  # mov cx, 4
    "bafd03 ec a820 74f8"  # next: mov dx, 0x3fd; in al, dx; test al, 0x20; jz next     until COM1 takes a byte
    "88d8 baf803 ee"  # mov al, bl; mov dx, 0x3f8; out dx, al
    "66c1eb08 e2ec"  # shr ebx, 8; loop next
    "f4 ebfd"  # halt: hlt; jmp halt
)
PATIENCE = 60.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=15, help="starts of each")
    runs = options.parse_args().runs
    samples: dict[str, list[float]] = {"qemu": [], "kiban": [], "kiban, until it returns": []}
    with Sandbox() as box:
        message, disk = box.folder / "com1.bin", box.folder / "disk.raw"
        disk.write_bytes(SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes(2**20 - 512))
        disks = [DiskRequest(path=str(disk), format="raw")]
        coms = [ComRequest(number=1, kind="file", path=str(message))]
        box.client.create("tiny", generation=1, memory=32 << 20, disks=disks, coms=coms)
        result = Result("start_overhead", f"bench/start_overhead.py --runs {runs}", samples)
        for run in range(runs + 1):
            first, returned, bare = through_kiban(box, message)
            alone = qemu_alone(bare, message)
            say(f"run {run} of {runs}: kiban {first * 1e3:.0f} ms, qemu {alone * 1e3:.0f} ms")
            if run:  # the first only warms up
                for name, sample in zip(samples, (alone, first, returned), strict=True):
                    samples[name].append(sample)
    fill(result, samples["qemu"], samples["kiban"], samples["kiban, until it returns"])
    result.write()


def through_kiban(box: Sandbox, message: Path) -> tuple[float, float, Bare]:
    """Seconds to the first instruction, seconds until the command returns, and what it takes to do it without Kiban."""
    message.write_bytes(b"")
    begun = time.monotonic()
    with subprocess.Popen([*CLI, "start", "tiny"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
        first = first_instruction(message, begun)
        command.wait(PATIENCE)
    bare = Bare(psutil.Process(box.client.machine("tiny").pid or 0))
    box.client.stop("tiny", force=True)
    begun = time.monotonic()  # a start of its own, because whoever waits for the guest's message cannot wait for this
    box.cli("start", "tiny")
    returned = time.monotonic() - begun
    box.client.stop("tiny", force=True)
    return first, returned, bare


def qemu_alone(bare: Bare, message: Path) -> float:
    """Seconds to the first instruction without Kiban."""
    message.write_bytes(b"")
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        process = stack.enter_context(bare.start(stack))
        try:
            return first_instruction(message, begun)
        finally:
            process.kill()


def first_instruction(message: Path, begun: float) -> float:
    """Wait for the boot sector's message; seconds from `begun` to the guest's first instruction."""
    while message.stat().st_size < 4:
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError("the boot sector said nothing")
        time.sleep(0.0005)
    since = time.monotonic() - begun
    timer: int = struct.unpack("<I", message.read_bytes()[:4])[0]
    return (since - timer / PM_HZ) % (PM_WRAP / PM_HZ)  # the timer has 24 bits, which is more than 4 s


class Bare:
    """The arguments, files and user of a running QEMU, to start another one like it."""

    def __init__(self, running: psutil.Process) -> None:
        self.arguments = running.cmdline()
        self.user, self.group = running.uids().real, running.gids().real
        handed_over = dict(re.findall(r"^fd=(\d+),set=\d+,opaque=(.*)$", "\n".join(self.arguments), re.MULTILINE))
        self.files = {number: _opened(running.pid, name) for number, name in handed_over.items()}

    def start(self, stack: contextlib.ExitStack) -> subprocess.Popen[bytes]:
        """Open the files and sockets anew and start QEMU."""
        numbers: list[int] = []

        def anew(found: re.Match[str]) -> str:
            numbers.append(self._open(stack, found[1]))
            return f"fd={numbers[-1]}"

        arguments = [re.sub(r"\bfd=(\d+)", anew, argument) for argument in self.arguments]
        other = self.user != os.geteuid()
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=numbers,
            start_new_session=True,
            user=self.user if other else None,
            group=self.group if other else None,
            extra_groups=[] if other else None,
        )

    def _open(self, stack: contextlib.ExitStack, number: str) -> int:
        if number in self.files:
            opened = os.open(*self.files[number])
            stack.callback(os.close, opened)
            return opened
        server = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        server.bind("")  # the kernel finds it a name
        server.listen(1)
        return server.fileno()


def _opened(pid: int, name: str) -> tuple[Path, int]:
    """Path and flags of the file of this name that a QEMU has open: it has closed the descriptor it was given."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        path = descriptor.readlink()
        if path.name == name:
            (flags,) = re.findall(r"^flags:\s*(\d+)", Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(), re.M)
            return path, int(flags, 8) & (os.O_ACCMODE | os.O_APPEND)
    raise FileNotFoundError(f"QEMU has no {name} open")


def fill(result: Result, alone: list[float], first: list[float], returned: list[float]) -> None:
    result.row("Start, seen from outside", "milliseconds", "against QEMU alone")
    result.row("QEMU alone, to the first guest instruction", Spread.of(alone).text(scale=1e3, digits=0), "1")
    more = Spread.of([k - q for k, q in zip(first, alone, strict=True)]).text("ms more", scale=1e3, digits=0)
    against = f"{Spread.of(ratios(first, alone)).text(digits=2)}; **{more}**"
    result.row("`kiban start`, to the first guest instruction", Spread.of(first).text(scale=1e3, digits=0), against)
    result.row("`kiban start`, until it returns", Spread.of(returned).text(scale=1e3, digits=0), "")


if __name__ == "__main__":
    main()
