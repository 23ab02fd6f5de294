# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest on a VHDX chain of three links starts before it is copied, and ends up on a disk of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from rig import WAIT, Guest, Service, until

from kiban.errors import Conflict

MIB = 1 << 20
GIB = 1 << 30
MORE = 64 * MIB
"""More of the disk than is copied, mostly, before somebody says stop."""
TRIES = 5


def chain(raw: Path, folder: Path, size: int) -> Path:
    """The disk `raw`, grown to `size`, as three links: each megabyte is in one of them, below it there is nonsense."""
    from chain_makers import Made, vhdx  # on the path once conftest has put it there

    data = raw.read_bytes()
    base, middle, child = links = [Made(size=size) for _ in range(3)]
    for at in range(0, len(data), MIB):
        piece = data[at : at + MIB]
        piece += bytes(-len(piece) % MIB)
        if piece.count(0) == MIB:
            continue
        owner = at // MIB % 3
        for number, link in enumerate(links[: owner + 1]):
            link.writes.append((at, piece if number == owner else b"\xa5" * MIB))
    folder.mkdir()
    vhdx(folder / "base.vhdx", base)
    vhdx(folder / "middle.avhdx", middle, base, locator={"relative_path": r".\base.vhdx"})
    return vhdx(folder / "child.avhdx", child, middle, locator={"relative_path": r".\middle.avhdx"})


def servers(folder: Path) -> list[psutil.Process]:
    """The confined processes that have files of the chain open."""
    found = []
    for process in psutil.process_iter():
        try:
            links = [str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
        except OSError:
            continue
        if str(folder / "base.vhdx") in links and process.pid != os.getpid():
            found.append(process)
    return found


def rest(guest: Guest) -> str:
    return str(guest.view.disks[0].rest)


def started(guest: Guest, child: Path, generation: int) -> Path:
    """Import and start the machine and stop the copying, on which then nothing depends; its disk, which is a part."""
    client = guest.client
    for _ in range(TRIES):
        made = client.import_machine(child, name=guest.name, generation=generation, lazy=True)
        disk = Path(made.directory) / made.disks[0].path
        assert disk.stat().st_blocks * 512 < MIB, "nothing has been copied yet"
        client.start(guest.name)
        [*_, job] = [job for job in client.jobs() if (job.machine, job.command) == (guest.name, "disks.copy")]
        with contextlib.suppress(Conflict):  # it is over
            client.cancel_job(job.id)
        if client.job(job.id, wait=WAIT).state == "cancelled":
            return disk
        guest.off()
        client.remove(guest.name)
    pytest.fail("it was copied each time before it could be stopped: copy more")


@pytest.mark.parametrize("generation", [1, 2])
def test_a_chain_starts_at_once_and_becomes_a_disk(service: Service, probe: Path, root: Path, generation: int) -> None:
    source, raw = root / f"chain{generation}", root / f"whole{generation}.raw"
    raw.write_bytes((probe / "probe.raw").read_bytes() + b"\x5a" * MORE)
    child = chain(raw, source, 4 * GIB)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in source.iterdir()}
    guest = Guest(service.client, f"lazy{generation}")
    disk = started(guest, child, generation)
    try:
        guest.ready()
        assert rest(guest) == str(child), "it runs before it has been copied"
        [server] = servers(source)
        server.send_signal(signal.SIGKILL)
        until(lambda: [s for s in servers(source) if s.pid != server.pid], "a new server")
        assert "still being copied" in service.kiban("save", guest.name, code=4).stderr
        guest.sh("echo the guest lives")
        guest.off()
        assert rest(guest) == str(child)
        service.client.start(guest.name)  # it goes on
        service.kill()
        service.start()
        until(lambda: guest.view.state == "running", "the machine is taken on again")
        until(lambda: not rest(guest), "the copy is complete")
        guest.off()
        compare = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(disk)]
        done = subprocess.run(compare, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in source.iterdir()} == before
        for file in before:
            file.unlink()
        guest.up()  # without the source
    finally:
        guest.off()
        service.client.remove(guest.name)
