# SPDX-License-Identifier: GPL-2.0-or-later
"""`kiban demo` from end to end with the tiny guest, and interrupted in the middle."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import KIBAN, WAIT, Service, qemus, until

from kiban.demo import machines, png, refusal
from kiban.demo.refusal import MEMTEST

pytestmark = pytest.mark.skipif(not MEMTEST.exists(), reason=f"{refusal.PACKAGE} is not installed")

DEMO = (*KIBAN, "demo", "--guest", "probe", "-o", "json", "--record")


@pytest.fixture
def folder(tmp_path: Path, service: Service, probe: Path) -> Iterator[Path]:
    """Where the pictures go; the demo's guest is in the cache by now, and none of its machines is left afterwards."""
    assert probe.is_dir()
    yield tmp_path / "pictures"
    machines.clear(service.client)


def test_the_demo_shows_what_it_says(service: Service, folder: Path) -> None:
    done = subprocess.run(
        [*DEMO, str(folder)], env=service.environment, capture_output=True, text=True, timeout=8 * WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    first, second = facts["boots"]
    assert (first["generation"], second["generation"]) == (1, 2)
    assert (first["hardware"]["firmware"], second["hardware"]["firmware"]) == ("BIOS", "UEFI")
    assert second["hardware"]["secure_boot"] == "on"
    assert all(0 < boot["to_kernel"] < boot["to_up"] for boot in facts["boots"])
    assert facts["ratio"] == round(second["to_up"] / first["to_up"], 3)
    assert all(seconds is not None for seconds in facts["shut_down"]), "a guest had to be turned off"
    assert re.search("chipset +Intel 440FX .* Intel Q35 ", done.stderr), done.stderr
    screens = {Path(name).name: png.decode(Path(name).read_bytes()) for name in facts["pictures"]}
    assert refusal.refused(screens["refused.png"])
    assert refusal.started(screens["secure-boot-off.png"])
    assert len(screens) == 4
    assert not {machine.name for machine in service.client.machines()} & set(machines.NAMES)


def test_a_demo_that_is_interrupted_leaves_no_machine(service: Service, folder: Path) -> None:
    with subprocess.Popen(
        [*DEMO, str(folder)], env=service.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as demo:
        running = until(
            lambda: [m for m in service.client.machines() if m.name in machines.NAMES and m.state == "running"],
            "the demo's first machine",
        )
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=WAIT)
    assert demo.returncode == 130, said
    assert "Traceback" not in said
    assert not {machine.name for machine in service.client.machines()} & set(machines.NAMES)
    assert qemus(running[0].id) == []
