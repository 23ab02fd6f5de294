# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines against the ones kept in tests/golden, and against a real QEMU, which has to accept each of them.

A change of a command line is a change of what guests see: look at the difference, then keep it with
`KIBAN_UPDATE_GOLDEN=1 pytest tests/unit/test_golden.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from golden_machines import SPREAD, make_files, netdevs

from kiban.adapters import unixsocket
from kiban.adapters.firmware.tpm import create_tpm, start_swtpm
from kiban.adapters.qemu import cmdline, process
from kiban.adapters.qemu.cmdline import CommandLine, Runtime
from kiban.adapters.qemu.monitor import Monitor
from kiban.engine.host import IPXE, LEGACY_PXE_ROM
from kiban.model.generations import generation

GOLDEN = Path(__file__).parents[1] / "golden"
REAL = cmdline.Host(qemu="qemu-system-x86_64", accelerator="tcg", legacy_pxe_rom=str(LEGACY_PXE_ROM), ipxe=str(IPXE))
KEPT = {
    "tcg": cmdline.Host(qemu="qemu", accelerator="tcg", legacy_pxe_rom="/rom", ipxe="/ipxe"),
    "kvm": cmdline.Host(qemu="qemu", accelerator="kvm", legacy_pxe_rom="", ipxe="/ipxe"),
}
CASES = [
    *((name, "tcg", False) for name in SPREAD),
    *((name, "kvm", False) for name in ("gen1-default", "gen2-default", "gen2-windows")),
    *((name, "tcg", True) for name in ("gen1-default", "gen2-everything")),
]
needs_tools = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
needs_qemu = pytest.mark.skipif(
    not all(shutil.which(p) for p in ("qemu-system-x86_64", "swtpm", "qemu-img")) or not IPXE.exists(),
    reason="QEMU, swtpm or iPXE is not installed",
)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder with every file that a machine of the spread names; short enough for socket paths."""
    folder = Path(tempfile.mkdtemp(prefix="kb-golden-"))
    make_files(folder)
    yield folder
    shutil.rmtree(folder)


def runtime(root: Path, name: str, **changes: Any) -> Runtime:
    fields: dict[str, Any] = {
        "directory": root,
        "qmp_fd": 10,
        "agent_fd": 11,
        "com_fds": {1: 12, 2: 13},
        "tpm_socket": "/run/tpm,1.sock",
        "netdevs": netdevs(SPREAD[name](root), root),
        "incoming": False,
    }
    return Runtime(**fields | changes)


def lines(line: CommandLine, root: Path) -> str:
    """One argument per line, JSON spread out, then the files that come along."""
    shown = []
    for argument in line.argv:
        shown.append(json.dumps(json.loads(argument), indent=2) if argument.startswith("{") else argument)
    shown += [f"# /dev/fdset/{f.number}: {f.mode} {f.path}" for f in line.files]
    return "\n".join(shown).replace(str(root), "ROOT") + "\n"


@needs_tools
@pytest.mark.parametrize(("name", "accelerator", "incoming"), CASES)
def test_command_lines_are_the_ones_kept(root: Path, name: str, accelerator: str, incoming: bool) -> None:
    machine = SPREAD[name](root)
    made = cmdline.build(
        machine, generation(machine.generation), KEPT[accelerator], runtime(root, name, incoming=incoming)
    )
    suffix = ("-kvm" if accelerator == "kvm" else "") + ("-incoming" if incoming else "")
    kept = GOLDEN / f"{name}{suffix}.args"
    if os.environ.get("KIBAN_UPDATE_GOLDEN"):
        kept.write_text(lines(made, root))
    assert lines(made, root) == kept.read_text()


def test_no_golden_file_is_left_over() -> None:
    wanted = {n + ("-kvm" if a == "kvm" else "") + ("-incoming" if i else "") for n, a, i in CASES}
    assert {path.stem for path in GOLDEN.iterdir()} == wanted


async def accepted(root: Path, name: str, *, incoming: bool) -> dict[str, Any]:
    """Start a real QEMU, stopped, and return what it says of itself."""
    machine, owner = SPREAD[name](root), process.Account("me", os.geteuid(), os.getegid())
    with ExitStack() as stack:
        lock = stack.enter_context(process.locked(root / "lock"))
        sockets = [
            stack.enter_context(unixsocket.listen(root / f"{n}.sock", owner.uid, owner.gid))
            for n in ("qmp", "agent", "com1", "com2")
        ]
        numbers = [s.fileno() for s in sockets]
        tpm = root / "tpm.sock"
        if machine.tpm:
            stack.callback(_end, start_swtpm(_tpm(root), tpm, root / "swtpm.log"))
        there = runtime(
            root,
            name,
            qmp_fd=numbers[0],
            agent_fd=numbers[1],
            com_fds={1: numbers[2], 2: numbers[3]},
            tpm_socket=str(tpm),
            incoming=incoming,
        )
        line = cmdline.build(machine, generation(machine.generation), REAL, there)
        line.argv += [] if incoming else ["-S"]
        child = process.spawn(line, inherit=[lock, *numbers], log=root / "log", owner=owner)
        stack.callback(_end, child)
        ended = process.Ended(child.pid, child)
        connecting = asyncio.create_task(Monitor.connect(root / "qmp.sock", lambda *_: None))
        await asyncio.wait({connecting, asyncio.create_task(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
        assert not ended.over, (root / "log").read_text()
        monitor = await connecting
        said = {
            "status": await monitor.status(),
            "devices": {d["qdev_id"] for d in await monitor.run("query-pci") for d in d["devices"]},
            "log": (root / "log").read_text(),
        }
        await monitor.run("quit")
        await ended.wait()
        await monitor.close()
        return said


def _tpm(root: Path) -> Path:
    if not (root / "tpm").exists():
        create_tpm(root / "tpm")
    return root / "tpm"


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


@needs_qemu
@pytest.mark.parametrize(("name", "incoming"), [(n, i) for n, a, i in CASES if a == "tcg"])
def test_qemu_accepts_the_command_line(root: Path, name: str, incoming: bool) -> None:
    said = asyncio.run(asyncio.wait_for(accepted(root, name, incoming=incoming), 120))
    assert said["status"] == ("inmigrate" if incoming else "prelaunch")
    assert {"video", "rng", "serial"} <= said["devices"]
    # an adapter that leads nowhere is what was asked for
    assert [x for x in said["log"].splitlines() if "warning: hub 1 is not connected to host network" not in x] == []
