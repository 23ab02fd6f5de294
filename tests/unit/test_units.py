# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd units that are shipped: systemd understands each line, and they keep machines alive over a restart."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"


def verified(folder: Path, scope: str, text: str) -> str:
    """What systemd has to say about a unit, whose program is not installed where the tests run."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = folder / "kiban.service"
    unit.write_text(text.replace("/usr/bin/kiban", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", f"--{scope}", "--man=no", "verify", str(unit)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return "".join(line for line in done.stderr.splitlines(keepends=True) if "kiban" in line)


@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_understands_the_units(tmp_path: Path, scope: str) -> None:
    text = (UNITS / scope / "kiban.service").read_text()
    assert verified(tmp_path, scope, text) == ""
    assert "KillModus" in verified(tmp_path, scope, text.replace("KillMode", "KillModus"))
    assert "both" in verified(tmp_path, scope, text.replace("Type=notify", "Type=both"))


@pytest.mark.parametrize("scope", ["system", "user"])
def test_the_units_end_the_service_only(scope: str) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(UNITS / scope / "kiban.service")
    service = unit["Service"]
    assert (service["KillMode"], service["OOMPolicy"], service["TasksMax"]) == ("process", "continue", "infinity")
    assert scope == "user" or service["RuntimeDirectoryPreserve"] == "yes"
